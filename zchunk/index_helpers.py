"""zarr 2.18's public helpers for selections: what kind they are of, and `oindex` and the like as classes.

zchunk plans selections otherwise (`zchunk.indexing`); programs import these from there.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from zchunk.errors import ArrayIndexError, NegativeStepError
from zchunk.indexing import field_dtype, replace_ellipsis

__all__ = [
    "ArrayIndexError",
    "BlockIndex",
    "NegativeStepError",
    "OIndex",
    "VIndex",
    "ceildiv",
    "check_fields",
    "ensure_tuple",
    "is_basic_selection",
    "is_bool_array",
    "is_contiguous_slice",
    "is_coordinate_selection",
    "is_integer",
    "is_integer_array",
    "is_integer_list",
    "is_mask_selection",
    "is_positive_slice",
    "is_scalar",
    "is_slice",
    "is_total_slice",
    "ix_",
    "replace_lists",
    "slice_to_range",
]


class OIndex:
    """Orthogonal selections of an array in brackets, as `Array.oindex`."""

    _kind = "oindex"

    def __init__(self, array: Any) -> None:
        self.array = array

    def __getitem__(self, selection: Any) -> Any:
        return getattr(self.array, self._kind)[selection]

    def __setitem__(self, selection: Any, value: Any) -> None:
        getattr(self.array, self._kind)[selection] = value


class VIndex(OIndex):
    """Points or a mask of an array in brackets, as `Array.vindex`."""

    _kind = "vindex"


class BlockIndex(OIndex):
    """Whole chunks of an array in brackets, as `Array.blocks`."""

    _kind = "blocks"


def is_integer(x: Any) -> bool:
    """Whether `x` is an integer of Python or NumPy. A bool is one."""
    return isinstance(x, numbers.Integral)


def is_integer_list(x: Any) -> bool:
    """Whether `x` is a list that begins with an integer."""
    return isinstance(x, list) and len(x) > 0 and is_integer(x[0])


def is_integer_array(x: Any, ndim: int | None = None) -> bool:
    """Whether `x` is an array of integers, with `ndim` axes if that is given."""
    return not np.isscalar(x) and _is_array(x, "ui", ndim)


def is_bool_array(x: Any, ndim: int | None = None) -> bool:
    """Whether `x` is an array of bool, with `ndim` axes if that is given."""
    return _is_array(x, "b", ndim)


def _is_array(x: Any, kinds: str, ndim: int | None) -> bool:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        return False
    return x.dtype.kind in kinds and ndim in (None, len(x.shape))


def is_scalar(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether `value` is one item of an array of `dtype`."""
    if np.isscalar(value):
        return True
    if isinstance(value, tuple) and dtype.names:
        return len(value) == len(dtype.names)
    return dtype.kind == "O" and not isinstance(value, np.ndarray)


def is_slice(s: Any) -> bool:
    """Whether `s` is a slice."""
    return isinstance(s, slice)


def is_contiguous_slice(s: Any) -> bool:
    """Whether `s` is a slice without a step, or with the step 1."""
    return isinstance(s, slice) and s.step in (None, 1)


def is_positive_slice(s: Any) -> bool:
    """Whether `s` is a slice that goes forwards."""
    return isinstance(s, slice) and (s.step is None or s.step >= 1)


def is_basic_selection(selection: Any) -> bool:
    """Whether all entries are integers or slices that go forwards."""
    return all(is_integer(e) or is_positive_slice(e) for e in ensure_tuple(selection))


def is_coordinate_selection(selection: Any, array: Any) -> bool:
    """Whether there is an integer, or an array of them, for each axis of `array`."""
    entries = ensure_tuple(selection)
    return len(entries) == len(array.shape) and all(is_integer(e) or is_integer_array(e) for e in entries)


def is_mask_selection(selection: Any, array: Any) -> bool:
    """Whether it is one array of bool, of the shape of `array`."""
    entries = ensure_tuple(selection)
    return len(entries) == 1 and is_bool_array(entries[0]) and entries[0].shape == array.shape


def is_total_slice(item: Any, shape: tuple[int, ...]) -> bool:
    """Whether a selection of slices, and of the integer 0 along an axis of length 1, is all of `shape`."""
    if item is Ellipsis:
        return True
    if not isinstance(item, slice | tuple):
        raise TypeError(f"expected a slice or a tuple of slices, not {item!r:.80}")
    return all(
        e.indices(length) == (0, length, 1)
        if isinstance(e, slice)
        else is_integer(e) and e == 0 and length == 1
        for e, length in zip(ensure_tuple(item), shape, strict=False)
    )


def ceildiv(a: float, b: float) -> int:
    """Return a quotient, rounded up."""
    return int(-(-a // b))


def ensure_tuple(v: Any) -> tuple[Any, ...]:
    """Return a selection as a tuple of its entries."""
    return v if isinstance(v, tuple) else (v,)


def replace_lists(selection: Any) -> tuple[Any, ...]:
    """Return the entries of a selection, arrays in place of lists."""
    return tuple(np.asarray(e) if isinstance(e, list) else e for e in selection)


def slice_to_range(s: slice, l: int) -> range:  # noqa: E741
    """Return the positions that a slice selects along an axis of length `l`."""
    return range(*s.indices(l))


def ix_(selection: Any, shape: tuple[int, ...]) -> tuple[np.ndarray[Any, Any], ...]:
    """Return NumPy's form of an orthogonal selection, as `numpy.ix_`, of an array of `shape`."""
    entries = replace_ellipsis(selection, shape)
    return np.ix_(*(np.atleast_1d(np.arange(n)[e]) for e, n in zip(entries, shape, strict=True)))


def check_fields(fields: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of some fields of `dtype`; None is all of them."""
    return dtype if fields is None else field_dtype(fields, dtype)
