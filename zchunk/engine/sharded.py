"""Reading and changing shards, whoever else changes them meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from zchunk._ext.selection.basic import ChunkPart, Plan
from zchunk.engine.array import ChunkedArray
from zchunk.engine.shard import Shard
from zchunk.errors import ChunkError, CodecError, ValueChangedError
from zchunk.indexing.plans import plan_within
from zchunk.runtime import requests, threads
from zchunk.runtime.locks import replacing, state
from zchunk.spec.regular_grid import RegularGrid
from zchunk.storage.mapping import KVStore


def each_shard(
    array: ChunkedArray, plan: Plan, work: Callable[[ChunkPart], None], some: bool = False
) -> None:
    """Do the work on every shard of a plan, on several at a time.

    `some` says that no more of each is in memory than the chunks that the plan touches.
    """
    if array.store.concurrency < 2 or plan.touched < 2:
        threads.each(plan.parts(), plan.touched, work)
        return
    nbytes = array.metadata.chunk_nbytes
    if some:
        touched = part_plan(array, plan, next(plan.parts())).touched
        nbytes = min(nbytes, touched * array.metadata.innermost.chunk_nbytes)
    requests.each(work, plan.parts(), array.store.batch_size(nbytes))


def read_shard(array: ChunkedArray, coords: tuple[int, ...], read: Callable[[Shard], None]) -> None:
    """Have `read` read from a shard, so that all is of one state of it whoever replaces it meanwhile.

    An open file is one state. Another store that gives ranges may give the index of one and chunks of the
    next: then the shard is read in one piece.
    """
    whole = False
    if array.folder is None and array.store.ranged and not array.in_shard:
        name = array.lock_seed, array.metadata.chunk_key_encoding.encode(coords)
        before = state(name)
        if before is not None:
            try:
                with Shard(array, coords) as shard:
                    read(shard)
                    if state(name) == before and shard.is_unchanged():
                        return
            except (ChunkError, CodecError, KeyError, ValueChangedError):
                # Perhaps another process has replaced it.
                pass
        whole = True
    with Shard(array, coords, whole=whole) as shard:
        read(shard)


def write_shard(
    array: ChunkedArray, coords: tuple[int, ...], blank: bool, write: Callable[[Shard], None]
) -> None:
    """Have `write` write to a shard, by a thread that holds its lock; to one without chunks if `blank`.

    In a folder it replaces the file. Elsewhere what is stored becomes what the store's `modify` says, so
    that no update of others is lost where the store sees to that.
    """
    if array.folder is not None or blank or array.in_shard:
        with Shard(array, coords, blank) as shard:
            write(shard)
        return
    key = array.key(coords)

    def change(data: bytes | None) -> bytes | None:
        held: dict[str, bytes] = {} if data is None else {key: data}
        with Shard(array.in_store(KVStore(held)), coords) as shard:
            write(shard)
        return held.get(key)

    with replacing((array.lock_seed, array.metadata.chunk_key_encoding.encode(coords))):
        array.store.modify(key, change)


def part_plan(array: ChunkedArray, plan: Plan, part: ChunkPart) -> Plan:
    """Return what a selection selects of one shard: a plan of the array in it."""
    metadata = array.metadata
    assert metadata.shards is not None
    inner = metadata.shards.inner
    # Not the array's shape: a shard may be wanted with what lies beyond the edge, to be kept.
    lengths = zip(plan.extents, part.coords, metadata.chunk_shape, strict=True)
    grid = RegularGrid(tuple([min(c, n - i * c) for n, i, c in lengths]), inner.chunk_shape)
    return plan_within(plan, part.inner, grid, inner.order)
