"""The generic executor, which defines reads and writes: any store, any codec, chunk by chunk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from zchunk.chunked import ChunkedArray
from zchunk.errors import CodecError
from zchunk.indexing import ChunkPart, Plan

# A store is asked for this much at a time.
BATCH_BYTES = 4 << 20
BATCH_KEYS = 1024


def _batches(array: ChunkedArray, plan: Plan) -> Iterator[list[tuple[str, ChunkPart]]]:
    parts = ((array.key(part.coords), part) for part in plan.parts())
    size = max(1, min(BATCH_KEYS, BATCH_BYTES // array.chain.nbytes))
    while batch := list(itertools.islice(parts, size)):
        yield batch


def read_generic(array: ChunkedArray, plan: Plan, target: np.ndarray[Any, Any]) -> None:
    """Read into `target`, of the array's `item` and with one axis per axis of the array."""
    for batch in _batches(array, plan):
        found = array.store.get_many([key for key, _ in batch])
        for key, part in batch:
            data = found.pop(key, None)
            if data is None:
                target[part.outer] = array.raw_fill
            else:
                target[part.outer] = _decode(array, key, data)[part.inner]


def _decode(array: ChunkedArray, key: str, data: bytes) -> np.ndarray[Any, Any]:
    try:
        return array.chain.decode(data).view(array.item)
    except (MemoryError, CodecError):
        raise
    except Exception as err:
        # Codecs from elsewhere may object in any way.
        raise array.error(key, str(err), len(data)) from err


def write_generic(
    array: ChunkedArray, plan: Plan, source: np.ndarray[Any, Any], field: str | None = None
) -> None:
    """Write `source`, as `read_generic` has it; or what is a field of the items, of that field's dtype."""
    for part in plan.parts():
        key = array.key(part.coords)
        outer = nullcontext() if array.synchronizer is None else array.synchronizer[key]
        with outer, array.lock(array.metadata.chunk_key_encoding.encode(part.coords)):
            write_chunk(array, key, part, source[*part.outer, ...], field)


def write_chunk(
    array: ChunkedArray, key: str, part: ChunkPart, items: np.ndarray[Any, Any], field: str | None = None
) -> None:
    """Write what is selected of one chunk, by a thread that holds its lock."""
    shape, order = array.metadata.chunk_shape, array.chain.order
    data = None
    if not part.full or field is not None:
        try:
            data = array.store[key]
        except KeyError:
            data = None
    if data is None:
        # What lies beyond the array is the fill value too, so that equal arrays have equal bytes.
        chunk = np.empty(shape, array.item, order=order)
        if not part.full or items.shape != shape or field is not None:
            chunk[...] = array.raw_fill
    else:
        chunk = np.array(_decode(array, key, data), order=order)
    target = chunk if field is None else chunk.view(array.metadata.dtype)[field]
    target[*part.inner, ...] = items
    if not array.write_empty_chunks and array.is_empty(chunk):
        array.erase(key)
        return
    array.store[key] = array.chain.encode(chunk.view(array.metadata.dtype))
