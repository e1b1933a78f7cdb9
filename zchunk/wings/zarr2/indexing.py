"""zarr 2.18's public helpers for selections: what kind they are of, and `oindex` and the like as classes.

zchunk plans selections otherwise (`zchunk.indexing.plans`); programs import these from there.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zchunk.errors import ArrayIndexError, BoundsCheckError, NegativeStepError, SelectionError
from zchunk.indexing.fields import field_dtype
from zchunk.indexing.plans import replace_ellipsis

__all__ = [
    "ArrayIndexError",
    "BlockIndex",
    "NegativeStepError",
    "OIndex",
    "PartialChunkIterator",
    "VIndex",
    "boundscheck_indices",
    "ceildiv",
    "check_fields",
    "check_no_multi_fields",
    "check_selection_length",
    "ensure_tuple",
    "is_basic_selection",
    "is_bool_array",
    "is_contiguous_selection",
    "is_contiguous_slice",
    "is_coordinate_selection",
    "is_integer",
    "is_integer_array",
    "is_integer_list",
    "is_mask_selection",
    "is_positive_slice",
    "is_pure_fancy_indexing",
    "is_pure_orthogonal_indexing",
    "is_scalar",
    "is_slice",
    "is_total_slice",
    "ix_",
    "make_slice_selection",
    "replace_lists",
    "slice_to_range",
    "wraparound_indices",
]


class OIndex:
    """Orthogonal selections of an array in brackets, as `Array.oindex`."""

    _kind = "oindex"

    def __init__(self, array: object) -> None:
        self.array = array

    def __getitem__(self, selection: object) -> Any:
        return getattr(self.array, self._kind)[selection]

    def __setitem__(self, selection: object, value: object) -> None:
        getattr(self.array, self._kind)[selection] = value


class VIndex(OIndex):
    """Points or a mask of an array in brackets, as `Array.vindex`."""

    _kind = "vindex"


class BlockIndex(OIndex):
    """Whole chunks of an array in brackets, as `Array.blocks`."""

    _kind = "blocks"


def is_integer(x: object) -> bool:
    """Whether `x` is an integer of Python or NumPy. A bool is one."""
    return isinstance(x, numbers.Integral)


def is_integer_list(x: object) -> bool:
    """Whether `x` is a list that begins with an integer."""
    return isinstance(x, list) and len(x) > 0 and is_integer(x[0])


def is_integer_array(x: object, ndim: int | None = None) -> bool:
    """Whether `x` is an array of integers, with `ndim` axes if that is given."""
    return not np.isscalar(x) and _is_array(x, "ui", ndim)


def is_bool_array(x: object, ndim: int | None = None) -> bool:
    """Whether `x` is an array of bool, with `ndim` axes if that is given."""
    return _is_array(x, "b", ndim)


def _is_array(x: object, kinds: str, ndim: int | None) -> bool:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        return False
    return x.dtype.kind in kinds and ndim in (None, len(x.shape))


def is_scalar(value: object, dtype: np.dtype[Any]) -> bool:
    """Whether `value` is one item of an array of `dtype`."""
    if np.isscalar(value):
        return True
    if isinstance(value, tuple) and dtype.names:
        return len(value) == len(dtype.names)
    return dtype.kind == "O" and not isinstance(value, np.ndarray)


def is_slice(s: object) -> bool:
    """Whether `s` is a slice."""
    return isinstance(s, slice)


def is_contiguous_slice(s: object) -> bool:
    """Whether `s` is a slice without a step, or with the step 1."""
    return isinstance(s, slice) and s.step in (None, 1)


def is_positive_slice(s: object) -> bool:
    """Whether `s` is a slice that goes forwards."""
    return isinstance(s, slice) and (s.step is None or s.step >= 1)


def is_contiguous_selection(selection: object) -> bool:
    """Whether all entries are arrays of integers, slices without a step, or an Ellipsis."""
    entries = ensure_tuple(selection)
    return all(is_integer_array(e) or is_contiguous_slice(e) or e is Ellipsis for e in entries)


def is_basic_selection(selection: object) -> bool:
    """Whether all entries are integers or slices that go forwards."""
    return all(is_integer(e) or is_positive_slice(e) for e in ensure_tuple(selection))


def is_pure_fancy_indexing(selection: object, ndim: int) -> bool:
    """Whether it is an integer or integers for each of `ndim` axes, several along one of them at least."""
    if ndim == 1 and _is_integers(selection):
        return True
    if not isinstance(selection, tuple) or len(selection) != ndim:
        return False
    return any(map(_is_integers, selection)) and all(is_integer(e) or _is_integers(e) for e in selection)


def is_pure_orthogonal_indexing(selection: object, ndim: int) -> bool:
    """Whether it is integers along one axis at most, and slices or an integer along the others."""
    if ndim and (is_integer_list(selection) or is_integer_array(selection, 1)):
        return True
    if not ndim or not isinstance(selection, tuple) or len(selection) != ndim:
        return False
    others = [e for e in selection if not _is_integers(e)]
    return ndim - len(others) <= 1 and all(isinstance(e, int | slice) for e in others)


def _is_integers(x: object) -> bool:
    return is_integer_list(x) or is_integer_array(x)


def is_coordinate_selection(selection: Any, array: Any) -> bool:
    """Whether there is an integer, or an array of them, for each axis of `array`."""
    entries = ensure_tuple(selection)
    return len(entries) == len(array.shape) and all(is_integer(e) or is_integer_array(e) for e in entries)


def is_mask_selection(selection: Any, array: Any) -> bool:
    """Whether it is one array of bool, of the shape of `array`."""
    entries = ensure_tuple(selection)
    return len(entries) == 1 and is_bool_array(entries[0]) and entries[0].shape == array.shape


def is_total_slice(item: object, shape: tuple[int, ...]) -> bool:
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


def ensure_tuple(v: object) -> tuple[Any, ...]:
    """Return a selection as a tuple of its entries."""
    return v if isinstance(v, tuple) else (v,)


def replace_lists(selection: Any) -> tuple[Any, ...]:
    """Return the entries of a selection, arrays in place of lists."""
    return tuple(np.asarray(e) if isinstance(e, list) else e for e in selection)


def slice_to_range(s: slice, l: int) -> range:  # noqa: E741
    """Return the positions that a slice selects along an axis of length `l`."""
    return range(*s.indices(l))


def ix_(selection: object, shape: tuple[int, ...]) -> tuple[np.ndarray[Any, Any], ...]:
    """Return NumPy's form of an orthogonal selection, as `numpy.ix_`, of an array of `shape`."""
    entries = replace_ellipsis(selection, shape)
    return np.ix_(*(np.atleast_1d(np.arange(n)[e]) for e, n in zip(entries, shape, strict=True)))


def check_fields(fields: object, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of some fields of `dtype`; None is all of them."""
    return dtype if fields is None else field_dtype(fields, dtype)


def check_no_multi_fields(fields: object) -> Any:
    """Return the one field of a list; `SelectionError` if there are several. What is no list is as it is."""
    if not isinstance(fields, list) or not fields:
        return fields
    if len(fields) > 1:
        raise SelectionError(f"one field at a time, not {fields!r:.80}")
    return fields[0]


def check_selection_length(selection: Sequence[Any], shape: tuple[int, ...]) -> None:
    """Raise `SelectionError` if a selection has more entries than an array of `shape` has axes."""
    if len(selection) > len(shape):
        raise SelectionError(f"{len(selection)} entries select of an array of {len(shape)} dimensions")


def wraparound_indices(x: np.ndarray[Any, Any], dim_len: int) -> None:
    """Count those positions in an array from the beginning of an axis that are counted from its end."""
    x[x < 0] += dim_len


def boundscheck_indices(x: np.ndarray[Any, Any], dim_len: int) -> None:
    """Raise `BoundsCheckError` unless all positions are in an axis of length `dim_len`."""
    if np.any((x < 0) | (x >= dim_len)):
        raise BoundsCheckError(f"a position is out of bounds for an axis of length {dim_len}")


def make_slice_selection(selection: Iterable[Any]) -> list[Any]:
    """Return the entries of a selection, slices of length 1 in place of integers and of arrays of one."""
    entries = []
    for entry in selection:
        if isinstance(entry, np.ndarray) and entry.ndim:
            if len(entry) != 1:
                raise ArrayIndexError(f"an array of {len(entry)} positions is no slice")
            entry = entry[0]
        if is_integer(entry) or isinstance(entry, np.ndarray):
            entry = slice(int(entry), int(entry) + 1, 1)
        entries.append(entry)
    return entries


class PartialChunkIterator:
    """The runs of items, in the order of memory, that a selection takes of a chunk in C order.

    Parameters
    ----------
    selection : sequence of slices and integers
        What is wanted of the chunk; whole axes where there is no entry at the end.
    arr_shape : tuple of int
        Shape of the chunk.

    Yields
    ------
    start, nitems : int
        Where a run begins in the flattened chunk, and its length; all are equally long.
    out_selection : tuple of slices
        What the run is in the chunk.
    """

    def __init__(self, selection: Iterable[Any], arr_shape: tuple[int, ...]) -> None:
        self.arr_shape = arr_shape
        entries = make_slice_selection(selection)
        if len(entries) > len(arr_shape):
            raise ValueError(f"{len(entries)} entries select of a chunk of {len(arr_shape)} dimensions")
        if not all(map(is_positive_slice, entries)):
            raise NegativeStepError
        ranges = [slice_to_range(e, n) for e, n in zip(entries, arr_shape, strict=False)]
        # Whole axes at the end belong to the runs.
        while len(ranges) > 1 and len(ranges[-1]) == arr_shape[len(ranges) - 1]:
            ranges.pop()
        found = [[slice(i, i + 1, 1) for i in r] for r in ranges]
        if ranges and ranges[-1].step == 1:
            found[-1] = [slice(ranges[-1].start, ranges[-1].stop, 1)] if ranges[-1] else []
        self.chunk_loc_slices = list(itertools.product(*found))

    def __iter__(self) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
        shape = self.arr_shape
        for part in self.chunk_loc_slices:
            start = sum(s.start * math.prod(shape[axis + 1 :]) for axis, s in enumerate(part))
            last = part[-1].stop - part[-1].start if part else 1
            yield start, last * math.prod(shape[len(part) :]), part
