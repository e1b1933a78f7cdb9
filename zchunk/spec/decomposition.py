"""Decomposition: which part of an array is for which process, so that no two share a stored object.

What processes must not share is the object that is replaced as a whole: the shard where there are shards,
else the chunk. Of two that write different parts of one at the same time, one loses what it wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Grid

# Of an array: a slice without a step per axis.
Region: TypeAlias = tuple[slice, ...]
# Of a grid: the first chunk and the one after the last, per axis.
_Box: TypeAlias = tuple[tuple[int, int], ...]


def partition(grid: Grid, n: int) -> list[Region]:
    """Return `n` regions of whole chunks that cover an array without overlap, each with about as many chunks.

    Along one axis the numbers of chunks differ by one at most. If there are fewer chunks than regions, the
    last regions are empty, else none is.

    Raises
    ------
    ValueError
        There is no region at all, or the array has no axes and is one item for several regions.
    """
    if n < 1:
        raise ValueError(f"an array is divided among at least one process, not {n}")
    shape, counts = grid.shape, grid.cdata_shape
    if not shape and n > 1:
        raise ValueError("an array without axes has one item: it cannot be divided among processes")
    nothing = tuple([slice(0, 0)] * len(shape))
    if 0 in counts:
        return [nothing] * n
    boxes = _divide(tuple((0, count) for count in counts), min(n, math.prod(counts)))
    regions = [tuple([_clipped(grid, axis, *ends) for axis, ends in enumerate(box)]) for box in boxes]
    return regions + [nothing] * (n - len(regions))


def _clipped(grid: Grid, axis: int, first: int, stop: int) -> slice:
    span = grid.span(axis, first, stop)
    return slice(span.start, min(span.stop, grid.shape[axis]))


def _divide(box: _Box, n: int) -> Iterator[_Box]:
    """Yield `n` parts of a box of at least `n` chunks: it is cut in two, and these again."""
    if n == 1:
        yield box
        return
    axis, length, lower = _best_cut([stop - first for first, stop in box], n)
    first, stop = box[axis]
    yield from _divide((*box[:axis], (first, first + length), *box[axis + 1 :]), lower)
    yield from _divide((*box[:axis], (first + length, stop), *box[axis + 1 :]), n - lower)


def _best_cut(lengths: list[int], n: int) -> tuple[int, int, int]:
    """Return where to cut a box that becomes `n` parts: axis, chunks before the cut, parts before the cut.

    The greatest part is to be as small as possible, then the cut in the middle, and across the longest axis.
    """
    total = math.prod(lengths)
    least, found, worst = -(-total // n), (0, 0, 0), total + 1
    for lower in range(n // 2, 0, -1):
        for axis in sorted(range(len(lengths)), key=lambda axis: -lengths[axis]):
            count = lengths[axis]
            across = total // count
            down = count * lower // n
            for length in range(max(down, 1), min(down + 2, count)):
                below = length * across
                if below < lower or total - below < n - lower:
                    continue
                greatest = max(-(-below // lower), -(-(total - below) // (n - lower)))
                if greatest < worst:
                    found, worst = (axis, length, lower), greatest
                if worst == least:
                    return found
    return found


def nearest_aligned(grid: Grid, region: Region) -> Region:
    """Return a region whose bounds are moved to the nearest ones between chunks.

    Regions side by side stay so: a whole decomposition can be moved. What lies in one chunk may become empty.
    """
    return tuple(
        [
            slice(_nearest(grid, axis, part.start), _nearest(grid, axis, part.stop))
            for axis, part in enumerate(region)
        ]
    )


def _nearest(grid: Grid, axis: int, bound: int) -> int:
    length = grid.shape[axis]
    if bound == length:
        # The end of the array is a bound, too.
        return bound
    before, after = grid.begin_of(axis, bound), min(grid.end_of(axis, bound), length)
    return after if bound - before >= after - bound else before
