"""The native executor: many chunks in one release of the GIL, on several threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from zchunk._ext.codecs import dispatch as native
from zchunk._ext.engine.file_job import PlacedJob
from zchunk._ext.engine.job import Job, Layout
from zchunk._ext.engine.shard_job import ShardJob
from zchunk._ext.selection.basic import ChunkPart, Plan
from zchunk.engine import partial_reads
from zchunk.engine.array import ChunkedArray
from zchunk.engine.generic import write_chunk
from zchunk.engine.shard import Shard
from zchunk.runtime import requests
from zchunk.runtime import threads as pool

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


# Name and part of a chunk, and what to store of it; None if the part is to be merged with what is there.
_Encoded: TypeAlias = tuple[str, ChunkPart, bytes | None]


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
    with closing(partial_reads.batches(array, plan, keys)) as batches:
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
