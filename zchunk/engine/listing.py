"""Which chunks of an array are stored, and what they take."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from operator import add, contains, floordiv, ge, lt

import numpy as np

from zchunk.codecs.shard_index import EMPTY
from zchunk.engine.array import ChunkedArray
from zchunk.engine.shard import Shard
from zchunk.spec.keys import join

# How many chunks are looked up one by one rather than found in a listing: at least, and at most.
_FEW_LOOKUPS = 64
_LOOKUPS = 4096
# For so many chunks at most there is a byte for each, to look for what is missing.
_COUNTED = 1 << 30


def listed(array: ChunkedArray) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield key and coordinates of all stored chunks, those outside the array's shape included."""
    decode = array.metadata.chunk_key_encoding.decoder(array.metadata.ndim)
    for above in _lowest(array):
        for name in array.store.list_dir(join(array.path, above) if above else array.path):
            key = join(above, name)
            coords = decode(key)
            # A store may list folders, and files that it does not show as keys.
            if coords is not None:
                yield join(array.path, key), coords


def _lowest(array: ChunkedArray) -> Iterator[str]:
    """Return the folders that chunks are in, by their names below the array's."""
    encoding, ndim = array.metadata.chunk_key_encoding, array.metadata.ndim
    if encoding.prefix == "c/" and ndim:
        folders, levels = iter("c"), ndim - 1
    elif encoding.separator == "/" and ndim > 1:
        folders, levels = iter(array.store.list_dir(array.path)), ndim - 2
    else:
        return iter([""])
    for _ in range(levels):
        folders = _below(array, folders)
    return filter(_is_above_chunks, folders)


def _is_above_chunks(name: str) -> bool:
    return name == "c" or name.rpartition("/")[2].isdecimal()


def _below(array: ChunkedArray, names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if _is_above_chunks(name):
            for child in array.store.list_dir(join(array.path, name)):
                yield f"{name}/{child}"


def inside(array: ChunkedArray) -> Iterator[str]:
    """Yield the keys of the stored chunks that hold items of the array."""
    grid = array.metadata.grid.cdata_shape
    return (key for key, coords in listed(array) if all(map(lt, coords, grid)))


def stored(array: ChunkedArray) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the stored chunks; if chunks are in shards, those that the shards hold."""
    metadata, empty = array.metadata, True
    for coords in _values(array):
        empty = False
        if not all(map(lt, coords, metadata.grid.cdata_shape)):
            continue
        if metadata.shards is None:
            yield coords
        else:
            yield from in_shard(array, coords)
    if empty:
        array.check_there()


def _values(array: ChunkedArray) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of all stored chunks, without folders that are called as chunks would be.

    Stores that take a request for each look-up are not asked: what they list counts.
    """
    store, parent, folders = array.store, None, frozenset[str]()
    quick = getattr(store, "quick_lookups", False)
    for key, coords in listed(array):
        above, _, name = key.rpartition("/")
        if store.root is None:
            if quick and key not in store:
                continue
        elif above != parent:
            parent, folders = above, _folders(f"{store.root}/{above}")
        if name not in folders:
            yield coords


def _folders(path: str) -> frozenset[str]:
    """Return the names of the folders in a folder."""
    try:
        with os.scandir(path) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir())
    except OSError:
        # Deleted meanwhile: it is listed no more.
        return frozenset()


def in_shard(array: ChunkedArray, coords: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the chunks that a shard holds, which its index says."""
    metadata = array.metadata
    assert metadata.shards is not None
    grid, inner, count = metadata.grid, metadata.shards.inner, metadata.grid_of_chunks.cdata_shape
    pairs = zip(coords, inner.chunk_shape, strict=True)
    first = [grid.span(axis, c, c + 1).start // n for axis, (c, n) in enumerate(pairs)]
    one = array if metadata.edges is None else array.with_chunks(grid.shape_of(coords))
    with Shard(one, coords) as shard:
        entries = shard.entries
    # None if the shard was deleted meanwhile
    if entries is not None:
        there = (entries[:, 0] != EMPTY).reshape(one.index.shape)
        for place in np.argwhere(there).tolist():
            found = tuple(map(add, first, place))
            # A shard at the edge may hold chunks beyond it.
            if all(map(lt, found, count)):
                yield found


def missing(array: ChunkedArray) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates of the chunks that are not stored, in C order."""
    shape = array.metadata.grid_of_chunks.cdata_shape
    chunks = _every(shape)
    if math.prod(shape) > _COUNTED:
        found = set(stored(array))
        yield from (coords for coords in chunks if coords not in found)
        return
    there = np.zeros(shape, bool)
    for coords in stored(array):
        there[coords] = True
    yield from (coords for coords, is_there in zip(chunks, there.flat, strict=True) if not is_there)


def _every(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    # itertools.product would list every axis first.
    if not shape:
        yield ()
        return
    for first in range(shape[0]):
        for rest in _every(shape[1:]):
            yield first, *rest


def initialized(array: ChunkedArray) -> int:
    """Return the number of stored chunks; as in zarr 3 a shard that is there counts for all in it."""
    grid, shards = array.metadata.grid, array.metadata.shards
    if shards is None:
        return sum(_count(array, above) for above in _lowest(array))
    found = (coords for _, coords in listed(array) if all(map(lt, coords, grid.cdata_shape)))
    inner = shards.inner.chunk_shape
    return sum(math.prod(map(floordiv, grid.shape_of(coords), inner)) for coords in found)


def _count(array: ChunkedArray, above: str) -> int:
    """Return how many chunks that hold items of the array are in one of the folders of `_lowest`."""
    encoding, grid = array.metadata.chunk_key_encoding, array.metadata.grid.cdata_shape
    folder = join(array.path, above) if above else array.path
    levels = [level for level in above.split("/") if level and level != "c"]
    if any(str(int(level)) != level or int(level) >= n for level, n in zip(levels, grid, strict=False)):
        return 0
    if grid:
        prefix = "" if above else encoding.prefix
        found = array.store._count_chunks(folder, prefix, encoding.separator, grid[len(levels) :])
        if found is not None:
            return found
    decode = encoding.decoder(len(grid))
    places = (decode(join(above, name)) for name in array.store.list_dir(folder))
    return sum(1 for coords in places if coords is not None and all(map(lt, coords, grid)))


def outside(array: ChunkedArray) -> Iterator[str]:
    """Yield the keys of the stored chunks that hold no item of the array."""
    grid = array.metadata.grid.cdata_shape
    return (key for key, coords in listed(array) if any(map(ge, coords, grid)))


def within(array: ChunkedArray, ranges: Sequence[range]) -> Iterator[tuple[int, ...]]:
    """Yield the coordinates in the product of `ranges` whose chunks are stored."""
    if math.prod(map(len, ranges)) <= _LOOKUPS:
        for coords in itertools.product(*ranges):
            if array.key(coords) in array.store:
                yield coords
        return
    for _, coords in listed(array):
        if all(map(contains, ranges, coords)):
            yield coords


def added(array: ChunkedArray, before: Sequence[int]) -> Iterator[str]:
    """Yield the keys of the stored chunks in the array's grid, but not in its first `before` per axis."""
    after = array.metadata.grid.cdata_shape
    old = math.prod(before)
    # A listing is about as long as the old array had chunks.
    if math.prod(after) - old > min(max(old, _FEW_LOOKUPS), _LOOKUPS):
        for key, coords in listed(array):
            if any(map(ge, coords, before)) and all(map(lt, coords, after)):
                yield key
        return
    for axis, first in enumerate(before):
        # Beyond the old edge along this axis, and along none of the axes before it.
        ranges = [*map(range, before[:axis]), range(first, after[axis]), *map(range, after[axis + 1 :])]
        for coords in itertools.product(*ranges):
            key = array.key(coords)
            if key in array.store:
                yield key


def chunk_nbytes(array: ChunkedArray) -> int:
    """Return the bytes of the stored chunks that are in folders below the array's (separator ``/``)."""
    encoding = array.metadata.chunk_key_encoding
    if encoding.separator != "/" or array.metadata.ndim + len(encoding.prefix) < 2 or not array.metadata.ndim:
        return 0
    total = 0
    for key in inside(array):
        try:
            total += array.store.size(key)
        except KeyError:
            continue
    return total
