"""Fetches only the bytes of a chunk that a selection needs, from stores whose answers take time.

The decoder of an uncompressed chunk or of a Blosc frame reads only the blocks that it needs. So it gets a
value of the full size in which only these blocks, and the table that says where they are, are filled in.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from zchunk._ext.codecs.dispatch import KINDS
from zchunk._ext.selection.positions import OrthogonalPlan, PointsPlan
from zchunk._ext.selection.slices import ChunkPart, Plan
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ValueChangedError
from zchunk.runtime import requests

Ranges = list[tuple[int, int]]

# A value is fetched whole unless this many bytes of it are not needed: about what one more request costs.
_SAVED = 1 << 19
# The beginning of a frame, with the table of its blocks.
_HEAD = 1 << 16
_FRAME = struct.Struct("<4B3I")
_STORED_RAW = 2
# Blocks that are no farther apart are fetched together.
_GAP = 1 << 16


def batches(
    array: ChunkedArray, plan: Plan, keys: Iterable[str]
) -> Generator[Sequence[Any], None, None]:
    """Yield the values of the chunks of a plan, as `Store.batches` does, or what the plan needs of them."""
    nbytes, store, fetch = array.chain.nbytes, array.store, _fetch_of(array, plan)
    if fetch is None or nbytes < 2 * _SAVED or store.concurrency < 2 or not store.ranged:
        for values in store.batches(keys, nbytes, array.chain.most_stored):
            yield [_lasting(value) for value in values]
        return
    parts = plan.parts()
    first = next(parts)
    low, high = _span(array, first)
    room = store.batch_size(high - low if nbytes - (high - low) >= _SAVED else nbytes)
    items = zip(keys, chain([first], parts), strict=True)
    yield from requests.in_order(lambda item: _fetch(array, fetch, *item), items, room)


def _lasting(value: Any) -> Any:
    """Return memory that does not change while it is decoded."""
    if type(value) is bytes or value is None or memoryview(value).readonly:
        return value
    return bytes(value)


def _fetch_of(array: ChunkedArray, plan: Plan) -> Any:
    """Return a function that fetches parts of a chunk, None if its decoder reads all of the chunk."""
    spec = array.chain.native_spec
    # A checksum is of all bytes.
    if spec is None or len(spec) > 7:
        return None
    if spec[0] == KINDS["raw"]:
        return partial(_raw, array)
    # A frame is decoded as a whole if rows go back in it; and its two requests must be of one version.
    goes_back = isinstance(plan, OrthogonalPlan) or (isinstance(plan, PointsPlan) and bool(plan.ranges))
    if spec[0] == KINDS["blosc"] and array.store.versioned and not goes_back:
        return partial(_frame, array)
    return None


def _fetch(array: ChunkedArray, fetch: Any, key: str, part: ChunkPart) -> Any:
    try:
        array.store.refuse_larger(key, array.most_stored)
        span = _span(array, part)
        value = fetch(key, *span) if array.chain.nbytes - (span[1] - span[0]) >= _SAVED else None
        return array.store[key] if value is None else value
    except KeyError:
        return None


def _span(array: ChunkedArray, part: ChunkPart) -> tuple[int, int]:
    """Return where in a decoded chunk the first selected byte is, and where the last one ends."""
    low, high, stride = 0, array.item.itemsize, array.item.itemsize
    axes = list(zip(part.inner, array.metadata.chunk_shape, strict=True))
    for entry, length in reversed(axes) if array.chain.order == "C" else axes:
        if isinstance(entry, slice):
            positions = range(*entry.indices(length))
            first, last = sorted((positions[0], positions[-1]))
        else:
            first, last = int(np.min(entry)), int(np.max(entry))
        low, high, stride = low + first * stride, high + last * stride, stride * length
    return low, high


def _raw(array: ChunkedArray, key: str, low: int, high: int) -> Any:
    data = array.store.get_range(key, low, high)
    return _filled(array.chain.nbytes, [(low, high)], [data]) if len(data) == high - low else None


def _frame(array: ChunkedArray, key: str, low: int, high: int) -> Any:
    if high - low > array.chain.nbytes // 2:
        # A frame in parts takes two requests, one after the other.
        return None
    head, size, version = array.store.get_piece(key, _HEAD)
    if len(head) == size:
        return head
    ranges = _needed(head, size, array.chain.nbytes, array.item.itemsize, low, high)
    if version is None or ranges is None:
        return None
    try:
        pieces = array.store.get_ranges(key, ranges, version) if ranges else []
    except ValueChangedError:
        return None
    if any(len(piece) != stop - start for piece, (start, stop) in zip(pieces, ranges, strict=True)):
        return None
    return _filled(size, [(0, len(head)), *ranges], [head, *pieces])


def _filled(size: int, ranges: Ranges, pieces: list[bytes]) -> Any:
    # The system gives no memory for the pages that are never touched.
    value = np.zeros(size, np.uint8)
    for (start, stop), piece in zip(ranges, pieces, strict=True):
        value[start:stop] = np.frombuffer(piece, np.uint8)
    value.flags.writeable = False
    return value


def _needed(head: bytes, size: int, nbytes: int, itemsize: int, low: int, high: int) -> Ranges | None:
    """Return the ranges of a frame that hold the blocks of bytes ``low:high``, beside its head.

    None if they are most of the frame, or if this is not such a frame: its decoder is to see all of it.
    """
    _, _, flags, _, decoded, blocksize, stored = _FRAME.unpack_from(head)
    count = -(-nbytes // blocksize) if blocksize else 0
    # If blocks end inside an item, all of them are decoded.
    if decoded != nbytes or stored != size or not count or (count > 1 and blocksize % itemsize):
        return None
    if flags & _STORED_RAW:
        ends_as_it_should = size == nbytes + _FRAME.size
        place = max(_FRAME.size + low, len(head)), _FRAME.size + high
        return ([place] if place[0] < place[1] else []) if ends_as_it_should else None
    if _FRAME.size + 4 * count > len(head):
        return None
    starts = np.frombuffer(head, "<i4", count, _FRAME.size).astype("i8")
    # Writers with several threads leave them in any order.
    ends = np.append(np.sort(starts), size)
    ranges: Ranges = []
    for start in sorted(starts[low // blocksize : (high - 1) // blocksize + 1].tolist()):
        stop = int(ends[np.searchsorted(ends, start, side="right")]) if start < size else start
        if not len(head) < stop <= size:
            if 0 <= start < stop <= len(head):
                continue
            return None
        start = max(start, len(head))
        if ranges and start <= ranges[-1][1] + _GAP:
            ranges[-1] = ranges[-1][0], stop
        else:
            ranges.append((start, stop))
    return ranges if size - sum(stop - start for start, stop in ranges) >= _SAVED else None
