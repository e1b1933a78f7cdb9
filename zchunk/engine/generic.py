"""The generic executor, which defines reads and writes: any store, any codec, chunk by chunk."""

from __future__ import annotations

import itertools
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from zchunk._ext.selection.slices import ChunkPart, Plan
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_and_shard_locks import locks_to_change
from zchunk.errors import CodecError
from zchunk.runtime import requests


def read_chunks(array: ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> bool:
    """Read any chunks: fetch a batch of values, decode each, assign what is selected of it."""
    target, there = plan.view(out).view(array.item), False
    parts, fetched = itertools.tee(plan.parts())
    keys = (array.key(part.coords) for part in fetched)
    with closing(array.store.batches(keys, array.chain.nbytes, array.chain.most_stored)) as batches:
        for values in batches:
            # In this order: no part is taken when there are no more values.
            for data, part in zip(values, parts, strict=False):
                if data is None:
                    if array.missing_fails:
                        raise array.not_stored(array.metadata.chunk_key_encoding.encode(part.coords))
                    if not there:
                        array.check_there()
                    there = True
                    part.place(target, array.raw_fill)
                else:
                    part.place(target, part.chosen(_decode(array, array.key(part.coords), data)))
    return True


def _decode(array: ChunkedArray, key: str, data: Any) -> np.ndarray[Any, Any]:
    try:
        # A codec of another package may ask for more memory than there is.
        return array.chain.decode(data if type(data) is bytes else bytes(data)).view(array.item)
    except (MemoryError, CodecError):
        raise
    except Exception as err:
        # A codec of another package may raise anything.
        raise array.error(key, str(err), len(data)) from err


def write_chunks(array: ChunkedArray, plan: Plan, value: np.ndarray[Any, Any], field: str | None) -> bool:
    """Write any chunks; or a field of their items, of which `value` has the dtype."""
    array.check_there()
    source = plan.view(value) if field is not None else plan.view(value).view(array.item)
    work = partial(_write_part, array, source, field)
    if array.store.concurrency > 1 and plan.touched > 1:
        requests.each(work, plan.parts(), array.store.batch_size(array.chain.nbytes))
    else:
        for part in plan.parts():
            work(part)
    return True


def _write_part(
    array: ChunkedArray, source: np.ndarray[Any, Any], field: str | None, part: ChunkPart
) -> None:
    name = array.metadata.chunk_key_encoding.encode(part.coords)
    key = array.key_of(name)
    outer, lock = locks_to_change(array, name, key)
    with outer, lock:
        write_chunk(array, key, part, part.placed(source), field)


def write_chunk(
    array: ChunkedArray, key: str, part: ChunkPart, items: np.ndarray[Any, Any], field: str | None = None
) -> None:
    """Write what is selected of one chunk. The calling thread holds its lock."""
    change = partial(_changed, array, key, part, items, field)
    if not part.full or field is not None:
        array.store.refuse_larger(key, array.most_stored)
        array.store.modify(key, change)
        return
    data = change(None)
    if data is None:
        array.erase(key)
    else:
        array.store[key] = data


def _changed(
    array: ChunkedArray,
    key: str,
    part: ChunkPart,
    items: np.ndarray[Any, Any],
    field: str | None,
    data: bytes | None,
) -> Any:
    """Return the bytes of a chunk with `items` in it, None if it is not to be stored."""
    shape, order = array.metadata.chunk_shape, array.chain.order
    if data is None:
        # What lies beyond the array is the fill value too, so that equal arrays have equal bytes.
        chunk = np.empty(shape, array.item, order=order)
        if not part.full or items.shape != shape or field is not None:
            chunk[...] = array.raw_fill
    else:
        chunk = np.array(_decode(array, key, data), order=order)
    target = chunk if field is None else chunk.view(array.metadata.dtype)[field]
    part.choose(target, items)
    if not array.write_empty_chunks and array.is_empty(chunk):
        return None
    return array.chain.encode(chunk.view(array.metadata.dtype))
