"""Regions: an array in pieces of whole chunks that are small enough for memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.creation.likeness import chunks_of

# Bytes of a region, if a chunk is not larger.
MOST = 32 << 20


def regions(array: Array | LazyItems, most: int = MOST) -> Iterator[tuple[slice, ...]]:
    """Yield the selections of an array, in C order of their first items, that together are all of it.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((4, 6), chunks=(2, 2), dtype="f4")
    >>> [*regions(z, most=48)]
    [(slice(0, 2, None), slice(0, 6, None)), (slice(2, 4, None), slice(0, 6, None))]
    """
    # What is stored as one is read as one.
    stored = array.metadata.grid.largest if isinstance(array, Array) else chunks_of(array)
    lengths = _lengths(array.shape, stored, max(most // max(array.dtype.itemsize, 1), 1))
    starts = [range(0, n, step) for n, step in zip(array.shape, lengths, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            [slice(a, min(a + step, n)) for a, step, n in zip(corner, lengths, array.shape, strict=True)]
        )


def _lengths(shape: Sequence[int], chunk: Sequence[int], most: int) -> list[int]:
    """Return lengths of a region: those of a chunk, times as many as there is room for, last axes first."""
    found = [max(min(c, n), 1) for c, n in zip(chunk, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = most // math.prod(found)
        wanted = math.ceil(shape[axis] / found[axis])
        found[axis] *= max(min(room, wanted), 1)
        if room < wanted:
            break
    return found
