"""The native executor: many chunks in one release of the GIL, on several threads.

There is a reader and a writer for each place that the stored bytes can be in: files of their own, an open
shard, a file that the store tells, values of a store. Each returns False, before anything has changed, where
it declines; then `zchunk.engine.execute` takes the next route of its table.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from zchunk._ext.codecs import dispatch
from zchunk._ext.engine.file_job import PlacedJob
from zchunk._ext.engine.job import Job
from zchunk._ext.engine.shard_job import ShardJob
from zchunk._ext.io.files import sync_files
from zchunk._ext.selection.slices import ChunkPart, Plan
from zchunk.engine import partial_reads
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_and_shard_locks import chunk_lock, chunk_locks, refused
from zchunk.engine.generic import write_chunk
from zchunk.engine.shard import Shard
from zchunk.runtime import requests, threads

Items: TypeAlias = np.ndarray[Any, Any]
# Name and part of a chunk, and what to store of it; None if the part has to be merged with the stored chunk.
_Encoded: TypeAlias = tuple[str, ChunkPart, bytes | None]

# From so many bytes of chunks, or chunks, on helpers are called in: always, and if they are awake.
_WORK, _AWAKE_WORK = 1 << 20, 1 << 18
_CHUNKS, _AWAKE_CHUNKS = 32, 8
# Inner chunks are encoded this much at a time, which the second cache holds until it is written: 256 MiB of
# uncompressed chunks of 512 KiB took 77 ms, and 101 by four times as much.
_SHARD_BATCH = 1 << 20
# Chunks whose places in a file are looked up at a time.
_PLACES = 4096
# Statuses of a failed job, see `zchunk/_ext/memory/status.pxd`.
_NO_MEMORY, _SYSTEM, _NOT_STORED = 1, 2, 10
# Errors of files that only the store can deal with: a folder stands where the file of a chunk goes, or a file
# where a folder goes, or the name of the temporary file is too long.
_STORE_KNOWS = {errno.EISDIR, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG}


# ---- running a job


def _drain(
    array: ChunkedArray, job: Job, meanwhile: Callable[[], Any] | None = None, helped: bool = True
) -> Any:
    """Work on a job, with helpers if it is worth it and they may help, and raise what went wrong.

    Returns what `meanwhile` returns, which is called while helpers are at work already.
    """
    helpers, pieces, worth = 0, job.tasks, False
    if pieces > 1 and helped:
        nbytes = pieces * array.chain.nbytes
        worth = pieces >= _AWAKE_CHUNKS or nbytes >= _AWAKE_WORK
        if worth and (pieces >= _CHUNKS or nbytes >= _WORK or threads.awake()):
            helpers = min(threads.get_threads(), pieces) - 1
    try:
        if helpers:
            threads.share(job, helpers)
        result = None if meanwhile is None else meanwhile()
        # In slices, so that Python can deliver signals such as Ctrl-C.
        while job.run(0.1):
            pass
    except BaseException:
        job.cancel()
        raise
    finally:
        if worth or (pieces > 1 and job.waits):
            threads.finish(job, job.cancel)
    failure = job.failure()
    if failure is not None:
        raise _error(array, *failure)
    return result


def _error(
    array: ChunkedArray, status: int, number: int, found: int, expected: int, stored: int, name: str
) -> Exception:
    """Return the error for what `Job.failure` tells."""
    if status == _NOT_STORED:
        return array.not_stored(name)
    key = array.key_of(name)
    if status == _SYSTEM and number == errno.EDEADLK:
        return refused(array, name)
    if status == _SYSTEM:
        return OSError(number, os.strerror(number), os.path.join(os.fsdecode(array.folder or b""), name))
    if status == _NO_MEMORY:
        return MemoryError(f"chunk {key!r}: no memory for {found} bytes")
    return array.error(key, dispatch.describe(status, found, expected), stored)


# ---- reading


def read_files(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    """Read chunks that are files of their own."""
    assert array.layout is not None
    try:
        job = Job(array.layout, plan, out, False, 0, threads.get_threads())
        if array.missing_fails:
            job.require()
    except (FileNotFoundError, NotADirectoryError):
        return _fill(array, plan, out)
    try:
        _drain(array, job)
    except FileNotFoundError:
        # The only file that is wanted is missing, and its folder.
        return _fill(array, plan, out)
    if array.metadata.swapped:
        out.byteswap(inplace=True)
    return True


def _fill(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    """Read from a folder that is not there: no chunk was ever written, and the metadata are elsewhere."""
    array.check_there()
    if array.missing_fails:
        raise array.not_stored(array.metadata.chunk_key_encoding.encode(next(plan.parts()).coords))
    plan.view(out).view(array.item)[...] = array.raw_fill
    return True


def read_shard(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    """Read chunks in an open shard; declines one that is fetched in several requests."""
    assert array.layout is not None
    assert isinstance(array.store, Shard)
    job = ShardJob(array.layout, plan, out, False, 0, threads.get_threads())
    if not array.store.attach(job):
        return False
    if array.missing_fails:
        job.require()
    _drain(array, job)
    if array.metadata.swapped:
        out.byteswap(inplace=True)
    return True


def read_located(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    """Read from where the store says that the chunks lie in a file; declines if not."""
    assert array.layout is not None
    locate: Any = array.store
    job = PlacedJob(array.layout, plan, out, False, 0, threads.get_threads())
    if array.missing_fails:
        job.require()
    for first in range(0, job.total, _PLACES):
        stop = min(first + _PLACES, job.total)
        found = locate.locate(array.key_of(job.key(k)) for k in range(first, stop))
        if found is None:
            return False
        file, places = found
        job.place(first, places, file.fd)
        _drain(array, job)
    if array.metadata.swapped:
        out.byteswap(inplace=True)
    return True


def read_values(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    """Read chunks that are fetched from a store, a batch at a time."""
    assert array.values_layout is not None
    job = Job(array.values_layout, plan, out, False, 0, threads.get_threads())
    prefix = array.key_prefix
    keys = (prefix + job.key(k) for k in range(job.total))
    with closing(partial_reads.batches(array, plan, keys)) as batches:
        first, values, looked = 0, next(batches), False
        while values:
            if (not looked or array.missing_fails) and any(value is None for value in values):
                array.check_there()
                looked = True
                if array.missing_fails:
                    raise array.not_stored(job.key(first + [value is None for value in values].index(True)))
            job.give(first, list(values))
            first += len(values)
            # The next batch is fetched while this one is decoded.
            values = _drain(array, job, partial(next, batches, ()))
    if array.metadata.swapped:
        out.byteswap(inplace=True)
    return True


# ---- writing


def write_files(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> bool:
    """Write chunks that are files of their own; declines what only the store can deal with."""
    if field is not None or array.synchronizer is not None:
        return False
    assert array.layout is not None
    stored = _encodable(array, value)
    try:
        job = Job(array.layout, plan, stored, True, array.lock_seed, threads.get_threads())
    except FileNotFoundError:
        array.check_there()
        # The store makes the folder, as durable as its keys.
        array.store.make_folder(array.path)
        job = Job(array.layout, plan, stored, True, array.lock_seed, threads.get_threads())
    if array.check_held is not None:
        # Now that the folder is open: what another process makes at the same path is in another folder.
        array.check_held()
    try:
        _drain(array, job)
    except OSError as err:
        if err.errno not in _STORE_KNOWS:
            if err.errno == errno.ENOENT:
                array.check_there()
            raise
        return False
    if array.synced:
        sync_names(array, map(job.key, range(job.total)))
    return True


def sync_names(array: ChunkedArray, names: Iterable[str]) -> None:
    """Wait until the names of chunks, or shards, whose files are synced are on the disk, too.

    Together, since what a file system syncs of one folder is mostly what changed in all.
    """
    assert array.folder is not None
    folders = {""}
    for name in names:
        while (name := name.rpartition("/")[0]) not in folders:
            folders.add(name)
    # A file is there for good once the folders above are: so they come last, from the lowest up.
    below = sorted(folders, key=len, reverse=True)
    sync_files([os.path.join(array.folder, os.fsencode(name)) for name in below])


def write_values(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> bool:
    """Write chunks that a store takes, a batch at a time."""
    if field is not None or array.synchronizer is not None:
        return False
    array.check_there()
    source = plan.view(value).view(array.item)
    assert array.values_layout is not None
    stored, parts = _encodable(array, value), plan.parts()
    job = Job(array.values_layout, plan, stored, True, array.lock_seed, threads.get_threads())
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
    return True


def _encodable(array: ChunkedArray, value: Items) -> Items:
    """Return the items in the byte order in which they are stored."""
    return value.byteswap() if array.metadata.swapped else value


def _store(
    array: ChunkedArray, source: Items, window: requests.Window[_Encoded], batch: list[_Encoded]
) -> None:
    if array.store.concurrency > 1:
        window.add(batch)
        return
    whole = {name: value for name, _, value in batch if value is not None}
    if whole:
        with chunk_locks(array, whole):
            array.store.set_many({array.key_of(name): value for name, value in whole.items()})
    for chunk in batch:
        if chunk[2] is None:
            _store_chunk(array, source, chunk)


def _store_chunk(array: ChunkedArray, source: Items, chunk: _Encoded) -> None:
    name, part, value = chunk
    with chunk_lock(array, name):
        if value is None:
            write_chunk(array, array.key_of(name), part, part.placed(source))
        else:
            array.store[array.key_of(name)] = value


def write_shard(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> bool:
    """Write the chunks of an open shard, which is replaced by a new one."""
    if field is not None:
        return False
    stored = _encodable(array, value)
    try:
        _write_shard(array, plan, stored)
    except OSError as err:
        if err.errno not in _STORE_KNOWS:
            raise
        _write_shard(array, plan, stored, by_store=True)
    return True


def _pour(array: ChunkedArray, job: ShardJob, slot: Items, first: int) -> int:
    """Encode and add chunks in this thread alone for a moment; return the first one that is left."""
    # As `_drain` does: in slices, between which other threads may run, and helpers become idle.
    left = job.pour(slot, first, 0.1)
    failure = job.failure()
    if failure is not None:
        raise _error(array, *failure)
    return left


def _write_shard(array: ChunkedArray, plan: Plan, stored: Items, by_store: bool = False) -> None:
    assert array.layout is not None
    assert isinstance(array.store, Shard)
    shard, most_threads = array.store, threads.get_threads()
    job = ShardJob(array.layout, plan, stored, True, 0, most_threads)
    shard.begin(job, by_store)
    try:
        most = min(job.total, max(most_threads, _SHARD_BATCH // job.bound))
        slots: list[Items] = []
        first = turn = 0
        while first < job.total:
            # Helpers may be at work on other shards.
            helped = threads.idle() > 0
            if turn == len(slots):
                slots.append(np.empty(most * job.bound, np.uint8))
            if not helped and job.in_file:
                job.flush()
                first = _pour(array, job, slots[turn], first)
                continue
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
