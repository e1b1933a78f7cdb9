"""Whole reads and writes of `zarr.Array` by zchunk's engine, without zarr-python's indexers and event loop.

zarr-python has no interface for that. So methods of its class are replaced by those below, which call them
for what is not for zchunk. Once it has an interface, an engine for it takes their place here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarr.core.config import config
from zarr.core.indexing import is_pure_orthogonal_indexing

from zchunk._ext.selection.slices import Plan, plan_basic
from zchunk.engine import execute
from zchunk.engine.array import ChunkedArray
from zchunk.indexing.plans import replace_ellipsis
from zchunk.wings.zarr_pipeline.arrays import Source
from zchunk.wings.zarr_pipeline.pipeline import FAILURES, ZchunkCodecPipeline, calls, write_from

# The methods of `zarr.Array` that are replaced, and what they were; empty if the engine is not installed.
_replaced: dict[str, Any] = {}
# Settings of zarr-python under which arrays are NumPy's.
_NUMPY = {"buffer": "zarr.buffer.cpu.Buffer", "ndbuffer": "zarr.buffer.cpu.NDBuffer"}


# ---- the methods


def _get_item(self: Any, selection: Any) -> Any:
    items = _read(self, selection)
    if items is None:
        return _replaced["__getitem__"](self, selection)
    # As zarr-python does: where it takes integers for an orthogonal selection, the item is no scalar.
    return items if items.shape or is_pure_orthogonal_indexing(selection, self.ndim) else items[()]


def _set_item(self: Any, selection: Any, value: Any) -> None:
    if not _write(self, selection, value):
        _replaced["__setitem__"](self, selection, value)


def _get_basic_selection(self: Any, selection: Any = Ellipsis, **options: Any) -> Any:
    items = _read(self, selection) if _are_default(options) else None
    if items is None:
        return _replaced["get_basic_selection"](self, selection, **options)
    return items if items.shape else items[()]


def _set_basic_selection(self: Any, selection: Any, value: Any, **options: Any) -> None:
    if not _are_default(options) or not _write(self, selection, value):
        _replaced["set_basic_selection"](self, selection, value, **options)


METHODS = {
    "__getitem__": _get_item,
    "__setitem__": _set_item,
    "get_basic_selection": _get_basic_selection,
    "set_basic_selection": _set_basic_selection,
}


def _are_default(options: dict[str, Any]) -> bool:
    return all(value is None for value in options.values())


def replace_methods() -> None:
    """Let zchunk read and write whole selections of `zarr.Array`."""
    for name, method in METHODS.items():
        if name not in _replaced:
            _replaced[name] = vars(zarr.Array)[name]
            method.__doc__ = _replaced[name].__doc__
            setattr(zarr.Array, name, method)


def restore_methods() -> None:
    """Undo `replace_methods`."""
    for name in list(_replaced):
        setattr(zarr.Array, name, _replaced[name])
    _replaced.clear()


# ---- what they do


def _find(z: Any, selection: Any) -> tuple[Source, ChunkedArray, Plan] | None:
    """Return a selection of an array as the engine takes it; None if it is for zarr-python."""
    array = z._async_array
    pipeline = array.codec_pipeline
    if type(pipeline) is not ZchunkCodecPipeline or not _is_basic(selection):
        return None
    source = pipeline.source
    if source is None or array.store_path.store is not source.store:
        return None
    if any(config.config.get(key) != value for key, value in _NUMPY.items()):
        return None
    plan = plan_basic(selection, array.metadata.shape, source.chunks)
    if plan is None:
        return None
    found = source.array(array.store_path.path, array.config)
    return None if found is None else (source, found, plan)


def _is_basic(selection: Any) -> bool:
    """Whether a selection is of integers, an Ellipsis, and slices that go forward."""
    for entry in selection if type(selection) is tuple else (selection,):
        kind = type(entry)
        if kind is slice:
            if entry.step is not None and (type(entry.step) is not int or entry.step < 1):
                return False
        elif kind is not int and entry is not Ellipsis and not isinstance(entry, np.integer):
            return False
    return True


def _read(z: Any, selection: Any) -> np.ndarray[Any, Any] | None:
    """Return what is selected as an array, also if it is one item; None if it is for zarr-python."""
    try:
        found = _find(z, selection)
        if found is None:
            return None
        _, array, plan = found
        settings = z._async_array
        of_format2 = settings.metadata.zarr_format == 2
        order = settings.metadata.order if of_format2 else settings.config.order
        items = plan.empty(array.metadata.dtype, order)
        execute.read(array, plan, items)
    except FAILURES:
        return None
    calls["native_reads"] += 1
    return items


def _write(z: Any, selection: Any, value: Any) -> bool:
    """Assign to what is selected; False if it is for zarr-python."""
    try:
        found = _find(z, selection)
        if found is None:
            return False
        source, array, plan = found
        metadata = z._async_array.metadata
        if not source.is_writable or getattr(metadata, "_stored_document", None) is not None:
            return False
        dtype = array.metadata.dtype
        if np.isscalar(value):
            items = np.asanyarray(value, dtype=dtype)
        elif type(value) is np.ndarray:
            items = value if value.dtype.name == dtype.name else value.astype(dtype, order="A")
        else:
            return False
        if array.metadata.shards is not None:
            plan = _to_shards(plan, selection, metadata.shape, source.chunks)
        if not write_from(source, array, plan, items):
            return False
    except FAILURES:
        return False
    calls["native_writes"] += 1
    return True


def _to_shards(plan: Plan, selection: Any, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Plan:
    """Return the plan as that of an array that ends with its last shard: so zarr-python writes shards."""
    entries: list[Any] = []
    given = replace_ellipsis(selection, shape)
    for entry, (start, step, count, _, _) in zip(given, plan.axes, strict=True):
        whole = slice(start, start + (count - 1) * step + 1 if count else start, step)
        entries.append(whole if isinstance(entry, slice) else start)
    ends = tuple([-(-n // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)])
    found = plan_basic(tuple(entries), ends, chunks)
    assert found is not None
    return found
