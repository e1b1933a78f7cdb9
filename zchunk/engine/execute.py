"""`read` and `write`: every read and write of chunks takes one of the routes of the table below.

=========== ============================================ ======================= =============================
Route       Taken by                                     Reader                  Writer
=========== ============================================ ======================= =============================
converted   a view that only converts items              reads what it views     -
cached      an array with a cache of decoded chunks      decodes what is missing -
files       native codecs, chunks are files              `native.read_files`     `native.write_files`
in_shard    native codecs, chunks in an open shard       `native.read_shard`     `native.write_shard`
located     native codecs, a store that says where the   `native.read_located`   -
            chunks lie in a file
values      native codecs, any other store               `native.read_values`    `native.write_values`
rectilinear chunks of several shapes                     reads regular arrays    writes regular arrays
sharded     chunks that are shards                       reads arrays in shards  writes arrays in shards
generic     everything else                              `generic.read_chunks`   `generic.write_chunks`
=========== ============================================ ======================= =============================

Routes are tried from the top; an array finds out once which ones take it. A reader or writer may decline, by
returning False before it has changed anything; then the next route is tried: the cache declines what does not
fit, the native writers decline a field of a structure and arrays with a synchronizer. Three routes are made
of others: an array in a shard, a regular part of a rectilinear grid, and what a view converts are arrays that
are read and written by the same table.

The generic route is the definition: any store, any codec, chunk by chunk in Python. The native ones agree
with it byte for byte and skip work where all codecs are native: they handle many chunks in one release of the
GIL, on several threads, and decode only what the selection needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from zchunk._ext.selection.positions import PointsPlan
from zchunk._ext.selection.slices import ChunkPart, Plan, assign_at, items_at
from zchunk.engine import chunk_cache, generic, native
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_and_shard_locks import Replacing, locks_to_change, state
from zchunk.engine.chunk_cache import Wanted
from zchunk.engine.shard import Shard
from zchunk.errors import ChunkError, CodecError, ValueChangedError
from zchunk.indexing.plans import plan_basic, plan_within
from zchunk.runtime import requests, threads
from zchunk.runtime import spare_memory as spare_memory  # bounds what results keep
from zchunk.spec.regular_grid import RegularGrid
from zchunk.storage.mapping import KVStore

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Block

Items: TypeAlias = np.ndarray[Any, Any]

# Whether the native executor may be used.
native_enabled = os.environ.get("ZCHUNK_NATIVE", "1") != "0"

# Below this many bytes of chunks, handing work to another thread costs more than it gains.
_SMALL_WORK = 1 << 20


def read(array: ChunkedArray, plan: Plan, out: Items) -> None:
    """Read the selection into `out`, which has the plan's shape and the array's dtype, and any strides."""
    if not out.size or not array.item.itemsize:
        return
    for reader, _ in array.routes.get(native_enabled) or _routes(array):
        if reader(array, plan, out):
            return


def write(array: ChunkedArray, plan: Plan, value: Items, field: str | None = None) -> None:
    """Write `value`, of the plan's shape (strides may be 0) and the array's dtype, or that of a field."""
    if not value.size or not array.item.itemsize:
        return
    if array.folder is not None:
        array.store.tidy(array.path)
    if array.metadata.shards is not None or array.metadata.edges is not None:
        if array.check_held is not None:
            array.check_held()
        # Their parts are forgotten one by one.
        _write(array, plan, value, field)
        return
    # Before it, too: Ctrl-C may come just before what follows.
    chunk_cache.forget_written(array, plan)
    try:
        _write(array, plan, value, field)
    finally:
        chunk_cache.forget_written(array, plan)


def _write(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> None:
    for _, writer in array.routes.get(native_enabled) or _routes(array):
        if writer is not None and writer(array, plan, value, field):
            return


# ---- views that convert


def _read_converted(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    # As its first filter would, but with all threads, and objects too.
    source = array.source
    assert source is not None
    items = plan.empty(source.metadata.dtype, array.metadata.innermost.order)
    read(source, plan, items)
    out[...] = items.astype(out.dtype, copy=False)
    return True


# ---- through the cache


def _read_cached(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    assert array.cache is not None
    target = plan.view(out).view(array.item)
    missing = array.cache.look_up(array, plan, target)
    if missing is None:
        return False
    uncached = array.uncached
    decode = partial(_decode_into, uncached, target)
    if len(missing) * array.metadata.chunk_nbytes < _SMALL_WORK:
        for wanted in missing:
            decode(wanted)
    else:
        threads.each(iter(missing), len(missing), decode)
    return True


def _decode_into(array: ChunkedArray, target: Items, wanted: Wanted) -> None:
    """Decode a chunk, with what lies beyond the edge of the array, and keep it."""
    assert array.cache is not None
    coords, lengths = wanted.parts[0].coords, array.metadata.chunk_shape
    ends = tuple([min((c + 1) * n, 2**63 - 1) for c, n in zip(coords, lengths, strict=True)])
    selection = tuple([slice(c * n, end) for c, n, end in zip(coords, lengths, ends, strict=True)])
    plan = plan_basic(selection, RegularGrid(ends, lengths))
    chunk = plan.empty(array.metadata.dtype, array.metadata.order)
    read(array, plan, chunk)
    array.cache.fill(array, wanted, chunk.view(array.item), target)


# ---- chunks of several shapes


def _read_rectilinear(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    _each_block(array, plan, partial(_read_block, array, plan, plan.view(out)))
    return True


def _write_rectilinear(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> bool:
    _each_block(array, plan, partial(_write_block, array, plan, plan.view(value), field))
    return True


def _each_block(array: ChunkedArray, plan: Plan, work: Callable[[Block], None]) -> None:
    """Do the work on every block of a plan, whose one chunk is the array."""
    grid: Any = array.metadata.grid
    for part in plan.parts():
        ranges = plan.ranges if isinstance(plan, PointsPlan) else None
        count, blocks = grid.split(part.inner, part.outer, ranges)
        threads.each(blocks, count, work)


def _read_block(array: ChunkedArray, plan: Plan, target: Items, block: Block) -> None:
    """Read the chunks of one shape that are side by side."""
    regular, into = array.with_chunks(block.chunk_shape), items_at(target, block.outer)
    read(regular, _plan_in_block(regular, plan, block), into)
    if any(not isinstance(entry, slice) for entry in block.outer):
        # Where positions are selected, `into` is a copy.
        assign_at(target.view(array.item), block.outer, into.view(array.item))


def _write_block(array: ChunkedArray, plan: Plan, source: Items, field: str | None, block: Block) -> None:
    regular = array.with_chunks(block.chunk_shape)
    write(regular, _plan_in_block(regular, plan, block), items_at(source, block.outer), field)


def _plan_in_block(regular: ChunkedArray, plan: Plan, block: Block) -> Plan:
    return plan_within(plan, block.inner, regular.metadata.grid, regular.metadata.order)


# ---- shards


def _read_sharded(array: ChunkedArray, plan: Plan, out: Items) -> bool:
    target = plan.view(out)
    cached = array.cache is not None and _fit_in_cache(array, plan, target.nbytes)
    _each_shard(array, plan, partial(_read_shard, array, plan, target, cached), some=True)
    return True


def _each_shard(
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
        touched = _plan_in_shard(array, plan, next(plan.parts())).touched
        nbytes = min(nbytes, touched * array.metadata.innermost.chunk_nbytes)
    requests.each(work, plan.parts(), array.store.batch_size(nbytes))


def _fit_in_cache(array: ChunkedArray, plan: Plan, nbytes: int) -> bool:
    """Whether all chunks in shards that a selection touches fit in the cache together."""
    assert array.cache is not None
    room = 0 if nbytes > array.cache.nbytes else array.cache.nbytes // array.metadata.innermost.chunk_nbytes
    for part in plan.parts():
        if room <= 0:
            return False
        room -= _plan_in_shard(array, plan, part).touched
    return room >= 0


def _plan_in_shard(array: ChunkedArray, plan: Plan, part: ChunkPart) -> Plan:
    """Return what a selection selects of one shard: a plan of the array in it."""
    metadata = array.metadata
    assert metadata.shards is not None
    inner = metadata.shards.inner
    # Not the array's shape: a shard may be wanted with what lies beyond the edge, to be kept.
    lengths = zip(plan.extents, part.coords, metadata.chunk_shape, strict=True)
    grid = RegularGrid(tuple([min(c, n - i * c) for n, i, c in lengths]), inner.chunk_shape)
    return plan_within(plan, part.inner, grid, inner.order)


def _read_shard(array: ChunkedArray, plan: Plan, target: Items, cached: bool, part: ChunkPart) -> None:
    """Read from one shard, so that all is of one state of it, also if a writer replaces it meanwhile.

    An open file is one state. Another store that gives ranges may give the index of one and chunks of the
    next: then the shard is read again in one piece.
    """
    # Before the shard is opened: what is forgotten from now on is not kept.
    since = array.cache.generations if cached and array.cache is not None else None
    in_requests = array.folder is None and array.store.ranged and not array.in_shard
    if in_requests and _read_unchanged(array, plan, target, since, part):
        return
    with Shard(array, part.coords, whole=in_requests) as shard:
        _read_opened(array, plan, target, since, part, shard)


def _read_unchanged(
    array: ChunkedArray, plan: Plan, target: Items, since: list[int] | None, part: ChunkPart
) -> bool:
    """Read from a shard in several requests; False if it may have been replaced meanwhile."""
    name = array.lock_seed, array.metadata.chunk_key_encoding.encode(part.coords)
    before = state(name)
    if before is None:
        return False
    try:
        with Shard(array, part.coords) as shard:
            _read_opened(array, plan, target, since, part, shard)
            return state(name) == before and shard.is_unchanged()
    except (ChunkError, CodecError, KeyError, ValueChangedError):
        # Perhaps another process has replaced it.
        return False


def _read_opened(
    array: ChunkedArray, plan: Plan, target: Items, since: list[int] | None, part: ChunkPart, shard: Shard
) -> None:
    if not shard.found:
        array.check_there()
        if array.missing_fails:
            raise array.not_stored(shard.name)
        part.place(target.view(array.item), array.raw_fill)
        return
    into = part.placed(target)
    inner = array.inner(shard, shard.name, shard.stamp, since is not None, since)
    read(inner, _plan_in_shard(array, plan, part), into)
    if part.outer and not isinstance(part.outer[0], slice):
        # Where positions are selected, `into` is a copy.
        part.place(target.view(array.item), into.view(array.item))


def _write_sharded(array: ChunkedArray, plan: Plan, value: Items, field: str | None) -> bool:
    array.check_there()
    _each_shard(array, plan, partial(_write_shard, array, plan, plan.view(value), field))
    if array.synced:
        encode = array.metadata.chunk_key_encoding.encode
        native.sync_names(array, (encode(part.coords) for part in plan.parts()))
    return True


def _write_shard(array: ChunkedArray, plan: Plan, source: Items, field: str | None, part: ChunkPart) -> None:
    """Write to one shard: replace its file in a folder, elsewhere its value by the store's `modify`.

    So no update of another process is lost where the store sees to that.
    """
    name = array.metadata.chunk_key_encoding.encode(part.coords)
    key, prefix = array.key_of(name), array.shard_prefix(name)
    blank = part.full and field is None
    outer, lock = locks_to_change(array, name, key)
    with outer, lock:
        # As in `write`.
        chunk_cache.forget_shard(array, prefix)
        try:
            if array.folder is not None or blank or array.in_shard:
                _write_opened(array, plan, source, field, part, blank)
            else:
                change = partial(_changed_shard, array, plan, source, field, part, key)
                array.store.refuse_larger(key, array.most_stored)
                with Replacing((array.lock_seed, name)):
                    array.store.modify(key, change)
        finally:
            chunk_cache.forget_shard(array, prefix)


def _changed_shard(
    array: ChunkedArray,
    plan: Plan,
    source: Items,
    field: str | None,
    part: ChunkPart,
    key: str,
    data: bytes | None,
) -> bytes | None:
    """Return what the bytes of a shard become; None if no chunk is left."""
    held: dict[str, bytes] = {} if data is None else {key: data}
    _write_opened(array.in_store(KVStore(held)), plan, source, field, part, False)
    return held.get(key)


def _write_opened(
    array: ChunkedArray, plan: Plan, source: Items, field: str | None, part: ChunkPart, blank: bool
) -> None:
    with Shard(array, part.coords, blank) as shard:
        inner = array.inner(shard, shard.name, shard.stamp)
        _write(inner, _plan_in_shard(array, plan, part), part.placed(source), field)
        shard.save()


# ---- the table


# They return False to decline.
Reader: TypeAlias = Callable[[ChunkedArray, Plan, Items], bool]
Writer: TypeAlias = Callable[[ChunkedArray, Plan, Items, str | None], bool]


class Route(NamedTuple):
    """How arrays that it `takes` are read and written."""

    name: str
    takes: Callable[[ChunkedArray], bool]
    read: Reader
    write: Writer | None


def _routes(array: ChunkedArray) -> list[tuple[Reader, Writer | None]]:
    """Return the readers and writers of an array, which it keeps: an array is what it is."""
    found = [(route.read, route.write) for route in ROUTES if route.takes(array)]
    array.routes[native_enabled] = found
    return found


def _is_native(array: ChunkedArray) -> bool:
    return native_enabled and array.layout is not None


def _in_files(array: ChunkedArray) -> bool:
    return array.folder is not None and native_enabled and array.layout is not None


def _is_located(array: ChunkedArray) -> bool:
    return hasattr(array.store, "locate") and _is_native(array)


ROUTES = (
    Route("converted", lambda a: a.source is not None, _read_converted, None),
    Route("cached", lambda a: a.keeps_chunks, _read_cached, None),
    Route("files", _in_files, native.read_files, native.write_files),
    Route("in_shard", lambda a: a.in_shard and _is_native(a), native.read_shard, native.write_shard),
    Route("located", _is_located, native.read_located, None),
    Route("values", _is_native, native.read_values, native.write_values),
    Route("rectilinear", lambda a: a.metadata.edges is not None, _read_rectilinear, _write_rectilinear),
    Route("sharded", lambda a: a.metadata.shards is not None, _read_sharded, _write_sharded),
    Route("generic", lambda a: True, generic.read_chunks, generic.write_chunks),
)
