"""The decoded chunks that were read last, so that many thin slabs through a compressed chunk decode it once.

A chunk that is a local file is used again only if the file is still the one that was read, whichever process
wrote it. For other stores, all caches of this process forget a chunk that zchunk writes or erases here. They
do not see what other processes do there, nor what a program does to keys or through the store's own methods,
such as `rename` (`zchunk.storage.rename`, `zchunk.storage.rmdir` and `zchunk.copy_store` are seen).
"""

from __future__ import annotations

import itertools
import operator
import os
import stat
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np

from zchunk._ext.selection.slices import ChunkPart, Plan
from zchunk._ext.threads.guards import Guard
from zchunk.metadata.array import ArrayMetadata
from zchunk.storage.base import Store

__all__ = ["ChunkCache", "Stamp", "as_cache", "forget", "forget_shard", "forget_written", "look", "meaning"]

# Name of the array in this process, name of the chunk.
Key = tuple[str, str]
# What tells one state of a file from the next.
Stamp = tuple[int, int, int, int]

# File systems count time in steps of some milliseconds, a few in steps of one or two seconds: two states of a
# file that is younger may look alike.
_FINE_CLOCK = 50_000_000
_COARSE_CLOCK = 3_000_000_000
_GENERATIONS = 256


class _Entry(NamedTuple):
    chunk: np.ndarray[Any, Any]
    meaning: Any
    stamp: Stamp | None
    # Kept so that no other store can get its identity while chunks of it are here.
    store: Any


class Wanted(NamedTuple):
    """A chunk that is not in the cache, and the parts of it that are selected."""

    key: Key
    stamp: Stamp | None
    # False: the file may change without looking different.
    keep: bool
    # See `ChunkCache.generation`.
    generation: int
    parts: list[ChunkPart]


class Chunks(Protocol):
    """An array, as far as the cache has to know it: `zchunk.engine.array.ChunkedArray`."""

    metadata: ArrayMetadata
    store: Store
    path: str
    # What equal bytes must share to be equal chunks.
    meaning: Any
    # Before the names of chunks: the name of the shard that they are in.
    prefix: str
    # `ChunkCache.generations` from before the chunks were fetched; None if they are fetched now.
    since: list[int] | None
    # Whether it is an error to read a chunk that is not stored.
    missing_fails: bool

    @property
    def where(self) -> str:
        """Name of the array in this process."""

    @property
    def are_files(self) -> bool:
        """Whether chunks are files, or in files."""

    def look(self, name: str) -> tuple[Stamp | None, bool]:
        """Return what a chunk looks like, and whether that may be relied on; None if there is no file."""

    @property
    def raw_fill(self) -> Any:
        """Item of a missing chunk."""


def meaning(metadata: ArrayMetadata, fill: bytes) -> Any:
    """Return what makes a chunk of bytes into items; views of an array differ in it."""
    codecs = str([codec.get_config() for codec in metadata.codecs])
    return metadata.dtype, metadata.chunk_shape, metadata.order, codecs, fill


class ChunkCache:
    """Decoded chunks of any arrays, up to a number of bytes; the least recently used go first.

    Made by ``cache_bytes=`` where arrays and groups are opened, and shared by all that is opened through a
    group. Safe to use from many threads. It is empty after unpickling and in a forked child.

    Parameters
    ----------
    nbytes : int
        Most bytes of chunks to keep. A chunk that is larger is not kept, and a read that needs more chunks
        than fit leaves the cache alone.
    """

    def __init__(self, nbytes: int) -> None:
        self._limit = nbytes
        self._reset()
        _registry.add(weakref.ref(self, _registry.discard))

    def _reset(self) -> None:
        # A signal handler may read too, in the thread that holds the lock.
        self._lock = Guard()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._used = self._hits = self._misses = 0
        # Whether it keeps chunks that are not files: then only their writers can tell that they changed.
        self.relies_on_writers = False
        # Counts what was forgotten, by hash of the key. A chunk that was read before that is not kept.
        self._generations = [0] * _GENERATIONS

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._limit,)

    @property
    def nbytes(self) -> int:
        """Most bytes that are kept."""
        return self._limit

    @property
    def used(self) -> int:
        """Bytes that are kept now."""
        return self._used

    @property
    def hits(self) -> int:
        """How many chunks were found."""
        return self._hits

    @property
    def misses(self) -> int:
        """How many chunks were not found."""
        return self._misses

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self)} chunks, {self._used} of {self._limit} bytes, "
            f"{self._hits} hits, {self._misses} misses>"
        )

    def clear(self) -> None:
        """Forget all chunks."""
        self.forget(lambda key: True)

    # ---- one chunk

    @property
    def generations(self) -> list[int]:
        """What `look_up` has to know of a moment before now: see `Chunks.since`."""
        return self._generations.copy()

    def generation(self, key: Key) -> int:
        """Return what `put` has to know of the moment before the chunk is read."""
        return self._generations[hash(key) % _GENERATIONS]

    def get(self, key: Key, meaning: object, stamp: Stamp | None) -> np.ndarray[Any, Any] | None:
        """Return a chunk, read-only, or None if it is not kept or no longer what is stored."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.stamp != stamp or entry.meaning != meaning:
                self._misses += 1
                return None
            self._hits += 1
            try:
                self._entries.move_to_end(key)
            except KeyError:
                # A signal handler has just made it forget this one.
                pass
            return entry.chunk

    def put(
        self,
        key: Key,
        meaning: object,
        stamp: Stamp | None,
        chunk: np.ndarray[Any, Any],
        generation: int,
        store: object = None,
    ) -> None:
        """Keep a chunk of `store`, unless it was forgotten since `generation` or is too large."""
        chunk.flags.writeable = False
        with self._lock as first:
            # A signal handler that interrupts this may read and forget, not keep.
            if not first or chunk.nbytes > self._limit:
                return
            self._drop(key)
            while self._entries and self._used + chunk.nbytes > self._limit:
                try:
                    oldest = self._entries.popitem(last=False)[1]
                except KeyError:
                    # A signal handler has just made it forget them all.
                    break
                self._used -= oldest.chunk.nbytes
            self._used += chunk.nbytes
            self._entries[key] = _Entry(chunk, meaning, stamp, store)
            # Asked last, since a signal handler may have written the chunk until now.
            if self.generation(key) != generation:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= entry.chunk.nbytes

    def forget_keys(self, keys: Iterable[Key]) -> None:
        """Forget chunks that have changed. Readers that are at work on them do not keep them."""
        with self._lock:
            for key in keys:
                self._generations[hash(key) % _GENERATIONS] += 1
                self._drop(key)

    def forget(self, of: Callable[[Key], bool]) -> None:
        """Forget the chunks whose keys `of` is true for. Readers at work do not keep what they read."""
        with self._lock:
            self._generations = [n + 1 for n in self._generations]
            # All of them first: a signal handler may forget some meanwhile.
            for key in list(self._entries):
                if of(key):
                    self._drop(key)

    # ---- reading

    def look_up(self, array: Chunks, plan: Plan, target: np.ndarray[Any, Any]) -> list[Wanted] | None:
        """Read the chunks of a selection that are kept into `target`, of plain items.

        Returns
        -------
        list of Wanted or None
            The chunks that are still to be read, each for `fill`; None, and nothing is read, if the chunks of
            the selection do not fit in the cache together.
        """
        room = self._limit // array.metadata.chunk_nbytes
        if not room or target.nbytes > self._limit:
            return None
        parts = list(itertools.islice(plan.parts(), room + 1))
        if len(parts) > room:
            return None
        files = array.are_files
        if not files:
            # Before anything is read that another thread may write meanwhile.
            self.relies_on_writers = True
        missing: dict[Key, Wanted] = {}
        for part in parts:
            key = array.where, array.prefix + array.metadata.chunk_key_encoding.encode(part.coords)
            if key in missing:
                missing[key].parts.append(part)
                continue
            generation = (array.since or self._generations)[hash(key) % _GENERATIONS]
            stamp, keep = array.look(key[1])
            if files and stamp is None and keep and not array.missing_fails:
                part.place(target, array.raw_fill)
                continue
            chunk = self.get(key, array.meaning, stamp)
            if chunk is None:
                missing[key] = Wanted(key, stamp, keep, generation, [part])
            else:
                part.place(target, part.chosen(chunk))
        return list(missing.values())

    def fill(
        self, array: Chunks, wanted: Wanted, chunk: np.ndarray[Any, Any], target: np.ndarray[Any, Any]
    ) -> None:
        """Copy what is selected of a chunk that was read into `target`, and keep the chunk."""
        for part in wanted.parts:
            part.place(target, part.chosen(chunk))
        if wanted.keep:
            self.put(wanted.key, array.meaning, wanted.stamp, chunk, wanted.generation, array.store)


def stamp_of(found: os.stat_result, now: int) -> tuple[Stamp, bool]:
    """Return what a file looks like, looked at not before `now`, and whether that may be relied on."""
    # Times of modification can be set, as tar does; that of the last change cannot.
    stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)
    step = _FINE_CLOCK if found.st_ctime_ns % 1_000_000_000 else _COARSE_CLOCK
    return stamp, now - max(found.st_mtime_ns, found.st_ctime_ns) > step


def look(folder: bytes, name: str) -> tuple[Stamp | None, bool]:
    """Return what a chunk's file looks like, and whether that may be relied on; None if there is none."""
    now = time.time_ns()
    try:
        found = os.stat(os.path.join(folder, os.fsencode(name)))
    except (FileNotFoundError, NotADirectoryError):
        return None, True
    except OSError:
        # The reader of the file raises what is wrong.
        return None, False
    stamp, keep = stamp_of(found, now)
    return stamp, keep and stat.S_ISREG(found.st_mode)


# All caches of the process, so that all of them forget what is written through any array.
_registry: set[weakref.ref[ChunkCache]] = set()


def _caches() -> list[ChunkCache]:
    if not _registry:
        return []
    # A copy is made in one step: other threads and the garbage collector change the set at any time.
    return [cache for ref in list(_registry) if (cache := ref()) is not None]


def forget(store: Store, path: str) -> None:
    """Forget the chunks of all arrays at and below `path`, which are no longer what they were."""
    caches = _caches()
    if caches:
        _forget(caches, os.path.join(store.lock_identity.rstrip("/"), store._folded(path)).rstrip("/"))


def _forget(caches: list[ChunkCache], where: str) -> None:
    for cache in caches:
        cache.forget(lambda key: (key[0] + "/").startswith(where + "/"))


def forget_shard(array: Chunks, prefix: str) -> None:
    """Forget the chunks of a shard of `array` that has been replaced, those that did not change included.

    Another thread may have read the shard in parts meanwhile and kept a wrong chunk. `prefix` is what their
    names begin with.
    """
    for cache in _caches_of(array):
        cache.forget(lambda key: key[0] == array.where and key[1].startswith(prefix))


def _caches_of(array: Chunks) -> list[ChunkCache]:
    return [cache for cache in _caches() if cache.relies_on_writers or not array.are_files]


def forget_written(array: Chunks, plan: Plan) -> None:
    """Forget the chunks that were written.

    This holds for files too, although they tell when they change: another array may read them through a
    store that is not one of files, such as a caching one.
    """
    # Most programs have no cache, and write often.
    caches = _caches_of(array) if _registry else []
    if not caches:
        return
    limit = max(map(len, caches)) + _GENERATIONS
    encode, where, prefix = array.metadata.chunk_key_encoding.encode, array.where, array.prefix
    keys = [(where, prefix + encode(part.coords)) for part in itertools.islice(plan.parts(), limit + 1)]
    for cache in caches:
        if len(keys) > limit:
            _forget([cache], array.where)
        else:
            cache.forget_keys(keys)


def as_cache(nbytes: Any) -> ChunkCache | None:
    """Return a user's ``cache_bytes`` as a cache: a number of bytes, or a cache that other arrays have."""
    if nbytes is None or isinstance(nbytes, ChunkCache):
        return nbytes
    try:
        number = -1 if isinstance(nbytes, bool) else operator.index(nbytes)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"cache_bytes is {nbytes!r:.80}, not a number of bytes: an integer of at least 0")
    return ChunkCache(number) if number else None


def _after_fork() -> None:
    for cache in _caches():
        cache._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
