"""read() and write(): the only place that schedules work on chunks.

Two executors serve both and agree byte for byte. The generic one is the definition: any store, any codec,
chunk by chunk in Python. The native one (`zchunk._ext.engine`) skips work where all codecs are native: many
chunks in one GIL release, on several threads, decoding only what the selection needs. It reads and writes the
files of a store in a folder itself; what other stores hold is fetched and stored here, a batch at a time.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zchunk import chunk_cache, fragments, pool, requests
from zchunk._ext import chain as native
from zchunk._ext.engine import Job, Layout
from zchunk._ext.places import PlacedJob
from zchunk._ext.shards import ShardJob
from zchunk.chunked import ChunkedArray
from zchunk.generic import read_generic, write_chunk, write_generic
from zchunk.grid import RegularGrid
from zchunk.indexing import ChunkPart, Plan, plan_basic, plan_within
from zchunk.shard_access import each_shard, part_plan, read_shard, write_shard
from zchunk.shards import Shard

if TYPE_CHECKING:
    from zchunk.rectilinear import Block

# From so many bytes of chunks, or chunks, on helpers are called in: always, and if they are awake.
_WORK, _AWAKE_WORK = 1 << 20, 1 << 18
_CHUNKS, _AWAKE_CHUNKS = 32, 8
# Inner chunks are encoded this much at a time, which the second cache holds until it is written: 256 MiB of
# uncompressed chunks of 512 KiB took 77 ms, and 101 by four times as much.
_SHARD_BATCH = 1 << 20
# Chunks whose places in a file are looked up at a time.
_PLACES = 4096
_SYSTEM = 2
_NO_MEMORY = 1
_STORE_KNOWS = {errno.EISDIR, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG}

# Name and part of a chunk, and what to store of it; None if the part is to be merged with what is there.
_Encoded: TypeAlias = tuple[str, ChunkPart, bytes | None]

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


def _read_native(array: ChunkedArray, layout: Layout, plan: Plan, out: np.ndarray[Any, Any]) -> None:
    if isinstance(array.store, Shard):
        shard_job = ShardJob(layout, plan, out, False, 0, pool.get_threads())
        if array.store.attach(shard_job):
            _drain(array, shard_job)
            return
    try:
        job = Job(layout, plan, out, False, 0, pool.get_threads())
    except (FileNotFoundError, NotADirectoryError):
        # No chunk was ever written, or the metadata are elsewhere.
        plan.view(out).view(array.item)[...] = array.raw_fill
        return
    if array.folder is not None:
        _drain(array, job)
    elif not _read_places(array, layout, plan, out):
        _read_values(array, job, plan)


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


def _drain(
    array: ChunkedArray, job: Job, meanwhile: Callable[[], Any] | None = None, helped: bool = True
) -> Any:
    """Work on a job, with helpers if it is worth it and they may help, and raise what went wrong.

    Returns what `meanwhile` does, which is called while helpers are at work already.
    """
    helpers, pieces, worth = 0, job.tasks, False
    if pieces > 1 and helped:
        nbytes = pieces * array.chain.nbytes
        worth = pieces >= _AWAKE_CHUNKS or nbytes >= _AWAKE_WORK
        if worth and (pieces >= _CHUNKS or nbytes >= _WORK or pool.awake()):
            helpers = min(pool.get_threads(), pieces) - 1
    try:
        if helpers:
            pool.share(job, helpers)
        result = None if meanwhile is None else meanwhile()
        # In slices, so that Python can deliver signals such as Ctrl-C.
        while job.run(0.1):
            pass
    except BaseException:
        job.cancel()
        raise
    finally:
        if worth:
            pool.finish(job, job.cancel)
    failure = job.failure()
    if failure is not None:
        status, number, found, expected, stored, name = failure
        key = array.key_of(name)
        if status == _SYSTEM:
            raise OSError(number, os.strerror(number), os.path.join(os.fsdecode(array.folder or b""), name))
        if status == _NO_MEMORY:
            raise MemoryError(f"chunk {key!r}: no memory for {found} bytes")
        raise array.error(key, native.describe(status, found, expected), stored)
    return result


# ---- native, where the store has the bytes


def _read_places(array: ChunkedArray, layout: Layout, plan: Plan, out: np.ndarray[Any, Any]) -> bool:
    """Read from where the store says that the chunks lie in a file; False if it does not, for all of them."""
    locate = getattr(array.store, "locate", None)
    if locate is None:
        return False
    job = PlacedJob(layout, plan, out, False, 0, pool.get_threads())
    for first in range(0, job.total, _PLACES):
        stop = min(first + _PLACES, job.total)
        found = locate(array.key_of(job.key(k)) for k in range(first, stop))
        if found is None:
            return False
        file, places = found
        job.place(first, places, file.fd)
        _drain(array, job)
    return True


def _read_values(array: ChunkedArray, job: Job, plan: Plan) -> None:
    keys = (array.key_of(job.key(k)) for k in range(job.total))
    with closing(fragments.batches(array, plan, keys)) as batches:
        first, values = 0, next(batches)
        while values:
            job.give(first, list(values))
            first += len(values)
            # The next batch is fetched while this one is decoded.
            values = _drain(array, job, partial(next, batches, ()))


def _write_values(array: ChunkedArray, job: Job, plan: Plan, source: np.ndarray[Any, Any]) -> None:
    parts = plan.parts()
    size = array.store.batch_size(array.chain.nbytes)
    batch: list[_Encoded] = []
    with requests.Window(partial(_store_chunk, array, source), size) as window:
        store = partial(_store, array, source, window)
        for first in range(0, job.total, size):
            n = min(size, job.total - first)
            job.make_room(first, n)
            # The batch before is stored while this one is encoded.
            _drain(array, job, partial(store, batch))
            names = map(job.key, range(first, first + n))
            batch = list(zip(names, itertools.islice(parts, n), job.take(), strict=True))
        store(batch)


def _store(
    array: ChunkedArray,
    source: np.ndarray[Any, Any],
    window: requests.Window[_Encoded],
    batch: list[_Encoded],
) -> None:
    if array.store.concurrency > 1:
        window.add(batch)
        return
    whole = {name: value for name, _, value in batch if value is not None}
    if whole:
        with array.locks(whole):
            array.store.set_many({array.key_of(name): value for name, value in whole.items()})
    for chunk in batch:
        if chunk[2] is None:
            _store_chunk(array, source, chunk)


def _store_chunk(array: ChunkedArray, source: np.ndarray[Any, Any], chunk: _Encoded) -> None:
    name, part, value = chunk
    with array.lock(name):
        if value is None:
            write_chunk(array, array.key_of(name), part, source[*part.outer, ...])
        else:
            array.store[array.key_of(name)] = value


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


def _write_shard(
    array: ChunkedArray,
    layout: Layout,
    plan: Plan,
    items: np.ndarray[Any, Any],
    shard: Shard,
    by_store: bool = False,
) -> None:
    stored = items.byteswap() if array.metadata.swapped else items
    job = ShardJob(layout, plan, stored, True, 0, pool.get_threads())
    shard.begin(job, by_store)
    try:
        most = min(job.total, max(pool.get_threads(), _SHARD_BATCH // job.bound))
        slots: list[np.ndarray[Any, Any]] = []
        first = turn = 0
        while first < job.total:
            # Others may be at work on other shards.
            helped = pool.idle() > 0
            if turn == len(slots):
                slots.append(np.empty(most * job.bound, np.uint8))
            job.make_slots(slots[turn], first, min(job.total - first, most))
            # The batch before is written while this one is encoded.
            _drain(array, job, job.flush, helped)
            job.detach()
            if not helped:
                job.flush()
            turn, first = turn ^ helped, first + most
        job.flush()
        shard.finish(job)
    finally:
        job.abort()
