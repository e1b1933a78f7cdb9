"""A shard: the chunks of an array that lie in one value, found by the index in it.

Sharding is a question of where chunks are. To the engine a shard is a store of its own, whose keys are the
coordinates of the inner chunks and whose values are ranges of bytes of the shard. What is written is
collected and put into the store by `save`, in one value.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Self

import numpy as np

from zchunk._ext.engine.shard_job import ShardJob
from zchunk._ext.io.descriptor import Descriptor
from zchunk.codecs.shard_index import EMPTY, ShardIndex
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_and_shard_locks import Replacing
from zchunk.engine.chunk_cache import Stamp, stamp_of
from zchunk.errors import ChunkError
from zchunk.runtime.lazy import cached_property
from zchunk.storage.base import Piece, Store
from zchunk.storage.local.files import read_at

# Chunks that are no farther apart are fetched together.
_GAP = 1 << 16
# But not more than this at a time, or one larger chunk: several requests at a time are faster.
_RUN = 8 << 20
# If inner chunks are smaller than this on average and many are wanted, the whole shard is read.
_SMALL = 1 << 15
_WHOLE = 64 << 20
# Most bytes of indexes that are kept for an open array.
_KEPT = 32 << 20
# O_NONBLOCK: opening a FIFO in the folder must not block.
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Shard(Store):
    """One shard of an array as a store of inner chunks, by keys such as ``"0.1"``.

    One thread may write to it, or any number of threads read from it. It must be closed.

    Parameters
    ----------
    array : ChunkedArray
        The array, whose chunks are shards.
    coords : tuple of int
        Of the shard in the array.
    blank : bool, optional
        Begin with an empty shard, whatever is stored: all of it will be written.
    whole : bool, optional
        Take it from the store in one piece.

    Raises
    ------
    ChunkError
        What is stored is not a shard.
    """

    def __init__(
        self, array: ChunkedArray, coords: tuple[int, ...], blank: bool = False, whole: bool = False
    ) -> None:
        self._array = array
        self._store = array.store
        self.name = array.metadata.chunk_key_encoding.encode(coords)
        self._index: ShardIndex = array.index
        self._fd = -1
        # The shard's own file. It is closed at the latest when nobody has the shard: Ctrl-C may come before a
        # `with` block begins.
        self._opened: Descriptor | None = None
        # The file of a store in which the shard begins at `_at`, as it is as long as it is held.
        self._file: Any = None
        self._at = 0
        self._whole = whole
        # All of the shard, once it is read in one piece.
        self._data: bytes | None = None
        self._piece: Piece | None = None
        self._size = 0
        # Whether there is a shard, and what it looks like: see `ChunkedArray.look`.
        self.found = False
        self.stamp: tuple[Stamp | None, bool] = array.stamp or (None, True)
        self._changes: dict[int, bytes | None] = {}
        self.entries: np.ndarray[Any, Any] | None = None
        if not blank:
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    # ---- what is stored

    def _open(self) -> None:
        folder, kept, name = self._array.folder, None, self.name
        if folder is not None:
            now = time.time_ns()
            status = self._open_file(folder + b"/" + name.encode())
            if status is None:
                return
            self.stamp = stamp_of(status, now)
            kept = self._array.indexes.get(name)
        elif not self._open_value():
            return
        self.found = True
        if kept is not None and kept[0] == self.stamp[0]:
            self.entries = kept[1]
            return
        self.entries = self._read_index()
        if folder is not None and self.stamp[1]:
            self._keep(name, self.stamp[0])

    def _keep(self, name: str, stamp: Stamp | None) -> None:
        indexes, entries = self._array.indexes, self.entries
        assert entries is not None
        if (len(indexes) + 1) * entries.nbytes > _KEPT:
            indexes.clear()
        if entries.nbytes <= _KEPT:
            indexes[name] = stamp, entries

    def _open_file(self, path: bytes) -> os.stat_result | None:
        try:
            self._opened = Descriptor(path, _FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        self._fd = self._opened.fd
        status = os.fstat(self._fd)
        self._size = status.st_size
        # A folder belongs to longer keys.
        return status if stat.S_ISREG(status.st_mode) else None

    def _open_value(self) -> bool:
        locate = None if self._whole else getattr(self._store, "locate", None)
        found = None if locate is None else locate([self.key])
        if found is not None:
            self._file, (place,) = found
            if place is not None:
                self._fd, (self._at, self._size, _) = self._file.fd, place
            return place is not None
        self._store.refuse_larger(self.key, self._array.most_stored)
        try:
            if self._in_requests:
                at_end = self._index.location == "end"
                self._piece = self._store.get_piece(self.key, self._index.nbytes, at_end)
                self._size = self._piece.size
            else:
                self._data = self._store[self.key]
                self._size = len(self._data)
        except KeyError:
            return False
        return True

    def _read_index(self) -> np.ndarray[Any, Any]:
        nbytes = self._index.nbytes
        if self._size < nbytes:
            raise self._error(f"its index alone has {nbytes} bytes")
        start = 0 if self._index.location == "start" else self._size - nbytes
        raw = self._bytes(start, start + nbytes) if self._piece is None else self._piece.data
        try:
            return self._index.decode(raw, self._size)
        except ValueError as err:
            raise self._error(f"its index is wrong: {err}") from err

    def is_unchanged(self) -> bool:
        """Whether the index is what it was, where the store cannot tell versions of the shard."""
        piece = self._piece
        if piece is None or piece.version is not None:
            return True
        return self._store.get_piece(self.key, self._index.nbytes, self._index.location == "end") == piece

    def _bytes(self, start: int, stop: int) -> bytes:
        return self._pieces([(start, stop)])[0]

    def _pieces(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        if self._data is not None:
            return [self._data[start:stop] for start, stop in ranges]
        if self._fd >= 0:
            found = [read_at(self._fd, self._at + start, stop - start) for start, stop in ranges]
        else:
            version = None if self._piece is None else self._piece.version
            found = self._store.get_ranges(self.key, ranges, version)
        for piece, (start, stop) in zip(found, ranges, strict=True):
            if len(piece) != stop - start:
                raise self._error(f"bytes {start} to {stop} of it are not there")
        return found

    @cached_property
    def _in_requests(self) -> bool:
        """Whether a value in a store is read in parts."""
        return not self._whole and self._store.ranged

    @property
    def key(self) -> str:
        """Of the shard, in its store."""
        return self._array.key_of(self.name)

    @property
    def nbytes(self) -> int:
        """Bytes of the shard as it is stored."""
        return self._size

    def _error(self, detail: str) -> ChunkError:
        return ChunkError(
            f"shard {self.key!r} of array {self._array.name!r} in {self._array.store!r} is damaged, or was "
            f"not written to its end: {detail} ({self._size} bytes stored); write its items again, or let "
            "zchunk.repair set it aside"
        )

    def load(self) -> bytes | None:
        """Return the whole shard, None if there is none."""
        if self.found and self._data is None:
            self._data = self._bytes(0, self._size)
        return self._data if self.found else None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._fd, self._file = -1, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ---- for the native engine

    def attach(self, job: ShardJob) -> bool:
        """Let a job read from the shard; False if the bytes have to be fetched from a store."""
        if self.entries is None or (self._fd < 0 and self._data is None):
            return False
        n = len(self.entries)
        small = self._size < n * _SMALL and self._size <= _WHOLE and 2 * job.total >= n
        data = self.load() if small else self._data
        job.attach(self._index.shape, self.entries, self._fd, data, 0 if data is not None else -self._at)
        return True

    def _new_entries(self) -> np.ndarray[Any, Any]:
        return np.full((math.prod(self._index.shape), 2), EMPTY, np.uint64)

    def begin(self, job: ShardJob, by_store: bool) -> None:
        """Let a job write a new shard, into a file or a value for the store; then comes `finish`."""
        entries = self._new_entries() if self.entries is None else self.entries
        job.attach(self._index.shape, entries, -1, self._load_to_keep(), 0)
        folder = None if by_store else self._array.folder
        path = None if folder is None else folder + b"/" + self.name.encode()
        # Never in place: other threads and processes may be reading the shard.
        job.begin(path, max(self._array.durability, 1), self._start, self._array.direct)

    def finish(self, job: ShardJob) -> None:
        """Put what a job has written in the place of the shard; delete it if no chunk is left."""
        job.keep()
        if (job.entries[:, 0] == EMPTY).all():
            job.abort()
            self._put(None)
            return
        with Replacing((self._array.lock_seed, self.name)):
            shard = job.commit(self._index.encode(job.entries), self._start > 0)
        if shard is not None:
            self._put(shard)

    def _put(self, shard: bytes | None) -> None:
        with Replacing((self._array.lock_seed, self.name)):
            if shard is None:
                self._array.erase(self.key)
            else:
                self._store._set_whole(self.key, shard)

    @property
    def _start(self) -> int:
        """Bytes before the chunks."""
        return self._index.nbytes if self._index.location == "start" else 0

    # ---- as a store

    def _number(self, key: str) -> int:
        number = 0
        for coord, count in zip(key.split(".") if self._index.shape else (), self._index.shape, strict=True):
            number = number * count + int(coord)
        return number

    def _range(self, number: int) -> tuple[int, int] | None:
        if self.entries is None:
            return None
        offset, nbytes = self.entries[number].tolist()
        return None if offset == EMPTY else (offset, offset + nbytes)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        wanted: list[tuple[int, int, str]] = []
        for key in keys:
            number = self._number(key)
            if number in self._changes:
                change = self._changes[number]
                if change is not None:
                    found[key] = change
                continue
            place = self._range(number)
            if place is not None:
                wanted.append((*place, key))
        wanted.sort(key=itemgetter(0))
        self._check_sizes(wanted)
        runs = list(_runs(wanted, 0 if self._data is not None else _GAP))
        ranges = [(run[0][0], max(stop for _, stop, _ in run)) for run in runs]
        for run, (low, _), data in zip(runs, ranges, self._pieces(ranges), strict=True):
            for start, stop, key in run:
                found[key] = data[start - low : stop - low]
        return found

    def _check_sizes(self, wanted: list[tuple[int, int, str]]) -> None:
        assert self._array.metadata.shards is not None
        most = self._array.metadata.shards.inner.chain.most_stored
        for start, stop, key in wanted:
            if most is not None and stop - start > most:
                raise self._error(f"its chunk {key!r} has {stop - start} bytes; {most} are possible")

    @cached_property
    def concurrency(self) -> int:
        return self._store.concurrency if self._in_requests else 1

    @property
    def ranged(self) -> bool:
        # Also of what is in memory: a slice is a copy of less.
        return True

    def size(self, key: str) -> int:
        number = self._number(key)
        place = self._range(number)
        if number in self._changes or place is None:
            return len(self[key])
        return place[1] - place[0]

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        number = self._number(key)
        place = self._range(number)
        if number in self._changes or place is None:
            return self[key][start:stop]
        low, high = place
        return self._bytes(min(low + start, high), high if stop is None else min(low + stop, high))

    def __getitem__(self, key: str) -> bytes:
        return self.get_many([key])[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._changes[self._number(key)] = value

    def __delitem__(self, key: str) -> None:
        self._changes[self._number(key)] = None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self.get_many([key]))

    def __iter__(self) -> Iterator[str]:
        for number in range(math.prod(self._index.shape)):
            if self._changes.get(number) is not None or (
                number not in self._changes and self._range(number) is not None
            ):
                yield ".".join(map(str, np.unravel_index(number, self._index.shape)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"shard {self.key!r} of {self._store!r}"

    def save(self) -> None:
        """Put the shard into its store if chunks were set or deleted; delete it if no chunk is left."""
        if not self._changes:
            return
        data, entries = self._load_to_keep(), self._new_entries()
        parts: list[bytes] = []
        end = self._start
        for number in range(len(entries)):
            value = self._changes[number] if number in self._changes else self._old(data, number)
            if value is not None:
                entries[number] = end, len(value)
                end += len(value)
                parts.append(value)
        if not parts:
            self._put(None)
            return
        index = self._index.encode(entries)
        self._put(b"".join([index, *parts] if self._start else [*parts, index]))

    def _load_to_keep(self) -> bytes | None:
        """Return the whole shard to copy chunks from it, which together are not larger than the shard."""
        if self.entries is not None:
            nbytes = self.entries[:, 1][self.entries[:, 0] != EMPTY].sum(dtype=float)
            if nbytes > self._size:
                raise self._error(f"chunks of {nbytes:.0f} bytes overlap; copying them would take too much")
        return self.load()

    def _old(self, data: bytes | None, number: int) -> bytes | None:
        place = self._range(number)
        return None if place is None or data is None else data[place[0] : place[1]]

    def set_many(self, items: Mapping[str, Any]) -> None:
        for key, value in items.items():
            self[key] = value


def _runs(wanted: list[tuple[int, int, str]], gap: int) -> Iterator[list[tuple[int, int, str]]]:
    """Yield groups of ranges, which are sorted, with no more than `gap` bytes between them."""
    run: list[tuple[int, int, str]] = []
    high = 0
    for entry in wanted:
        if run and (entry[0] > high + gap or entry[1] - run[0][0] > _RUN):
            yield run
            run = []
        high = max(high, entry[1]) if run else entry[1]
        run.append(entry)
    if run:
        yield run
