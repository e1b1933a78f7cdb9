"""zarrista: the Rust library zarrs without zarr-python; reads both formats, writes format 3."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from zarrista import Array, ArrayBytes, Group
from zarrista.store import FilesystemStore


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the array, and assign all items."""
    folder = FilesystemStore(store)
    array = Array.from_metadata({**case.document(), "attributes": case.attributes}, folder, f"/{case.path}")
    array.store_metadata()
    change(store, case, None, items)


def _open(store: str, case: Any) -> Any:
    return Array.open(FilesystemStore(store), f"/{case.path}")


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    array = _open(store, case)
    found = array.retrieve_array_subset(box or ())
    if case.dtype is not None and case.dtype.kind in "VSU":
        return np.frombuffer(found.buffer(), case.dtype).reshape(found.shape)
    found = np.asarray(found.to_numpy())
    return found.astype(object) if case.dtype is None else found


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    _open(store, case).store_array_subset(box or (), _data(case, items))


def _data(case: Any, items: np.ndarray[Any, Any]) -> Any:
    if case.dtype is None:
        texts = [text.encode() if isinstance(text, str) else text for text in items.ravel().tolist()]
        offsets = [0, *itertools.accumulate(map(len, texts))]
        return ArrayBytes(b"".join(texts), offsets=offsets)
    # DLPack has no types for complex numbers, texts and bytes.
    return (
        items.tobytes() if items.dtype.kind in "cSUVmM" else np.ascontiguousarray(items).reshape(items.shape)
    )


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    has_group = case.path and any(Path(store, name).exists() for name in ("zarr.json", ".zgroup"))
    group = Group.open(FilesystemStore(store), "/").attrs if has_group else None
    return dict(_open(store, case).attrs), group
