"""Boxes: rectangular parts of an array, by where they begin and how long they are along every axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple


class Box(NamedTuple):
    """A part of an array.

    Parameters
    ----------
    start, shape : tuple of int
        Its first item, and its length along every axis.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def stop(self) -> tuple[int, ...]:
        """The first position after it along every axis."""
        return tuple([first + length for first, length in zip(self.start, self.shape, strict=True)])

    @property
    def size(self) -> int:
        """How many items are in it."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """It as a selection of the array."""
        return tuple([slice(first, last) for first, last in zip(self.start, self.stop, strict=True)])

    def within(self, other: Box) -> tuple[slice, ...]:
        """Return it as a selection of an array that holds `other` alone."""
        moved = zip(self.start, self.shape, other.start, strict=True)
        return tuple([slice(first - base, first - base + length) for first, length, base in moved])

    def overlap(self, other: Box) -> Box:
        """Return what lies in both; a length is 0 if nothing does."""
        start = tuple(map(max, self.start, other.start))
        stops = map(min, self.stop, other.stop)
        return Box(start, tuple([max(last - first, 0) for first, last in zip(start, stops, strict=True)]))


def whole(shape: tuple[int, ...]) -> Box:
    """Return the box of a whole array."""
    return Box((0,) * len(shape), shape)


def cell(coords: Iterable[int], lengths: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """Return the cell at `coords` of a grid of cells of these lengths, as far as it lies in the array."""
    start = tuple([coord * length for coord, length in zip(coords, lengths, strict=True)])
    return Box(start, lengths).overlap(whole(shape))


def cells(box: Box, lengths: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    """Return the coordinates of the cells that a box touches."""
    if not box.size:
        return ()
    touched = zip(box.start, box.stop, lengths, strict=True)
    return product(*[range(first // length, -(-last // length)) for first, last, length in touched])
