"""Selections: what stands between the brackets becomes a `Plan`, the product of its axes."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from zchunk._ext.projection import AxisParts
from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.grid import RegularGrid


class ChunkPart(NamedTuple):
    """Where one chunk meets a selection."""

    coords: tuple[int, ...]
    # The selected items within the chunk, and their place in the memory that has one axis per array axis.
    inner: tuple[slice, ...]
    outer: tuple[slice, ...]
    # The selection covers all of the chunk that lies in the array.
    full: bool


class Plan:
    """A regular selection of a chunked array: per axis a range with positive step.

    Parameters
    ----------
    axes : tuple of tuple
        Per axis ``(start, step, count, chunk, extent)``: the first item, the distance to the next, how many,
        the length of a chunk and of the axis.
    shape : tuple of int
        Of the result: axes that an integer selects are dropped.
    expand : tuple or None
        Index that gives an array of `shape` one axis per array axis, in the order of `axes`; None if it has.
    """

    __slots__ = ("axes", "expand", "shape")

    def __init__(
        self,
        axes: tuple[tuple[int, int, int, int, int], ...],
        shape: tuple[int, ...],
        expand: tuple[Any, ...] | None,
    ) -> None:
        self.axes = axes
        self.shape = shape
        self.expand = expand

    @property
    def size(self) -> int:
        """Number of selected items."""
        return math.prod(self.shape)

    def parts(self) -> Iterator[ChunkPart]:
        """Yield the chunks that hold selected items, the last axis varying fastest."""
        if not self.axes:
            yield ChunkPart((), (), (), True)
            return
        if not self.size:
            return
        # The product keeps its arguments in memory: lists as long as an axis has chunks, never their product.
        for entries in itertools.product(*(_parts(axis) for axis in self.axes)):
            full = True
            inner, outer, coords = [], [], []
            for (_, step, _, chunk, extent), (index, first, place, count) in zip(
                self.axes, entries, strict=True
            ):
                coords.append(index)
                inner.append(slice(first, first + (count - 1) * step + 1, step))
                outer.append(slice(place, place + count))
                full &= count == min(chunk, extent - index * chunk)
            yield ChunkPart(tuple(coords), tuple(inner), tuple(outer), full)


def _parts(axis: tuple[int, int, int, int, int]) -> Sequence[tuple[int, int, int, int]]:
    return cast("Sequence[tuple[int, int, int, int]]", AxisParts(*axis))


def plan_basic(selection: Any, grid: RegularGrid) -> Plan:
    """Return the plan of a basic selection: integers, slices of any step, an Ellipsis.

    Raises
    ------
    BoundsCheckError
        An integer is out of range.
    SelectionError
        There are too many indices, or one is of another kind.
    """
    shape, chunks = grid.shape, grid.chunk_shape
    entries = _entries(selection, len(shape))
    axes = []
    result: list[int] = []
    expand: list[Any] = []
    regular = True
    for axis, (entry, length, chunk) in enumerate(zip(entries, shape, chunks, strict=True)):
        if isinstance(entry, slice):
            start, step, count = _normalize_slice(entry, length)
            if step > 0:
                expand.append(_ALL)
            else:
                # The same items from the other end, put into the output backwards.
                start, step = start + (count - 1) * step if count else 0, -step
                expand.append(_REVERSED)
                regular = False
            axes.append((start, step, count, chunk, length))
            result.append(count)
        else:
            axes.append((_normalize_integer(entry, length, axis), 1, 1, chunk, length))
            expand.append(None)
            regular = False
    return Plan(tuple(axes), tuple(result), None if regular else tuple(expand))


_ALL = slice(None)
_REVERSED = slice(None, None, -1)


def _entries(selection: Any, ndim: int) -> list[Any]:
    """Return one entry per axis: the Ellipsis, or what is missing at the end, stands for whole axes."""
    entries = list(selection) if isinstance(selection, tuple) else [selection]
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(dots) > 1:
        raise SelectionError("a selection has at most one Ellipsis (...)")
    given = len(entries) - len(dots)
    if given > ndim:
        raise SelectionError(f"too many indices: the array has {ndim} dimensions, the selection {given}")
    at = dots[0] if dots else len(entries)
    return entries[:at] + [_ALL] * (ndim - given) + entries[at + len(dots) :]


def _normalize_slice(entry: slice, length: int) -> tuple[int, int, int]:
    """Return start, step and count of a slice of an axis, as Python's sequences mean it."""
    try:
        if entry == _ALL:
            return 0, 1, length
        start, stop, step = entry.indices(length)
    except (TypeError, ValueError) as err:
        raise SelectionError(f"{entry!r} is no slice of integers: {err}") from None
    count = len(range(start, stop, step))
    # A step beyond the axis selects one item, whatever its size; the kernels compute in 64 bits.
    if count <= 1:
        step = 1 if step > 0 else -1
    return start if count else 0, step, count


def _normalize_integer(entry: Any, length: int, axis: int) -> int:
    """Return an index from 0 to `length` - 1."""
    if isinstance(entry, bool) or not hasattr(type(entry), "__index__"):
        raise SelectionError(
            f"index {entry!r:.80} of type {type(entry).__name__} for axis {axis}: basic selections are "
            "made of integers, slices and an Ellipsis"
        )
    try:
        index = operator.index(entry)
    except TypeError as err:
        raise SelectionError(f"index {entry!r:.80} for axis {axis}: {err}") from None
    if not -length <= index < length:
        raise BoundsCheckError(f"index {index} is out of bounds for axis {axis} of length {length}")
    return index + length if index < 0 else index
