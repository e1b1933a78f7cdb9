"""What the chunks of an array take in its store, one by one."""

from __future__ import annotations

from collections.abc import Iterable

from zchunk.codecs.shard_index import EMPTY
from zchunk.engine.array import ChunkedArray
from zchunk.engine.shard import Shard


def object_sizes(array: ChunkedArray, places: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], int]:
    """Return the bytes of chunks, or of shards, by their coordinates: of those that are stored.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((4, 4), chunks=2, dtype="u1", compressor=None)
    >>> z[:2, :2] = 1
    >>> object_sizes(z._current, [(0, 0), (1, 1)])
    {(0, 0): 4}
    """
    found = {}
    for coords in places:
        try:
            found[coords] = array.store.size(array.key(coords))
        except KeyError:
            continue
    return found


def inner_ranges(
    array: ChunkedArray, shard: tuple[int, ...], wanted: Iterable[tuple[int, ...]]
) -> list[tuple[int, int]]:
    """Return where chunks begin in a shard, and their bytes, which its index says: of those that are stored.

    Parameters
    ----------
    array : ChunkedArray
        The array.
    shard : tuple of int
        Coordinates of the shard.
    wanted : iterable of tuple of int
        Coordinates of chunks in the shard.
    """
    metadata = array.metadata
    one = array if metadata.edges is None else array.with_chunks(metadata.grid.shape_of(shard))
    with Shard(one, shard) as opened:
        entries = opened.entries
    if entries is None:
        return []
    table = entries.reshape((*one.index.shape, 2))
    return [(int(table[place][0]), int(table[place][1])) for place in wanted if table[place][0] != EMPTY]
