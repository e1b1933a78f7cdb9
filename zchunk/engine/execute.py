"""read() and write(): the only place that schedules work on chunks.

Two executors serve both and agree byte for byte. The generic one is the definition: any store, any codec,
chunk by chunk in Python. The native one (`zchunk._ext.engine.job`) skips work where all codecs are native:
many chunks in one GIL release, on several threads, decoding only what the selection needs. It reads and
writes the files of a store in a folder itself; what other stores hold is fetched and stored here, a batch at
a time.
"""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk._ext.engine.job import Job
from zchunk._ext.selection.basic import ChunkPart, Plan
from zchunk.engine import chunk_cache
from zchunk.engine.array import ChunkedArray
from zchunk.engine.generic import read_generic, write_generic
from zchunk.engine.native import _drain, _read_native, _write_shard, _write_values
from zchunk.engine.shard import Shard
from zchunk.engine.sharded import each_shard, part_plan, read_shard, write_shard
from zchunk.indexing.plans import plan_basic, plan_within
from zchunk.runtime import threads as pool
from zchunk.spec.regular_grid import RegularGrid

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Block

_STORE_KNOWS = {errno.EISDIR, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG}


# Whether the native executor may be used.
native_enabled = os.environ.get("ZCHUNK_NATIVE", "1") != "0"


def read(array: ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> None:
    """Read the selection into `out`, which has the plan's shape and the array's dtype, and any strides."""
    if not out.size or not array.item.itemsize:
        return
    if array.source is not None:
        # As its first filter would, but with all threads, and objects too.
        items = plan.empty(array.source.metadata.dtype, array.metadata.innermost.order)
        read(array.source, plan, items)
        out[...] = items.astype(out.dtype, copy=False)
        return
    if not _read_cached(array, plan, out):
        _read(array, plan, out)


def _read_cached(
    array: ChunkedArray, plan: Plan, out: np.ndarray[Any, Any], since: list[int] | None = None
) -> bool:
    """Read through the cache of decoded chunks, if there is one and they fit; shards are no such chunks."""
    if array.cache is None or array.metadata.shards is not None:
        return False
    return array.cache.read(array, plan, plan.view(out).view(array.item), _decode_whole, since)


def _decode_whole(array: ChunkedArray, coords: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return a chunk, with what lies beyond the edge of the array."""
    lengths = array.metadata.chunk_shape
    ends = tuple(min((c + 1) * n, 2**63 - 1) for c, n in zip(coords, lengths, strict=True))
    selection = tuple(slice(c * n, end) for c, n, end in zip(coords, lengths, ends, strict=True))
    plan = plan_basic(selection, RegularGrid(ends, lengths))
    chunk = plan.empty(array.metadata.dtype, array.metadata.order)
    _read(array, plan, chunk)
    return chunk.view(array.item)


def _read(array: ChunkedArray, plan: Plan, out: np.ndarray[Any, Any]) -> None:
    if array.layout is not None and native_enabled:
        _read_native(array, array.layout, plan, out)
        if array.metadata.swapped:
            out.byteswap(inplace=True)
    elif array.metadata.edges is not None:
        _read_blocks(array, plan, plan.view(out))
    elif array.metadata.shards is not None:
        _read_shards(array, plan, plan.view(out))
    else:
        read_generic(array, plan, plan.view(out).view(array.item))




def write(array: ChunkedArray, plan: Plan, value: np.ndarray[Any, Any], field: str | None = None) -> None:
    """Write `value`, of the plan's shape (strides may be 0) and the array's dtype, or that of a field."""
    array.check_writable()
    if not value.size or not array.item.itemsize:
        return
    try:
        _write(array, plan, value, field)
    finally:
        if array.metadata.shards is None:
            chunk_cache.forget_written(array, plan)


def _write(array: ChunkedArray, plan: Plan, value: np.ndarray[Any, Any], field: str | None) -> None:
    if array.metadata.shards is not None:
        _write_shards(array, plan, plan.view(value), field)
        return
    if field is not None:
        write_generic(array, plan, plan.view(value), field)
        return
    if array.layout is None or not native_enabled or array.synchronizer is not None:
        write_generic(array, plan, plan.view(value).view(array.item))
        return
    stored = value.byteswap() if array.metadata.swapped else value
    try:
        job = Job(array.layout, plan, stored, True, array.lock_seed, pool.get_threads())
    except FileNotFoundError:
        # Made by the store, as durable as its keys.
        array.store.make_folder(array.path)
        job = Job(array.layout, plan, stored, True, array.lock_seed, pool.get_threads())
    if array.folder is None:
        _write_values(array, job, plan, plan.view(value).view(array.item))
        return
    try:
        _drain(array, job)
    except OSError as err:
        if err.errno not in _STORE_KNOWS:
            raise
        # A folder stands where a chunk shall be, or a file where a folder, or the name of the temporary file
        # would be too long. What to do then the store says.
        write_generic(array, plan, plan.view(value).view(array.item))


# ---- native




# ---- native, where the store has the bytes












# ---- chunks of several shapes


def _read_blocks(array: ChunkedArray, plan: Plan, target: np.ndarray[Any, Any]) -> None:
    raw = target.view(array.item)

    def work(block: Block) -> None:
        regular, into = array.with_chunks(block.chunk_shape), target[*block.outer, ...]
        read(regular, plan_within(plan, block.inner, regular.metadata.grid, regular.metadata.order), into)
        if any(not isinstance(entry, slice) for entry in block.outer):
            # A copy, for positions are selected.
            raw[block.outer] = into.view(array.item)

    for part in plan.parts():
        grid: Any = array.metadata.grid
        count, blocks = grid.split(part.inner, part.outer)
        pool.each(blocks, count, work)


# ---- shards


def _read_shards(array: ChunkedArray, plan: Plan, target: np.ndarray[Any, Any]) -> None:
    raw = target.view(array.item)
    cached = array.cache is not None and _fit_in_cache(array, plan, target.nbytes)

    def read(since: list[int], part: ChunkPart, shard: Shard) -> None:
        if not shard.found:
            raw[part.outer] = array.raw_fill
            return
        into = target[*part.outer, ...]
        inner, within = shard.inner, part_plan(array, plan, part)
        if not (cached and _read_cached(inner, within, into, since)):
            _read(inner, within, into)
        if part.outer and not isinstance(part.outer[0], slice):
            # Positions are selected: a copy.
            raw[part.outer] = into.view(array.item)

    def work(part: ChunkPart) -> None:
        since = [] if array.cache is None else array.cache.generations
        read_shard(array, part.coords, partial(read, since, part))

    each_shard(array, plan, work, some=True)


def _fit_in_cache(array: ChunkedArray, plan: Plan, nbytes: int) -> bool:
    """Whether all chunks in shards that a selection touches fit in the cache together."""
    assert array.cache is not None
    room = 0 if nbytes > array.cache.nbytes else array.cache.nbytes // array.metadata.innermost.chunk_nbytes
    for part in plan.parts():
        if room <= 0:
            return False
        room -= part_plan(array, plan, part).touched
    return room >= 0


def _write_shards(
    array: ChunkedArray, plan: Plan, source: np.ndarray[Any, Any], field: str | None = None
) -> None:
    def work(part: ChunkPart) -> None:
        name = array.metadata.chunk_key_encoding.encode(part.coords)
        outer = nullcontext() if array.synchronizer is None else array.synchronizer[array.key(part.coords)]
        written: list[ChunkedArray] = []
        with outer, array.lock(name):
            try:
                write_shard(array, part.coords, part.full and field is None, partial(put, part, written))
            finally:
                for inner in written:
                    chunk_cache.forget_shard(inner)

    def put(part: ChunkPart, written: list[ChunkedArray], shard: Shard) -> None:
        written.append(shard.inner)
        _write_part(written[-1], part_plan(array, plan, part), source[*part.outer, ...], field, shard)

    each_shard(array, plan, work)


def _write_part(
    array: ChunkedArray, plan: Plan, items: np.ndarray[Any, Any], field: str | None, shard: Shard
) -> None:
    if array.layout is None or not native_enabled or field is not None:
        _write(array, plan, items, field)
        shard.save()
        return
    try:
        _write_shard(array, array.layout, plan, items, shard)
    except OSError as err:
        if err.errno not in _STORE_KNOWS:
            raise
        # As for chunks: what to do the store says.
        _write_shard(array, array.layout, plan, items, shard, by_store=True)


