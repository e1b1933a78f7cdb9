"""Whether chunks can be decoded: all that are stored are read, by the engine, into scratch.

There is no other decoder: what a read would notice is what is found. A few chunks are read at a time, which
bounds the memory; only if that fails, they are read one by one. A chunk at an edge is read as if the array
ended with the chunk, so that all of it is decoded.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zchunk._ext.selection.slices import Plan
from zchunk.codecs.checksum import Checksum
from zchunk.codecs.shard_index import EMPTY
from zchunk.engine.array import ChunkedArray
from zchunk.engine.execute import read
from zchunk.engine.shard import Shard
from zchunk.errors import ChunkError, CodecError, NodeNotFoundError, StoreError, ValueChangedError
from zchunk.indexing.plans import plan_basic
from zchunk.runtime import requests, threads
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.regular_grid import RegularGrid
from zchunk.wings.verification.report import Report

if TYPE_CHECKING:
    from zchunk.typing import ProgressLike

Coords = tuple[int, ...]
# Looks at a chunk that was decoded without an error: the array, the key, and the items.
Inspect = Callable[[ChunkedArray, str, np.ndarray[Any, Any]], str | None]

# Decoded bytes that are read at a time, by each thread; or those of one chunk. The second cache holds them.
_AT_A_TIME = 1 << 20


class Stored(NamedTuple):
    """An array, and the coordinates of chunks of it that are stored."""

    array: ChunkedArray
    coords: list[Coords]


def decode(
    report: Report, arrays: list[Stored], progress: ProgressLike, inspect: Inspect | None = None
) -> None:
    """Decode the stored chunks of arrays, and report those that cannot be, or that `inspect` objects to."""
    decoder, lock = Decoder(report, inspect), threading.Lock()
    with reporting_progress(progress, lambda: sum(len(a.coords) for a in arrays), "chunks") as advance:

        def count(amount: int) -> None:
            with lock:
                report.counts["decoded"] += amount
                advance(amount)

        for stored in arrays:
            decoder.check(stored.array, stored.coords, count)


class Decoder:
    """Decodes the stored chunks of arrays, and reports those that cannot be.

    Parameters
    ----------
    report : Report
        Gets the findings.
    inspect : callable, optional
        What else is to be held against a chunk, see `Inspect`. Then chunks are read one by one.
    """

    def __init__(self, report: Report, inspect: Inspect | None = None) -> None:
        self._report = report
        self._inspect = inspect
        # Arrays of which it was said that a codec is missing, or that they are gone.
        self._told: set[str] = set()
        # The memory of each thread that chunks are decoded into, one after the other.
        self._scratch = threading.local()

    def check(
        self, array: ChunkedArray, coords: list[Coords], advance: Callable[[int], object]
    ) -> None:
        """Decode the chunks, or shards, at `coords`; `advance` is told how many are done."""
        sharded = array.metadata.shards is not None
        one_by_one = sharded or array.metadata.edges is not None or self._inspect is not None
        boxes = [Stored(array, [at]) for at in coords] if one_by_one else list(_boxes(array, coords))

        def work(box: Stored) -> None:
            if sharded:
                self._check_shard(array, box.coords[0])
            else:
                self._check_box(box)
            advance(len(box.coords))

        if not boxes:
            return
        if array.store.concurrency > 1:
            requests.each(work, boxes, array.store.batch_size(max(array.metadata.chunk_nbytes, 1)))
        else:
            threads.each(iter(boxes), len(boxes), work)

    # ---- chunks

    def _check_box(self, box: Stored) -> None:
        array, coords = box
        if len(coords) > 1:
            try:
                self._read(array, coords)
                return
            except Exception:
                # Which of them it is comes out below.
                pass
        for at in coords:
            one = array if array.metadata.edges is None else array.with_chunks(_shape_at(array, at))
            self._check_chunk(one, at, partial(self._report.add, one.key(at)))

    def _check_chunk(self, array: ChunkedArray, at: Coords, add: Callable[..., None]) -> None:
        try:
            items = self._read(array, [at])
        except ValueChangedError:
            # The shard that it is in was replaced.
            raise
        except NodeNotFoundError:
            # It was deleted meanwhile.
            return
        except Exception as err:
            self._add_damage(array, at, err, add)
            return
        found = None if self._inspect is None else self._inspect(array, array.key(at), items)
        if found is not None:
            add("chunk-differs", found)

    def _read(self, array: ChunkedArray, coords: Sequence[Coords]) -> np.ndarray[Any, Any]:
        """Read the chunks at `coords` whole, with those between them. The items last until the next call."""
        lengths = array.metadata.chunk_shape
        first, last = [tuple(map(edge, zip(*coords, strict=True))) for edge in (min, max)]
        starts = [i * n for i, n in zip(first, lengths, strict=True)]
        ends = tuple([min((i + 1) * n, 2**63 - 1) for i, n in zip(last, lengths, strict=True)])
        plan = plan_basic(tuple(map(slice, starts, ends)), RegularGrid(ends, lengths))
        items = self._memory(plan, array)
        read(array, plan, items)
        return items

    def _memory(self, plan: Plan, array: ChunkedArray) -> np.ndarray[Any, Any]:
        dtype, order = array.metadata.dtype, array.order
        if array.objects or not dtype.itemsize:
            return plan.empty(dtype, order)
        nbytes = math.prod(plan.shape) * dtype.itemsize
        memory: np.ndarray[Any, Any] | None = getattr(self._scratch, "memory", None)
        if memory is None or memory.nbytes < nbytes:
            memory = self._scratch.memory = np.empty(nbytes, np.uint8)
        return np.ndarray(plan.shape, dtype, memory, order="F" if order == "F" else "C")

    def _add_damage(
        self, array: ChunkedArray, at: Coords, err: Exception, add: Callable[..., None]
    ) -> None:
        kind = _kind_of_damage(array, array.key(at), err)
        if kind == "not-checked":
            if array.where in self._told:
                return
            self._told.add(array.where)
        add(kind, _reason(err, array))

    # ---- shards

    def _check_shard(self, array: ChunkedArray, at: Coords) -> None:
        key = array.key(at)
        try:
            one = array if array.metadata.edges is None else array.with_chunks(_shape_at(array, at))
            try:
                # Or the archive's own checksum of the shard would not be looked at.
                self._look_into(one, at, key, whole=array.store._checks_values)
            except ValueChangedError:
                self._look_into(one, at, key, whole=True)
        except NodeNotFoundError:
            return
        except ChunkError as err:
            self._report.add(key, "shard-index", _reason(err, array))
        except (CodecError, MemoryError) as err:
            self._report.add(key, "not-checked", _reason(err, array))
        except Exception as err:
            self._report.add(key, "unreadable", _reason(err, array))

    def _look_into(self, array: ChunkedArray, at: Coords, key: str, whole: bool) -> None:
        with Shard(array, at, whole=whole) as shard:
            entries = shard.entries
            if entries is None:
                return
            self._check_places(array, shard, key)
            inner = array.inner(shard, shard.name, shard.stamp)
            there = (entries[:, 0] != EMPTY).reshape(array.index.shape)
            coords = [tuple(found) for found in np.argwhere(there).tolist()]
            if self._inspect is not None or inner.metadata.shards is not None:
                self._check_one_by_one(inner, coords, key)
                return
            for box in _boxes(inner, coords):
                self._check_inner(inner, box.coords, key)

    def _check_inner(self, inner: ChunkedArray, coords: list[Coords], key: str) -> None:
        try:
            self._read(inner, coords)
        except ValueChangedError:
            raise
        except Exception:
            self._check_one_by_one(inner, coords, key)

    def _check_one_by_one(self, inner: ChunkedArray, coords: list[Coords], key: str) -> None:
        for at in coords:
            self._check_chunk(inner, at, partial(self._report.add, key, inner=at))

    def _check_places(self, array: ChunkedArray, shard: Shard, key: str) -> None:
        """Report chunks of a shard that lie one over another, or over the index, and what lies in none."""
        assert shard.entries is not None
        there = shard.entries[shard.entries[:, 0] != EMPTY].astype(np.int64)
        there = there[np.argsort(there[:, 0], kind="stable")]
        index, size = array.index.nbytes, shard.nbytes
        start, stop = (index, size) if array.index.location == "start" else (0, size - index)
        offset, end = there[:, 0], there[:, 0] + there[:, 1]
        over = np.flatnonzero(offset[1:] < np.maximum.accumulate(end)[:-1]) if len(there) else ()
        outside = len(there) > 0 and bool(offset[0] < start or end.max() > stop)
        if len(over) or outside:
            what = "chunks lie over the index" if outside else f"{len(over)} chunks lie over others"
            self._report.add(key, "shard-overlap", what)
        elif (left := stop - start - int(there[:, 1].sum())) > 0:
            self._report.add(key, "shard-hole", f"{left} of {size} bytes belong to no chunk")


def _shape_at(array: ChunkedArray, at: Coords) -> Coords:
    return array.metadata.grid.shape_of(at)


def _boxes(array: ChunkedArray, coords: Iterable[Coords]) -> Iterator[Stored]:
    """Yield the chunks at `coords`, those that are side by side together, some bytes at a time."""
    room = max(_AT_A_TIME // max(array.metadata.chunk_nbytes, 1), 1)
    lengths = [1] * array.metadata.ndim
    for axis in reversed(range(len(lengths))):
        lengths[axis] = max(min(array.metadata.grid.cdata_shape[axis], room), 1)
        room //= lengths[axis]
    found: dict[Coords, list[Coords]] = {}
    for at in coords:
        found.setdefault(tuple([i // n for i, n in zip(at, lengths, strict=True)]), []).append(at)
    return (Stored(array, listed) for listed in found.values())


def _kind_of_damage(array: ChunkedArray, key: str, err: Exception) -> str:
    """Return the kind of finding that it is if a chunk could not be read."""
    if isinstance(err, MemoryError | CodecError):
        return "not-checked"
    chain = array.chain
    try:
        size, most = array.store.size(key), chain.most_stored
        if most is not None and size > most:
            # Some stores do not even give it.
            return "chunk-size"
        if isinstance(err, OSError) and not isinstance(err, ChunkError):
            return "unreadable"
        value = array.store[key]
    except StoreError:
        # An archive has a checksum of its own.
        return "chunk-checksum" if isinstance(err, ChunkError) else "unreadable"
    except Exception:
        return "unreadable"
    last = chain.compressors[-1] if chain.compressors else None
    if isinstance(last, Checksum):
        try:
            last.decode(value)
        except RuntimeError:
            return "chunk-checksum"
    elif last is None and not chain.filters and size != chain.nbytes:
        return "chunk-size"
    return "chunk-undecodable"


def _reason(err: BaseException, array: ChunkedArray) -> str:
    """Return what an error says, without where that was, which the key says; long codecs come last."""
    text = str(err) or type(err).__name__
    begin, found, rest = text.partition(" cannot be decoded with ")
    if text.startswith("shard "):
        return text.partition(" not written to its end: ")[2] or text
    if not found or not begin.startswith("chunk "):
        return text
    codecs = repr(array.chain)
    detail = rest.removeprefix(f"{codecs}: ")
    return rest if detail == rest else f"{detail}, by {codecs}"
