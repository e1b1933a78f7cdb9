"""The memory that reading and writing take in addition to the items, so that a plan keeps to a bound."""

from __future__ import annotations

import math
import re

from zchunk.engine.array import ChunkedArray
from zchunk.runtime.threads import get_threads

# A shard of small chunks is read as a whole up to this size.
_WHOLE_SHARD = 64 << 20
# Objects, tables and buffers that do not depend on the array.
_FIXED = 2 << 20
_PREFIXES = " kmgt"
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


def parse_bytes(size: object) -> int:
    """Return a number of bytes that may be text such as ``"512MB"`` or ``"2 GiB"``.

    Raises
    ------
    ValueError
        It is not a size, or not above 0.
    """
    if isinstance(size, str) and (found := _SIZE.fullmatch(size)) and (found[2] or not found[3]):
        power = _PREFIXES.index(found[2].lower() or " ")
        size = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"max_memory is {size!r:.80}, not a number of bytes or text such as '512MB'")
    return size


def of_reading(array: ChunkedArray) -> int:
    """Return how many bytes a read takes at most, in addition to the items that it returns."""
    threads = get_threads()
    chunk = _chunk_nbytes(array)
    if array.metadata.shards is None:
        return _FIXED + _of_values(array, chunk)
    shard = math.prod(array.metadata.grid.largest) * array.metadata.dtype.itemsize
    if array.folder is not None or array.store.ranged:
        shard = min(shard, _WHOLE_SHARD)
    return _FIXED + _shards_at_once(array) * (shard + 2 * threads * chunk)


def of_writing(array: ChunkedArray) -> int:
    """Return how many bytes a write takes at most, in addition to the items that it is given."""
    threads = get_threads()
    chunk = _chunk_nbytes(array)
    if array.metadata.shards is None:
        return _FIXED + _of_values(array, chunk)
    shard = math.prod(array.metadata.grid.largest) * array.metadata.dtype.itemsize
    # Files are written as chunks are encoded; other values exist as a whole, and again as bytes.
    values = 0 if array.folder is not None and _is_native(array) else 2 * shard
    swapped = shard if array.metadata.innermost.swapped else 0
    return _FIXED + _shards_at_once(array) * (values + swapped + 2 * max(threads * chunk, 1 << 20))


def _shards_at_once(array: ChunkedArray) -> int:
    if array.store.concurrency > 1:
        return array.store.batch_size(array.metadata.chunk_nbytes)
    return get_threads()


def _of_values(array: ChunkedArray, chunk: int) -> int:
    threads = get_threads()
    if array.folder is not None and _is_native(array):
        # Each thread has a chunk, stored and decoded.
        return 2 * threads * chunk
    # One batch is decoded or encoded, while another is fetched or stored.
    batch = chunk * min(array.store.batch_size(chunk), max(threads, array.metadata.grid.nchunks))
    return 2 * batch + 3 * threads * chunk


def _chunk_nbytes(array: ChunkedArray) -> int:
    return math.prod(array.metadata.grid_of_chunks.largest) * array.metadata.dtype.itemsize


def _is_native(array: ChunkedArray) -> bool:
    return array.chain.native_spec is not None or array.metadata.shards is not None
