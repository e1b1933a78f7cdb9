"""TensorStore: both formats, arrays alone; it knows no groups and no attributes."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore


def _spec(store: str, case: Any) -> dict[str, Any]:
    driver = "zarr" if case.format == 2 else "zarr3"
    return {"driver": driver, "kvstore": {"driver": "file", "path": str(Path(store, case.path))}}


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the array, and assign all items."""
    metadata = case.document()
    if case.format == 3:
        metadata["attributes"] = case.attributes
    tensorstore.open({**_spec(store, case), "metadata": metadata}, create=True).result()
    change(store, case, None, items)


def _open(store: str, case: Any, **more: Any) -> Any:
    return tensorstore.open({**_spec(store, case), **more}, open=True).result()


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    if not case.dtype.names:
        return _items(_open(store, case), box, case.dtype)
    fields = {n: _items(_open(store, case, field=n), box, case.dtype[n]) for n in case.dtype.names}
    out = np.zeros(next(iter(fields.values())).shape, case.dtype)
    for name, found in fields.items():
        out[name] = found
    return out


def _items(array: Any, box: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    found = (array if box is None else array[box]).read(order="C").result()
    if dtype.kind not in "SV":
        return np.asarray(found)
    # One more axis of single bytes, which NumPy gets with item size 0: the memory is what counts.
    raw = ctypes.string_at(found.ctypes.data, math.prod(found.shape))
    return np.frombuffer(raw, dtype).reshape(found.shape[:-1])


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    if case.dtype.kind in "SV":
        raise NotImplementedError("items of several bytes, which have one more axis there, or fields")
    array = _open(store, case)
    array[box or ...] = items.view(array.dtype.numpy_dtype) if items.dtype.kind == "u" else items


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """None: it keeps attributes, but shows none."""
    return None, None
