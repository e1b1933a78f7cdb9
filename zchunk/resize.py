"""What a change of shape does to chunks, and which chunks are stored at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from zchunk import engine
from zchunk.indexing import plan_basic
from zchunk.keys import join

# Up to so many chunks are looked up one by one rather than found in a listing.
_LOOKUPS = 4096


def erase_outside(array: engine.ChunkedArray) -> None:
    """Erase the stored chunks that have no item in the array."""
    grid = array.metadata.grid.cdata_shape
    for coords in listed_chunks(array, None):
        if any(c >= n for c, n in zip(coords, grid, strict=True)):
            array.store.pop(array.key(coords), None)


def clear_growth(grown: engine.ChunkedArray, old: tuple[int, ...]) -> None:
    """Make what growing from shape `old` will uncover the fill value.

    A larger array may have been here before: its chunks beyond the edge, if a writer left them, and the
    parts of edge chunks that lie beyond the edge, whose content the format leaves undefined.
    """
    metadata = grown.metadata
    chunks = metadata.chunk_shape
    before = [-(-n // c) for n, c in zip(old, chunks, strict=True)]
    after = metadata.grid.cdata_shape
    fill = np.frombuffer(grown.fill, np.uint8).view(metadata.dtype)[0] if grown.fill else metadata.dtype.type()
    for axis, n in enumerate(old):
        if n == metadata.shape[axis]:
            continue
        outside = [range(m) for m in after]
        outside[axis] = range(before[axis], after[axis])
        for coords in _stored_chunks(grown, outside):
            grown.store.pop(grown.key(coords), None)
        if n % chunks[axis] == 0:
            continue
        edge = [range(m) for m in before]
        edge[axis] = range(before[axis] - 1, before[axis])
        for coords in _stored_chunks(grown, edge):
            selection = [slice(c * length, (c + 1) * length) for c, length in zip(coords, chunks, strict=True)]
            selection[axis] = slice(n, selection[axis].stop)
            plan = plan_basic(tuple(selection), metadata.grid)
            engine.write(grown, plan, np.broadcast_to(np.asarray(fill, metadata.dtype), plan.shape))


def _stored_chunks(array: engine.ChunkedArray, ranges: Sequence[range]) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates in the product of `ranges` whose chunks are stored."""
    if math.prod(map(len, ranges)) <= _LOOKUPS:
        for coords in itertools.product(*ranges):
            if array.key(coords) in array.store:
                yield coords
        return
    for coords in listed_chunks(array, None):
        if all(c in r for c, r in zip(coords, ranges, strict=True)):
            yield coords


def listed_chunks(array: engine.ChunkedArray, grid: tuple[int, ...] | None) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the stored chunks that lie within `grid`; of all if that is None."""
    encoding, ndim = array.metadata.chunk_key_encoding, array.metadata.ndim
    names: Iterator[str] = iter(array.store.list_dir(array.path))
    if encoding.separator == "/":
        for _ in range(ndim - 1):
            names = _below(array, names)
    for name in names:
        coords = encoding.decode(name, ndim)
        if coords is not None and (grid is None or all(c < n for c, n in zip(coords, grid, strict=True))):
            yield coords


def _below(array: engine.ChunkedArray, names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if name.rpartition("/")[2].isdecimal():
            for child in array.store.list_dir(join(array.path, name)):
                yield f"{name}/{child}"
