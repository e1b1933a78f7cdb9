"""The rechunking of one array: its target, its plan, and the tasks that an earlier call has done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from zchunk.codecs.registry import trusted_ids
from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.creation.arrays import create
from zchunk.creation.conversion import (
    attributes_of,
    chunks_of_view,
    merged,
    names_along,
    parameters_of,
)
from zchunk.creation.likeness import chunks_of
from zchunk.creation.nodes import check_absent, new_array, refuse_foreign
from zchunk.engine.array import ChunkedArray
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import Format, find
from zchunk.runtime.near_names import near
from zchunk.runtime.threads import get_threads
from zchunk.spec.keys import DIMENSIONS, UNFINISHED_KEY, join
from zchunk.spec.regular_grid import RegularGrid, lists_lengths, normalize_chunks
from zchunk.storage import KVStore, MemoryStore, Store
from zchunk.storage.local.mark_files import STAYS
from zchunk.storage.marks import Mark, being_made, set_mark, surely_marked
from zchunk.wings.rechunking import memory
from zchunk.wings.rechunking.executors import Executor
from zchunk.wings.rechunking.journal import Journal
from zchunk.wings.rechunking.plan import Plan, box_of, least_items, make_plan, shape_of
from zchunk.wings.rechunking.tasks import Job, Made

# A task is no larger if nothing has to be kept: its memory is reused, in part from the caches.
_ENOUGH = 32 << 20
# How often chunks of local files, with native codecs, are read before an intermediate copy costs less; and
# how many bytes of an uncompressed chunk are read alone as fast as together with others.
_READS = 2.0
_RUN = 1 << 15


class Making:
    """The rechunking of one array: call `choose`, then `begin`, `run` and `end`.

    Parameters
    ----------
    source : Array or LazyItems
        The array to rechunk, or the view.
    store, path : Store, str
        The place of the target.
    fmt : Format
        Format of the target.
    given : dict
        Parameters of `create` that differ from the source.
    """

    executor: Executor
    plan: Plan
    _mark: Mark | None = None
    # Whether an earlier call has put the metadata in their place, at its end.
    _there = False

    def __init__(
        self, source: Array | LazyItems, store: Store, path: str, fmt: Format, given: dict[str, Any]
    ) -> None:
        self.source = source
        # The stored arrays that are read, and as the engine has them.
        self._arrays: tuple[Any, ...] = source.arrays if isinstance(source, LazyItems) else (source,)
        self._read = [array._current for array in self._arrays]
        self._store = store
        self._path = path
        self._format = fmt
        found = {"dtype": source.dtype, "write_empty_chunks": self._arrays[0].write_empty_chunks}
        found |= parameters_of(source, fmt.version) | {"attributes": attributes_of(source, fmt.version)}
        parameters = merged(found, given)
        self._attributes = parameters["attributes"]
        self._write_empty = parameters["write_empty_chunks"]
        # It is not in its place yet, since it is to be compared with what may be there.
        like = MemoryStore(dimension_separator=store._dimension_separator)
        made = create(source.shape, store=like, path=path, zarr_format=fmt.version, **parameters)
        self._metadata = made.metadata
        self._chunked = ChunkedArray(made.metadata, store, path)
        self._new = new_array(store, path, made.metadata, self._attributes)

    @property
    def native(self) -> bool:
        """Whether reading and writing use all threads by themselves."""
        ends = (*self._read, self._chunked)
        return all(a.folder is not None and a.metadata.innermost.chain.native_spec is not None for a in ends)

    @property
    def nbytes(self) -> int:
        """Bytes of the items that all stages read or write."""
        return self.source.nbytes * len(self.plan.stages)

    # ---- the plan

    def choose(self, executor: Executor, limit: int) -> None:
        """Choose a plan by which all tasks at any time take no more than `limit` bytes.

        Raises
        ------
        ValueError
            One task takes more.
        """
        self.executor = executor
        shape, source, target = self.source.shape, self._read_chunks(), self._metadata.grid.steps
        beside = max(*map(memory.of_reading, self._read), memory.of_writing(self._chunked))
        each = max(self._item_nbytes(), 1)
        least = least_items(shape, source, target)
        if self.source.dtype.hasobject:
            # Their size is not known, and they cannot be kept as bytes.
            region = RegularGrid(shape, tuple(max(min(n, c), 1) for n, c in zip(shape, target, strict=True)))
            self.plan = Plan(region, region, 0)
            return
        while (items := (limit // executor.workers - beside) // each) < least:
            if executor.workers == 1 or executor.fixed:
                nbytes = executor.workers * (least * each + beside)
                raise ValueError(
                    f"max_memory is {limit} bytes; to rechunk {self.source!r} from {source} to {target} "
                    f"takes {nbytes} bytes at least"
                )
            executor.workers -= 1
        reads, run = self._reads()
        self.plan = make_plan(shape, source, target, items, get_threads(), _ENOUGH // each, reads, run)

    def _reads(self) -> tuple[float, int]:
        """Return how often items may be read, and how many of them alone; see `make_plan`."""
        current = self._read[0]
        layout, item = current.layout, max(self.source.dtype.itemsize, 1)
        if isinstance(self.source, LazyItems) or current.folder is None or layout is None:
            return 1, 0
        raw = not current.metadata.compressors and current.metadata.order == "C"
        return _READS, _RUN // item if raw else 0

    def _read_chunks(self) -> tuple[int, ...]:
        """Return the lengths of a chunk, or of a shard that is read as a whole."""
        if isinstance(self.source, LazyItems):
            return chunks_of_view(self.source)
        current = self._read[0]
        in_parts = current.folder is not None or current.store.ranged
        return current.metadata.grid_of_chunks.largest if in_parts else current.metadata.grid.largest

    def _item_nbytes(self) -> int:
        """Return the bytes that an item takes on its way: once more for each conversion."""
        metadata = self._metadata
        nbytes = self.source.dtype.itemsize
        if isinstance(self.source, LazyItems):
            # Parts of it are put in their place by a copy.
            nbytes *= 2
        nbytes += max([0 if a.source is None else a.source.metadata.dtype.itemsize for a in self._read])
        if metadata.dtype != self.source.dtype:
            nbytes += metadata.dtype.itemsize
        if metadata.swapped:
            nbytes += metadata.dtype.itemsize
        return nbytes

    # ---- the work

    def begin(self, temp: Store, overwrite: bool) -> None:
        """Put the target in its place, or find what an earlier call has done.

        Raises
        ------
        BeingMadeError
            Another process rechunks into the same place, or makes something else there.
        ContainsArrayError, ContainsGroupError
            Something else is there, and `overwrite` is false.
        StoreError
            Another rechunking was not finished, and `overwrite` is false.
        """
        self._journal = Journal(temp, self._path, self._parameters())
        # What its record says of another call is none of this one's business as long as that is at work.
        if surely_marked(self._store, self._path):
            raise being_made(self._store, self._path)
        if not self._resume(overwrite):
            self._make(overwrite)
        made = Made(
            self._access,
            self._new.document,
            self._published,
            self._mark if self.executor.processes else None,
        )
        self.target = made.open()
        self._job = Job(self.source, made, self.plan, temp, self._journal.pieces)

    def _resume(self, overwrite: bool) -> bool:
        """Take the place of the target over from an earlier call that was killed, if there was one."""
        # If not, it was deleted or replaced, or is not ready for chunks.
        ready = self._journal.resumes(overwrite) and self._journal.made and self._is_made()
        if not ready:
            return False
        mark = set_mark(self._store, self._path, self._content, replacing=True)
        if not self._journal.made:
            # Another call has taken it over before, and finished.
            mark.give_up()
            return False
        self._mark, self._there = mark, not self._published and find(self._store, self._path) is not None
        return True

    def _make(self, overwrite: bool) -> None:
        """Make the place of the target ready for its chunks."""
        if not overwrite and not (self._published and self._is_marked):
            check_absent(self._store, self._path)
        refuse_foreign(self._store, self._path)
        # An earlier call may have begun to make it, with the metadata before all chunks.
        begun = self._published and self._is_marked
        mark = self._mark = self._new.prepare(overwrite or begun, filled=True, content=self._content)
        assert mark is not None
        try:
            self._journal.begin()
            if self._published:
                self._new.publish(True, mark)
            self._journal.add_made()
        except BaseException:
            self._journal.erase()
            mark.give_up()
            raise

    @property
    def _published(self) -> bool:
        """Whether the metadata come first, because the store decides what they will be."""
        return self._new.metadata is None

    @property
    def _content(self) -> bytes:
        """What the mark says: of which array the chunks beside it are."""
        # Metadata that come first are no sign that the chunks are there.
        return (STAYS if self._published else b"") + self._new.items[self._format.array_key]

    @property
    def _access(self) -> Access:
        return Access(
            self._store,
            self._path,
            self._format.version,
            write_empty_chunks=bool(self._write_empty),
            trusted=trusted_ids(*self._metadata.codecs),
        )

    def _is_made(self) -> bool:
        if self._is_marked:
            return True
        if self._new.metadata is None:
            return False
        # The call was killed between its last two steps.
        try:
            there = self._format.read_array(self._store, self._path, self._access.trusted)
        except KeyError:
            return False
        return self._rendered(there) == self._rendered(self._new.metadata)

    @property
    def _is_marked(self) -> bool:
        # Versions before did not sign it.
        mark = self._store.get(join(self._path, UNFINISHED_KEY), b"")
        return mark.endswith(self._new.items[self._format.array_key])

    def _rendered(self, metadata: ArrayMetadata) -> str:
        return self._format.array_items(metadata)[self._format.array_key].decode()

    def _parameters(self) -> dict[str, Any]:
        """Return what must be the same for a call to resume where another one stopped."""
        source, fmt = self.source, self._format
        return {
            "source": source.identity(_identity) if isinstance(source, LazyItems) else _identity(source),
            "target": [_name(self._store), self._path, self._rendered(self._metadata)],
            "write_empty_chunks": self._write_empty,
            "zarr_format": fmt.version,
            "regions": [list(grid.chunk_shape) for grid in self.plan.stages],
        }

    def run(self, advance: Callable[[int], None]) -> None:
        """Run all tasks that are not done; `advance` is called with the bytes of the items of each."""
        if not self.source.nbytes:
            return
        for stage, grid in enumerate(self.plan.stages):
            finished = {number for number in self._journal.done(stage) if number < grid.nchunks}

            def done(number: int, stage: int = stage, grid: RegularGrid = grid) -> None:
                self._journal.add(stage, number)
                advance(self._nbytes_of(grid, number))

            for number in finished:
                advance(self._nbytes_of(grid, number))
            left = (number for number in range(grid.nchunks) if number not in finished)
            self.executor.run(self._job, stage, left, grid.nchunks - len(finished), done)

    def _nbytes_of(self, grid: RegularGrid, number: int) -> int:
        return int(np.prod(shape_of(box_of(grid, number)), dtype=object)) * self.source.dtype.itemsize

    def publish(self) -> None:
        """Put the metadata in their place: the array is complete."""
        assert self._mark is not None
        if not self._published:
            self._mark.check()
            self._new.publish(not self._there, self._mark)
        self._mark.remove()

    def leave(self) -> None:
        """Let a later call go on, after an error."""
        if self._mark is not None:
            self._mark.forget()

    def end(self) -> None:
        """Delete the intermediate copy and the record."""
        self._journal.erase()


def _identity(array: Any) -> list[str]:
    """Return what tells an array from others, also from itself with other metadata."""
    fmt = array._format
    return [_name(array.chunk_store), array.path, fmt.array_items(array.metadata)[fmt.array_key].decode()]


def _name(store: Store) -> str:
    """Return a name by which a store is recognised, also in another process that has the same values."""
    if store.root is not None:
        return os.path.realpath(store.root)
    return store.lock_identity if isinstance(store, KVStore | MemoryStore) else repr(store)


def chunks_of_all(chunks: Any, arrays: Mapping[str, Array | LazyItems]) -> dict[str, Any]:
    """Return the chunk shape of the target for each array, as `rechunk` takes it.

    Raises
    ------
    ValueError
        A name belongs to no array and no axis.
    """
    by_path = False
    if isinstance(chunks, Mapping):
        axes = {name for array in arrays.values() for name in _names(array)}
        # An array alone has no path. In a group lists are of an array, unless only an axis has the name.
        listed = any(isinstance(c, Mapping | tuple | list) for c in chunks.values())
        by_path = "" not in arrays and listed and not chunks.keys() <= axes - arrays.keys()
        known = set(arrays) if by_path else axes
        if unknown := chunks.keys() - known:
            raise ValueError(_unknown(unknown, known, "array in the group" if by_path else "axis"))
    return {
        path: _chunks_of(array, chunks.get(path) if by_path else chunks) for path, array in arrays.items()
    }


def _unknown(names: Iterable[object], known: Iterable[str | None], kind: str) -> str:
    """Return the error for chunks by names that nothing has."""
    there = sorted(name for name in known if name is not None)
    wrong = sorted(map(str, names))
    if not there:
        return f"chunks are given for {wrong!r:.200}, and no {kind} has a name"
    meant = near(wrong[0], there) or f": there are {', '.join(map(repr, there))}"
    return f"chunks are given for {wrong!r:.200}, which no {kind} is called{meant:.200}"


def _names(array: Any) -> Iterator[str | None]:
    """Yield the names of the axes."""
    if isinstance(array, LazyItems):
        names = [*_names(array.arrays[0])]
        yield from names_along(array, names) if names else ()
        return
    names = array.dimension_names or array.attrs.get(DIMENSIONS)
    if isinstance(names, list | tuple) and len(names) == array.ndim:
        yield from names


def _chunks_of(array: Array | LazyItems, chunks: object) -> Any:
    old: tuple[int, ...] = chunks_of(array)
    if chunks is None:
        return old
    if isinstance(chunks, Mapping):
        chunks = tuple(chunks.get(name, c) for name, c in zip([*_names(array)] or old, old, strict=True))
    if isinstance(chunks, str) and chunks == "auto":
        chunks = True
    if lists_lengths(chunks):
        return chunks
    return normalize_chunks(chunks, array.shape, array.dtype.itemsize)
