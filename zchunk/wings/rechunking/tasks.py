"""Tasks: each reads one region, and writes it or cuts it into pieces. Any process may run one."""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.core.properties import find_array
from zchunk.errors import StoreError
from zchunk.metadata.formats import get_format
from zchunk.runtime import threads
from zchunk.spec.keys import join
from zchunk.spec.regular_grid import RegularGrid
from zchunk.storage import Store
from zchunk.storage.marks import Mark, Working
from zchunk.wings.rechunking.plan import Box, Plan, box_of, meeting, shape_of, within

# At most this many chunks are counted before the work begins; of more, each task looks up its own.
_COUNTED = 100_000


class Made(NamedTuple):
    """An array that is being made: its metadata are put in their place after all chunks."""

    access: Access
    document: bytes
    # Whether the metadata are in their place already.
    published: bool
    # That of the process that makes it, for workers that may outlive it.
    mark: Mark | None = None

    @property
    def working(self) -> AbstractContextManager[object]:
        """What a worker is in while it runs a task: an error if the process that makes the array is gone."""
        return nullcontext() if self.mark is None else Working(self.mark)

    def open(self) -> Array:
        """Return the array."""
        access = self.access
        if self.published or access.version is None:
            return Array._of(*find_array(access))
        fmt, separator = get_format(access.version), access.store._dimension_separator or "."
        return Array._of(access, fmt.parse_array(self.document, fmt.array_key, separator, access.trusted))


class Job:
    """The rechunking of one array; a stage is a grid of regions, each of which is a task.

    It pickles if its stores do. Tasks of one stage may run in any order and at the same time; those of the
    first stage come before those of the second.

    Parameters
    ----------
    source : Array or LazyItems
        The array, or the view, to read.
    made : Made
        The array to write.
    plan : Plan
        The regions.
    pieces : Store
        Holds the intermediate copy: pieces of items as they are in memory.
    path : str
        The path of the pieces in it.
    """

    def __init__(self, source: Array | LazyItems, made: Made, plan: Plan, pieces: Store, path: str) -> None:
        self.source = source
        self._made = made
        self.target = target = made.open()
        self.plan = plan
        self.pieces = pieces
        self.path = path
        self.order: Any = "C"
        # Whether every chunk of the target must be written. It is not known which items of a view are stored.
        self.dense = True
        # As what pieces of items are moved.
        self.item = np.dtype((np.void, source.dtype.itemsize))
        if isinstance(source, Array):
            self.order = "F" if source.order == target.order == "F" else "C"
            self.dense = not _same_fill(source, target) or _is_stored(source)
            self.item = source._current.item

    def __getstate__(self) -> dict[str, Any]:
        # An array pickles as its place, but there are no metadata yet.
        return {name: value for name, value in vars(self).items() if name != "target"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.target = self._made.open()

    def run(self, stage: int, number: int, memory: Memory) -> None:
        """Run a task: the region of this number in a stage."""
        with self._made.working:
            self._run(stage, number, memory)

    def _run(self, stage: int, number: int, memory: Memory) -> None:
        box = box_of(self.plan.stages[stage], number)
        stored = Stored(self.source, box, self.dense)
        if not stored.any(box):
            return
        items = memory.items(shape_of(box), self.source.dtype, self.order)
        if stage < len(self.plan.stages) - 1:
            self._read(box, items)
            self._each(self.plan.write, box, partial(self._cut, number, box, items, stored))
            return
        if self.plan.direct:
            self._read(box, items)
        else:
            self._each(self.plan.read, box, partial(self._put, number, box, items, stored))
        self._write(box, items, stored)

    def _read(self, box: Box, items: np.ndarray[Any, Any]) -> None:
        if isinstance(self.source, Array):
            self.source.get_basic_selection(box, out=items)
        else:
            self.source._select(box).read(out=items)

    def _write(self, box: Box, items: np.ndarray[Any, Any], stored: Stored) -> None:
        if stored.all:
            self.target[box] = items
            return
        for part in self.target.iter_chunks(box):
            if stored.any(part):
                self.target[part] = items[within(part, box)]

    def _each(self, grid: RegularGrid, box: Box, work: Any) -> None:
        """Do the work on every piece of a region, on several at a time if there is memory for them."""
        count, pieces = meeting(grid, box)
        if self.plan.copies >= threads.get_threads():
            threads.each(pieces, count, work)
            return
        for piece in pieces:
            work(piece)

    def _cut(
        self, read: int, box: Box, items: np.ndarray[Any, Any], stored: Stored, piece: tuple[int, Box]
    ) -> None:
        """Store the piece that a region to read has in common with a region to write."""
        write, part = piece
        if not stored.any(part):
            return
        raw = self._raw(items)[within(part, box)]
        data = np.empty(raw.nbytes, np.uint8)
        data.view(raw.dtype).reshape(raw.shape, order=self.order)[...] = raw
        pieces: Any = self.pieces
        pieces[self._key(read, write)] = data

    def _put(
        self, write: int, box: Box, items: np.ndarray[Any, Any], stored: Stored, piece: tuple[int, Box]
    ) -> None:
        """Load the piece that a region to read has in common with a region to write."""
        read, part = piece
        raw = self._raw(items)[within(part, box)]
        if not stored.any(part):
            assert isinstance(self.source, Array)
            raw[...] = self.source._current.raw_fill
            return
        key = self._key(read, write)
        try:
            nbytes = self._fetch(key, raw)
        except (KeyError, FileNotFoundError):
            raise StoreError(f"{key!r}, a part of the intermediate copy, is not in {self.pieces!r}") from None
        if nbytes != raw.nbytes:
            raise StoreError(
                f"{key!r} in {self.pieces!r} has {nbytes} bytes, not the {raw.nbytes} that were written"
            )

    def _fetch(self, key: str, raw: np.ndarray[Any, Any]) -> int:
        """Put the items of a piece in their place, and return how many bytes it has."""
        together = raw.flags.f_contiguous if self.order == "F" else raw.flags.c_contiguous
        if together and self.pieces.root is not None:
            into: Any = raw.reshape(-1, order=self.order).view(np.uint8)
            return _read_file(os.path.join(self.pieces.root, key), memoryview(into))
        data = self.pieces[key]
        if len(data) == raw.nbytes:
            raw[...] = np.frombuffer(data, raw.dtype).reshape(raw.shape, order=self.order)
        return len(data)

    def _raw(self, items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return items.view(self.item)

    def _key(self, read: int, write: int) -> str:
        return join(self.path, f"{read}/{write}")


def _read_file(path: str, into: memoryview) -> int:
    """Read a file into its place, if it has the right number of bytes; return how many it has."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size != len(into):
            return size
        # A read returns at most 2 GiB.
        while n := file.readinto(into):
            into = into[n:]
        return size - len(into)


class Memory:
    """Memory that one task leaves to the next: what was taken once costs no time again."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def items(self, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any) -> np.ndarray[Any, Any]:
        """Return an array with any items, which is valid until the next call."""
        if dtype.hasobject:
            return np.empty(shape, dtype, order)
        nbytes = math.prod(shape) * dtype.itemsize
        if self._bytes.nbytes < nbytes:
            # The old array is released first.
            del self._bytes
            self._bytes = np.empty(nbytes, np.uint8)
        return self._bytes[:nbytes].view(dtype).reshape(shape, order=order)


class Stored:
    """The chunks of an array that have items in a box and are stored.

    Parameters
    ----------
    array : Array or LazyItems
        The array, with a regular grid unless `dense`.
    box : tuple of slice
        Not empty.
    dense : bool
        All count as stored.
    """

    def __init__(self, array: Array | LazyItems, box: Box, dense: bool) -> None:
        self.all = dense
        if dense:
            return
        assert isinstance(array, Array)
        current = array._current
        self._chunks = current.metadata.grid.largest
        ranges = self._ranges(box)
        self._first = [r.start for r in ranges]
        there = [current.key(coords) in current.store for coords in product(*ranges)]
        self._there = np.array(there).reshape(tuple(map(len, ranges)))
        self.all = all(there)

    def _ranges(self, box: Box) -> list[range]:
        return [range(s.start // c, -(-s.stop // c)) for s, c in zip(box, self._chunks, strict=True)]

    def any(self, box: Box) -> bool:
        """Whether a chunk that has items in this part of the box is stored."""
        if self.all:
            return True
        part = tuple(
            slice(r.start - first, r.stop - first)
            for r, first in zip(self._ranges(box), self._first, strict=True)
        )
        return bool(self._there[part].any())


def _same_fill(source: Array, target: Array) -> bool:
    """Whether a chunk that is not stored reads the same in both arrays."""
    old, new = source._current.fill_item, target._current.fill_item
    if source.dtype.hasobject or target.dtype.hasobject:
        return bool(source.dtype == target.dtype and old[()] == new[()])
    return old.astype(target.dtype).tobytes() == new.tobytes()


def _is_stored(array: Array) -> bool:
    """Whether all chunks are stored, if that is quickly known."""
    grid = array.metadata.grid
    if array.metadata.edges is not None:
        return True
    return grid.nchunks <= _COUNTED and array.nshards_initialized == grid.nchunks
