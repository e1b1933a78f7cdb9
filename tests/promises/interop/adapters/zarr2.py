"""zarr 2.18: format 2."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import zarr


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items."""
    document = case.document()
    if case.path:
        zarr.open_group(store, mode="w").attrs.update(case.group)
    filters = [numcodecs.get_codec(config) for config in document["filters"] or []]
    has_objects = case.dtype is None
    fill = None if case.fill == "null" else case.fill_item
    array = zarr.create(
        case.shape,
        chunks=case.chunks,
        dtype=object if has_objects else _dtype(document["dtype"]),
        compressor=document["compressor"] and numcodecs.get_codec(document["compressor"]),
        filters=filters[has_objects:] or None,
        object_codec=filters[0] if has_objects else None,
        order=case.order,
        fill_value=fill,
        dimension_separator=case.separator,
        store=store,
        path=case.path or None,
    )
    array.attrs.update(case.attributes)
    array[...] = items
    if case.consolidated:
        zarr.consolidate_metadata(store)


def _dtype(described: Any) -> np.dtype[Any]:
    return np.dtype([tuple(field) for field in described] if isinstance(described, list) else described)


def _open(store: str, case: Any) -> Any:
    if case.consolidated:
        return zarr.open_consolidated(store, mode="r+")[case.path]
    return zarr.open_array(store, mode="r+", path=case.path)


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    array = _open(store, case)
    return np.asarray(array[... if box is None else box], array.dtype)


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    _open(store, case)[box or ...] = items


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    group = zarr.open_group(store, mode="r").attrs.asdict() if case.path else None
    return _open(store, case).attrs.asdict(), group
