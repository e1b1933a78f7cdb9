"""Names of zarr 2's module ``util``."""

from __future__ import annotations

import keyword
from contextlib import nullcontext
from typing import Any

import numpy as np

from zchunk.codecs.objects import object_dtype
from zchunk.core.info import InfoReporter
from zchunk.hierarchy.tree import TreeViewer
from zchunk.spec.dtypes import check_dtype
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.keys import normalize_path as normalize_storage_path
from zchunk.spec.regular_grid import guess_chunks, normalize_chunks, normalize_shape
from zchunk.storage.checks import check_separator as normalize_dimension_separator
from zchunk.wings.zarr2.indexing import is_total_slice
from zchunk.wings.zarr2.metadata import json_dumps, json_loads

__all__ = [
    "InfoReporter",
    "NoLock",
    "TreeViewer",
    "buffer_size",
    "guess_chunks",
    "human_readable_size",
    "is_total_slice",
    "is_valid_python_name",
    "json_dumps",
    "json_loads",
    "nolock",
    "normalize_chunks",
    "normalize_dimension_separator",
    "normalize_dtype",
    "normalize_fill_value",
    "normalize_order",
    "normalize_resize_args",
    "normalize_shape",
    "normalize_storage_path",
]

# In place of a lock where none is needed.
NoLock = nullcontext
nolock = NoLock()


def buffer_size(v: Any) -> int:
    """Return the number of bytes of a bytes-like object."""
    return memoryview(v).nbytes


def human_readable_size(size: float) -> str:
    """Return a number of bytes with its binary unit: ``54.7K``."""
    if size < 1024:
        return str(size)
    power = next((n for n in range(1, 5) if size < 1024 ** (n + 1)), 5)
    return f"{size / 1024**power:.1f}{'KMGTP'[power - 1]}"


def is_valid_python_name(name: str) -> bool:
    """Whether `name` can be an attribute that is written after a dot."""
    return name.isidentifier() and not keyword.iskeyword(name)


def normalize_dtype(dtype: object, object_codec: object) -> tuple[np.dtype[Any], Any]:
    """Return the dtype that a user means, and the codec of its objects, None if it has none."""
    found, codec = object_dtype(dtype, object_codec)
    found = np.dtype(found)
    check_dtype(found)
    return found, codec


def normalize_order(order: str) -> str:
    """Return the layout of the items in a chunk, ``"C"`` or ``"F"``; `ValueError` for any other."""
    found = str(order).upper()
    if found not in ("C", "F"):
        raise ValueError(f"order is {order!r}, not 'C' or 'F'")
    return found


def normalize_resize_args(old_shape: tuple[int, ...], *args: Any) -> tuple[int, ...]:
    """Return the shape that the arguments of `Array.resize` mean; None keeps the length of an axis."""
    wanted = args[0] if len(args) == 1 else args
    lengths = tuple(wanted) if np.iterable(wanted) else (wanted,)
    if len(lengths) != len(old_shape):
        raise ValueError(f"the new shape {lengths} must have as many dimensions as {old_shape}")
    return normalize_shape(o if n is None else n for o, n in zip(old_shape, lengths, strict=True))
