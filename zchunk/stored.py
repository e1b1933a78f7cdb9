"""Which chunks of an array are stored, and what they take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from zchunk.engine import ChunkedArray
from zchunk.keys import join

# Up to so many chunks are looked up one by one rather than found in a listing.
_LOOKUPS = 4096


def listed(array: ChunkedArray) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of all stored chunks, those outside the array's shape included."""
    encoding, ndim = array.metadata.chunk_key_encoding, array.metadata.ndim
    names: Iterator[str] = iter(array.store.list_dir(array.path))
    if encoding.separator == "/":
        for _ in range(ndim - 1):
            names = _below(array, names)
    for name in names:
        coords = encoding.decode(name, ndim)
        # A store may list folders, and files that it does not show as keys.
        if coords is not None:
            yield coords


def _below(array: ChunkedArray, names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if name.rpartition("/")[2].isdecimal():
            for child in array.store.list_dir(join(array.path, name)):
                yield f"{name}/{child}"


def inside(array: ChunkedArray) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the stored chunks that hold items of the array."""
    grid = array.metadata.grid.cdata_shape
    for coords in listed(array):
        if all(c < n for c, n in zip(coords, grid, strict=True)):
            yield coords


def within(array: ChunkedArray, ranges: Sequence[range]) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates in the product of `ranges` whose chunks are stored."""
    if math.prod(map(len, ranges)) <= _LOOKUPS:
        for coords in itertools.product(*ranges):
            if array.key(coords) in array.store:
                yield coords
        return
    for coords in listed(array):
        if all(c in r for c, r in zip(coords, ranges, strict=True)):
            yield coords


def chunk_nbytes(array: ChunkedArray) -> int:
    """Return the bytes of the stored chunks that are in folders below the array's (separator ``/``)."""
    if array.metadata.chunk_key_encoding.separator != "/" or array.metadata.ndim < 2:
        return 0
    total = 0
    for coords in inside(array):
        try:
            total += array.store.size(array.key(coords))
        except KeyError:
            continue
    return total
