"""Whole reads and writes of `zarr.Array` by zchunk's engine, without zarr-python's indexers and event loop.

zarr-python has no interface for that. So methods of its class are replaced by those below, which call them
for what is not for zchunk. Once it has an interface, an engine for it takes their place here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.core.config import config
from zarr.core.indexing import is_pure_orthogonal_indexing

from zchunk._ext.selection.slices import Plan
from zchunk.engine import execute
from zchunk.engine.array import ChunkedArray
from zchunk.wings.zarr_pipeline import selections
from zchunk.wings.zarr_pipeline.arrays import Source
from zchunk.wings.zarr_pipeline.pipeline import FAILURES, ZchunkCodecPipeline, calls, write_from
from zchunk.wings.zarr_pipeline.selections import Planner, Writes

Items = np.ndarray[Any, Any]

# What the methods of `zarr.Array` were before. It is kept, for a thread may be in a method that is restored.
_originals: dict[str, Any] = {}
# Settings of zarr-python under which arrays are NumPy's.
_BUFFER, _ND_BUFFER = "zarr.buffer.cpu.Buffer", "zarr.buffer.cpu.NDBuffer"


# ---- what the methods do


def _find(z: Any, planner: Planner, selection: Any, write: bool) -> tuple[Source, ChunkedArray, Plan] | None:
    """Return a selection of an array as the engine takes it; None if it is for zarr-python."""
    array = z._async_array
    pipeline = array.codec_pipeline
    if type(pipeline) is not ZchunkCodecPipeline:
        return None
    source = pipeline.source
    if source is None or array.store_path.store is not source.store:
        return None
    settings = config.config
    if settings.get("buffer") != _BUFFER or settings.get("ndbuffer") != _ND_BUFFER:
        return None
    writes: Writes = "nothing" if not write else "chunks" if source.model.shards is None else "shards"
    plan = planner(selection, array.metadata.shape, source.chunks, source.model.innermost.order, writes)
    if plan is None:
        return None
    found = source.array(array.store_path.path, array.config)
    return None if found is None else (source, found, plan)


def _read(z: Any, planner: Planner, selection: Any) -> Items | None:
    """Return what is selected as an array, also if it is one item; None if it is for zarr-python."""
    try:
        found = _find(z, planner, selection, False)
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


def _write(z: Any, planner: Planner, selection: Any, value: Any) -> bool:
    """Assign to what is selected; False if it is for zarr-python."""
    try:
        found = _find(z, planner, selection, True)
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
            if planner is selections.plan_coordinates and items.ndim > 1:
                items = items.reshape(-1)
        else:
            return False
        if not write_from(source, array, plan, items):
            return False
    except FAILURES:
        return False
    calls["native_writes"] += 1
    return True


def _are_default(options: dict[str, Any]) -> bool:
    # No fields are an empty list, too.
    return all(
        value is None or (name == "fields" and type(value) is list and not value)
        for name, value in options.items()
    )


# ---- what they return: as zarr-python does


def _item_or_array(z: Any, selection: Any, items: Items) -> Any:
    return items if items.shape else items[()]


def _as_bracketed(z: Any, selection: Any, items: Items) -> Any:
    # Where integers are taken for an orthogonal selection, the item is no scalar.
    if items.shape or _are_integers(selection) or is_pure_orthogonal_indexing(selection, z.ndim):
        return items
    return items[()]


def _are_integers(selection: Any) -> bool:
    # What `is_pure_orthogonal_indexing` says of most single items, in a tenth of its time.
    if type(selection) is not tuple:
        return type(selection) is int
    return bool(selection) and all(type(entry) is int for entry in selection)


def _as_points(z: Any, selection: Any, items: Items) -> Items:
    shape = selections.points_shape(selection, z.ndim)
    assert shape is not None
    return items.reshape(shape)


def _array(z: Any, selection: Any, items: Items) -> Items:
    return items


# ---- the methods


class Kind(NamedTuple):
    """A kind of selection: the methods of `zarr.Array` for it, its planner, and what comes of the items."""

    reader: str
    writer: str
    planner: Planner
    result: Callable[[Any, Any, Items], Any]


KINDS = (
    Kind("__getitem__", "__setitem__", selections.plan_basic, _as_bracketed),
    Kind("get_basic_selection", "set_basic_selection", selections.plan_basic, _item_or_array),
    Kind("get_orthogonal_selection", "set_orthogonal_selection", selections.plan_orthogonal, _array),
    Kind("get_coordinate_selection", "set_coordinate_selection", selections.plan_coordinates, _as_points),
    Kind("get_mask_selection", "set_mask_selection", selections.plan_mask, _array),
    Kind("get_block_selection", "set_block_selection", selections.plan_blocks, _array),
)


def _reading(kind: Kind) -> Callable[..., Any]:
    def read(self: Any, *selected: Any, **options: Any) -> Any:
        if len(selected) == 1 and (not options or _are_default(options)):
            items = _read(self, kind.planner, selected[0])
            if items is not None:
                return kind.result(self, selected[0], items)
        return _originals[kind.reader](self, *selected, **options)

    return read


def _writing(kind: Kind) -> Callable[..., None]:
    def write(self: Any, *given: Any, **options: Any) -> None:
        if len(given) != 2 or not _are_default(options) or not _write(self, kind.planner, *given):
            _originals[kind.writer](self, *given, **options)

    return write


METHODS = {
    name: method
    for kind in KINDS
    for name, method in ((kind.reader, _reading(kind)), (kind.writer, _writing(kind)))
}


def replace_methods() -> None:
    """Let zchunk read and write whole selections of `zarr.Array`."""
    for name, method in METHODS.items():
        now = vars(zarr.Array)[name]
        if now is not method:
            _originals[name] = now
            setattr(zarr.Array, name, functools.update_wrapper(method, now))


def restore_methods() -> None:
    """Undo `replace_methods`, but for methods that another library has replaced since."""
    for name, method in METHODS.items():
        if vars(zarr.Array)[name] is method:
            setattr(zarr.Array, name, _originals[name])
