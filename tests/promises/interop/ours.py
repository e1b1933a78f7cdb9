"""zchunk's side: what an adapter does for another implementation, and more of what is to be true."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

import zchunk
from tests.promises.interop.cases import Case, same_items


def write(store: Any, case: Case, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array by parameters, and assign all items in two pieces."""
    document = case.document()
    if case.path:
        zchunk.open_group(store, mode="w", zarr_format=case.format).attrs.update(case.group)
    fill: Any = None if case.fill == "null" else case.fill_item
    if case.data_type in ("bfloat16", "float8_e5m2"):
        fill = document["fill_value"]
    array = zchunk.create(
        case.shape,
        store=store,
        path=case.path or None,
        fill_value=fill,
        attributes=case.attributes,
        # Others have to know the fill value where no chunk is.
        write_empty_chunks=case.number % 4 == 0,
        zarr_format=case.format,
        **(_format2(case, document) if case.format == 2 else _format3(case, document)),
    )
    items = _as_stored(array, items)
    half = tuple(slice(n // 2) for n in case.shape)
    if half:
        array[half] = items[half]
    array[...] = items
    if case.consolidated:
        zchunk.consolidate_metadata(store)


def _as_stored(array: Any, items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # The bits of small floats travel as unsigned integers, and are no numbers.
    small = array.dtype.name in ("bfloat16", "float8_e5m2")
    return items.view(array.dtype) if small else items


def _format2(case: Case, document: dict[str, Any]) -> dict[str, Any]:
    dtype: Any = document["dtype"]
    filters = document["filters"] or []
    parameters: dict[str, Any] = {}
    if case.dtype is None:
        dtype = object
        parameters["object_codec"], filters = filters[0], filters[1:]
    elif case.dtype.names:
        dtype = [tuple(field) for field in dtype]
    return parameters | {
        "dtype": dtype,
        "chunks": case.chunks,
        "compressor": document["compressor"],
        "filters": filters or None,
        "order": case.order,
        "dimension_separator": case.separator,
    }


def _format3(case: Case, document: dict[str, Any]) -> dict[str, Any]:
    chain = document["codecs"]
    # What comes before the codec that makes bytes of items.
    at = [codec["name"] for codec in chain].index("transpose") + 1 if chain[0]["name"] == "transpose" else 0
    chunks: dict[str, Any] = {"chunks": case.chunks}
    if case.layout == "end":
        # As a program would ask for it.
        chunks = {"chunks": case.inner, "shards": case.chunks}
        chain = chain[0]["configuration"]["codecs"]
        at = int(chain[0]["name"] == "transpose")
    named = {"string": str, "bytes": bytes, "V5": case.dtype, "structured": case.dtype}
    named |= dict.fromkeys(("bfloat16", "float8_e5m2", "r24"), case.data_type)
    return chunks | {
        "dtype": named.get(case.data_type, case.data_type),
        "filters": chain[:at],
        "serializer": chain[at],
        "compressors": chain[at + 1 :],
        "chunk_key_encoding": (case.encoding, case.separator),
        "dimension_names": document.get("dimension_names"),
    }


def _open(store: Any, case: Case, mode: Any) -> Any:
    if case.consolidated:
        return zchunk.open_consolidated(store, mode=mode)[case.path]
    return zchunk.open_array(store, mode=mode, path=case.path or None)


def read(store: Any, case: Case, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box; `AssertionError` where the metadata say something else than the case."""
    array = _open(store, case, "r")
    found = np.asarray(array[... if box is None else box])
    if case.dtype is not None:
        wanted = case.dtype
        if found.dtype.name in ("bfloat16", "float8_e5m2"):
            found = found.view(wanted)
        assert found.dtype.newbyteorder("=") == wanted, f"data type {found.dtype}"
        found = found.astype(wanted, copy=False)
    assert array.shape == case.shape, f"shape {array.shape}"
    return found


def check_fill(store: Any, case: Case) -> None:
    """Refuse, as `AssertionError`, a fill value that is not that of the case."""
    array = _open(store, case, "r")
    found, wanted = array.fill_value, None if case.fill == "null" else case.fill_item
    assert (found is None) == (wanted is None), f"fill value {found!r}, not {wanted!r}"
    if wanted is not None and case.dtype is not None:
        found = np.asarray(found)
        if found.dtype.name in ("bfloat16", "float8_e5m2"):
            found = found.view(case.dtype)
        found = found.astype(case.dtype)
        assert same_items(found, np.asarray(wanted, case.dtype)), f"fill value {found!r}, not {wanted!r}"
    elif wanted is not None:
        assert found == wanted, f"fill value {found!r}, not {wanted!r}"


def change(store: Any, case: Case, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    array = _open(store, case, "r+")
    array[box or ...] = _as_stored(array, items)


def attributes(store: Any, case: Case, group: bool) -> tuple[Any, Any]:
    """Those of the array and of the root group, if it is asked for."""
    found = zchunk.open_group(store, mode="r").attrs.asdict() if case.path and group else None
    return _open(store, case, "r").attrs.asdict(), found


@contextlib.contextmanager
def place(adapter: str, path: str) -> Iterator[Any]:
    """What zchunk stores into and reads from: the folder, or a session of the repository in it."""
    if adapter != "icechunk":
        yield path
        return
    # It warns of each repository in a folder.
    os.environ.setdefault("ICECHUNK_LOG", "error")
    icechunk = importlib.import_module("icechunk")
    storage = icechunk.local_filesystem_storage(path)
    exists = icechunk.Repository.exists(storage)
    repository = icechunk.Repository.open(storage) if exists else icechunk.Repository.create(storage)
    session = repository.writable_session("main")
    yield session.store
    if session.has_uncommitted_changes:
        session.commit("by zchunk")
