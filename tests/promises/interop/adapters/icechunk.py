"""Icechunk: a repository of versions, in which zarr 3 and zchunk have arrays of format 3."""

from __future__ import annotations

from typing import Any

import icechunk
import numpy as np
import zarr


def _repository(store: str, create: bool = False) -> Any:
    storage = icechunk.local_filesystem_storage(store)
    # The older specification, which icechunk 1 has too.
    return (
        icechunk.Repository.create(storage, spec_version=1) if create else icechunk.Repository.open(storage)
    )


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items in one commit."""
    session = _repository(store, create=True).writable_session("main")
    document = case.document()
    if case.path:
        zarr.open_group(session.store, mode="a", zarr_format=3, attributes=case.group)
    name = f"{case.path}/zarr.json" if case.path else "zarr.json"
    _put(session.store, name, {**document, "attributes": case.attributes})
    _open(session.store, case)[...] = items
    session.commit("written")


def _put(store: Any, name: str, document: dict[str, Any]) -> None:
    metadata = zarr.core.metadata.ArrayV3Metadata.from_dict(document)
    made = metadata.to_buffer_dict(zarr.core.buffer.default_buffer_prototype())
    zarr.core.sync.sync(store.set(name, made["zarr.json"]))


def _open(store: Any, case: Any, mode: Any = "r+") -> Any:
    return zarr.open_array(store, path=case.path, mode=mode, zarr_format=3)


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box, of the last commit."""
    session = _repository(store).readonly_session("main")
    found = _open(session.store, case, "r")[... if box is None else box]
    if case.dtype is None:
        return np.asarray(found, object)
    return np.asarray(found, case.dtype if case.dtype.kind in "SU" else None)


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box in one commit."""
    session = _repository(store).writable_session("main")
    _open(session.store, case)[box or ...] = items
    if session.has_uncommitted_changes:
        session.commit("changed")


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    session = _repository(store).readonly_session("main")
    group = zarr.open_group(session.store, mode="r", zarr_format=3).attrs.asdict() if case.path else None
    return _open(session.store, case, "r").attrs.asdict(), group
