"""The regions by which an array is read and written, so that they fit in memory; nothing is read here.

An array is rechunked by regions: boxes of whole source chunks are read, boxes of whole target chunks written.
Where one region can be both, nothing else is needed; nor where regions of target chunks need only few source
chunks more than once, if that is cheap. Otherwise the items pass through an intermediate copy, in two stages:
tasks read regions of source chunks and cut them into pieces, one for each region of target chunks that they
meet; then tasks put those regions together from their pieces. That is the method of the Rechunker package,
with one difference: pieces need not have the same shape, so chunks whose lengths have no common divisor cost
no more than others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zchunk.spec.regular_grid import RegularGrid

Shape = tuple[int, ...]
Box = tuple[slice, ...]

# Shares of the memory that are kept for pieces; the first one that is enough for all threads is used.
_SHARES = (8, 4, 2)
_MANY = 4096


class Plan(NamedTuple):
    """The regions of the stages.

    Attributes
    ----------
    read, write : RegularGrid
        Regions that are read from the source, and written to the target.
    copies : int
        How many pieces may be in memory in addition to a region; 0 without an intermediate copy.
    """

    read: RegularGrid
    write: RegularGrid
    copies: int

    @property
    def direct(self) -> bool:
        """Whether there is only one stage."""
        return not self.copies

    @property
    def stages(self) -> tuple[RegularGrid, ...]:
        """The regions of every stage."""
        return (self.write,) if self.direct else (self.read, self.write)

    @property
    def items(self) -> int:
        """Most items that a task holds."""
        read, write = self.read.chunk_shape, self.write.chunk_shape
        piece = math.prod(map(min, read, write))
        return max(math.prod(read), math.prod(write)) + self.copies * piece


def make_plan(
    shape: Shape,
    source: Sequence[int],
    target: Sequence[int],
    items: int,
    threads: int,
    enough: int,
    reads: float = 1,
    run: int = 0,
) -> Plan:
    """Return the regions by which an array is rechunked.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    source, target : sequence of int
        Lengths of a source chunk, which is read as a whole, and of a target chunk or shard.
    items : int
        Most items in memory.
    threads : int
        How many pieces are best in memory in addition to a region.
    enough : int
        A region of so many items need not be larger, if there is only one stage.
    reads : float, optional
        How often items may be read, on average, to avoid an intermediate copy.
    run : int, optional
        So many consecutive items of a source chunk can be read without the rest of it. By default a chunk is
        read as a whole.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        No plan takes so little memory.
    """
    source, target = (tuple(map(_within, shape, chunks)) for chunks in (source, target))
    both = tuple(map(_common, shape, source, target))
    if math.prod(both) <= items:
        region = RegularGrid(shape, _grown(both, shape, [shape], min(items, enough)))
        return Plan(region, region, 0)
    for room in (min(items, enough), items):
        lengths = _grown(target, shape, [shape], room)
        if math.prod(lengths) <= items and reads_of(shape, source, lengths, run) <= reads:
            return Plan(RegularGrid(shape, lengths), RegularGrid(shape, lengths), 0)
    for share in _SHARES:
        # First along axes where the other chunks are long: pieces are what two regions have in common.
        room = items - items // share
        read = _grown(source, shape, [target, shape], room)
        plan = _of_two(shape, read, _grown(target, shape, [read, shape], room), items, threads)
        if plan is not None and (plan.copies >= threads or share == _SHARES[-1]):
            return plan
    plan = _of_two(shape, source, target, items, threads)
    if plan is None:
        raise ValueError(f"{items} items are too few; {least_items(shape, source, target)} are needed")
    return plan


def least_items(shape: Shape, source: Sequence[int], target: Sequence[int]) -> int:
    """Return how many items `make_plan` must be allowed at least."""
    source, target = (tuple(map(_within, shape, chunks)) for chunks in (source, target))
    both = math.prod(map(_common, shape, source, target))
    return min(both, max(math.prod(source), math.prod(target)) + math.prod(map(min, source, target)))


def reads_of(shape: Shape, source: Sequence[int], region: Sequence[int], run: int = 0) -> float:
    """Return how often items are read, on average, if each region reads the source chunks that it meets."""
    if run:
        # The consecutive items of a chunk: whole axes, and a part of the axis before them.
        found = 1
        for chunk, length in zip(reversed(source), reversed(region), strict=True):
            found *= min(chunk, length)
            if length < chunk:
                break
        if found >= run:
            return 1
    return math.prod(map(_reads_along, shape, source, region))


def _reads_along(n: int, chunk: int, length: int) -> float:
    if length >= n:
        return 1
    # What holds for so many regions holds for more.
    stop = min(n, length * _MANY)
    ends = ((a // chunk * chunk, min(_up(min(a + length, n), chunk), n)) for a in range(0, stop, length))
    return sum(b - a for a, b in ends) / stop


def _within(length: int, chunk: int) -> int:
    """Return the length of a chunk along an axis of this length, without the part beyond the array."""
    return max(min(length, chunk), 1)


def _common(length: int, a: int, b: int) -> int:
    """Return the shortest length along an axis that is whole chunks of both kinds; all of the axis is."""
    return _within(length, math.lcm(a, b))


def _of_two(shape: Shape, read: Shape, write: Shape, items: int, threads: int) -> Plan | None:
    """Return the plan with an intermediate copy, None if it does not fit."""
    room = items - max(math.prod(read), math.prod(write))
    copies = min(threads, room // math.prod(map(min, read, write)))
    return Plan(RegularGrid(shape, read), RegularGrid(shape, write), copies) if copies > 0 else None


def _grown(unit: Shape, shape: Shape, limits: Sequence[Shape], items: int) -> Shape:
    """Return lengths of a region of whole units, as long as `items` allows.

    Along each axis it is no longer than needed to cover the limits, the first of them first.
    """
    lengths = list(unit)
    for limit in limits:
        # First along the last axis, where items are consecutive.
        for axis in reversed(range(len(shape))):
            others = math.prod(lengths) // lengths[axis]
            n, u = shape[axis], unit[axis]
            fit = n if items // others >= n else items // others // u * u
            wanted = min(fit, n if limit[axis] >= n else _up(limit[axis], u))
            if wanted > lengths[axis]:
                # The same number of regions, of about the same length.
                regions = -(-n // wanted)
                lengths[axis] = min(_up(-(-n // regions), u), wanted)
    return tuple(lengths)


def _up(length: int, unit: int) -> int:
    return -(-length // unit) * unit


def box_of(grid: RegularGrid, number: int) -> Box:
    """Return the part of the array that the region of this number is, in C order."""
    coords = []
    for count in reversed(grid.cdata_shape):
        number, coord = divmod(number, count)
        coords.append(coord)
    return _box(grid, tuple(reversed(coords)))


def _box(grid: RegularGrid, coords: Sequence[int]) -> Box:
    lengths = zip(coords, grid.chunk_shape, grid.shape, strict=True)
    return tuple(slice(i * c, min((i + 1) * c, n)) for i, c, n in lengths)


def meeting(grid: RegularGrid, box: Box) -> tuple[int, Iterator[tuple[int, Box]]]:
    """Return how many regions or chunks of a grid have items in a box that is not empty, and which.

    Returns
    -------
    count : int
        How many there are.
    each : iterator
        Yields the number of each in C order, and its part of the box.
    """
    ranges = [range(s.start // c, -(-s.stop // c)) for s, c in zip(box, grid.chunk_shape, strict=True)]
    return math.prod(map(len, ranges)), _each(grid, box, ranges)


def _each(grid: RegularGrid, box: Box, ranges: list[range]) -> Iterator[tuple[int, Box]]:
    counts = grid.cdata_shape
    for coords in itertools.product(*ranges):
        number = 0
        for coord, count in zip(coords, counts, strict=True):
            number = number * count + coord
        yield number, common(box, _box(grid, coords))


def common(a: Box, b: Box) -> Box:
    """Return what two boxes that meet have in common."""
    pairs = zip(a, b, strict=True)
    return tuple(slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in pairs)


def within(box: Box, outer: Box) -> Box:
    """Return the place of a box in another one, counted from its corner."""
    pairs = zip(box, outer, strict=True)
    return tuple(slice(p.start - q.start, p.stop - q.start) for p, q in pairs)


def shape_of(box: Box) -> Shape:
    """Return the lengths of a box."""
    return tuple(s.stop - s.start for s in box)
