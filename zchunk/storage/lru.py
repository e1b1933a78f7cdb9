"""`LRUStoreCache`: values of a slow store, kept in memory."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from zchunk.runtime.fork import PerProcess
from zchunk.spec.keys import check_key, is_key, normalize_path, parents
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes, check_path, check_range
from zchunk.storage.mapping import as_store

# So many answers to "is there this key?" and so many listings are kept.
_ANSWERS_MAX = 100_000
_LISTINGS_MAX = 1_000

R = TypeVar("R")


class _Cache:
    """What is known of a store, in one process. All but `lock` is to be used while holding that.

    A reader registers in `readers` before it asks the store; a writer of a key sends the readers of it away,
    at the beginning and at the end. So a value that was read is kept only if no writer changed it meanwhile.
    """

    def __init__(self, max_size: int | None) -> None:
        self.lock = threading.Lock()
        self.max_size = max_size
        self.values: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0
        # How many values are below a path.
        self.folders: Counter[str] = Counter()
        self.readers: dict[str, object] = {}
        # By key, how many change it now; under None, those who change many.
        self.writers: dict[str | None, int] = {}
        # Of the names in the store. `version` grows with every change.
        self.version = 0
        self.keys: list[str] | None = None
        self.answers: dict[str, bool] = {}
        self.listings: dict[str, list[str]] = {}

    def is_quiet(self, key: str) -> bool:
        return key not in self.writers and None not in self.writers

    def keep(self, key: str, value: bytes) -> None:
        self.drop(key)
        if self.max_size is None or len(value) <= self.max_size:
            self.values[key] = value
            self.size += len(value)
            self.folders.update(parents(key))
            while self.max_size is not None and self.size > self.max_size:
                self.drop(next(iter(self.values)))

    def drop(self, key: str) -> None:
        value = self.values.pop(key, None)
        if value is not None:
            self.size -= len(value)
            for path in parents(key):
                self.folders[path] -= 1
                if not self.folders[path]:
                    del self.folders[path]

    def drop_below(self, key: str) -> None:
        """Forget the keys below one that changes, which may have been a folder until now."""
        prefix = f"{key}/"
        for reader in [reader for reader in self.readers if reader.startswith(prefix)]:
            del self.readers[reader]
        if key in self.folders:
            self.drop_values(prefix)

    def drop_values(self, prefix: str = "") -> None:
        if not prefix:
            self.values.clear()
            self.folders.clear()
            self.size = 0
        for key in [key for key in self.values if key.startswith(prefix)]:
            self.drop(key)
        self.readers.clear()

    def drop_names(self) -> None:
        self.version += 1
        self.keys = None
        self.answers.clear()
        self.listings.clear()


class LRUStoreCache(Store):
    """A store that keeps the values of another in memory, and forgets those that were not used for longest.

    Parameters
    ----------
    store : MutableMapping
        The other store; usually one that is slow to read.
    max_size : int or None
        How many bytes of values to keep. None is no limit.

    Attributes
    ----------
    hits, misses : int
        How many values were found in memory, and how many were not.

    Notes
    -----
    Safe to use from many threads, if the other store is. A value that was replaced or deleted through this
    store is never seen again, whoever reads at that time. Changes made elsewhere, such as by another process
    or another cache, are seen after `invalidate`. Also kept are the keys, listings, and which keys exist, all
    until a key is written or deleted. Copies, pickles and forked children begin with nothing in memory.
    """

    def __init__(self, store: Any, max_size: int | None) -> None:
        self._store = as_store(store)
        self._max_size = max_size
        self._dimension_separator = self._store._dimension_separator
        self._process: PerProcess[_Cache] = PerProcess(lambda: _Cache(max_size))
        self.hits = 0
        self.misses = 0

    @property
    def store(self) -> Store:
        """The store whose values are kept."""
        return self._store

    @property
    def max_size(self) -> int | None:
        """How many bytes of values are kept."""
        return self._max_size

    @property
    def lock_identity(self) -> str:
        return self._store.lock_identity

    @property
    def many_writers(self) -> bool:  # type: ignore[override]
        return self._store.many_writers

    def __getstate__(self) -> tuple[Store, int | None]:
        return self._store, self._max_size

    def __setstate__(self, state: tuple[Store, int | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    # --- invalidation

    def invalidate(self) -> None:
        """Forget everything."""
        self.invalidate_values()
        self.invalidate_keys()

    def invalidate_values(self) -> None:
        """Forget the values."""
        cache = self._process()
        with cache.lock:
            cache.drop_values()

    def invalidate_keys(self) -> None:
        """Forget which keys there are."""
        cache = self._process()
        with cache.lock:
            cache.drop_names()

    @contextmanager
    def _changing(self, items: Mapping[str, bytes | None]) -> Iterator[None]:
        """Keep nothing that is read of the keys of `items` while they change; in the end, their new values.

        That is if nobody else changed them meanwhile: who was last, only the store knows.
        """
        cache = self._process()
        token = object()
        done = False
        with cache.lock:
            cache.drop_names()
            for key in items:
                cache.drop(key)
                cache.drop_below(key)
                cache.readers.pop(key, None)
                if cache.is_quiet(key):
                    cache.readers[key] = token
                cache.writers[key] = cache.writers.get(key, 0) + 1
        try:
            yield
            done = True
        finally:
            with cache.lock:
                cache.drop_names()
                for key, value in items.items():
                    _decrement(cache.writers, key)
                    cache.drop_below(key)
                    if cache.readers.get(key) is token:
                        del cache.readers[key]
                        if done and value is not None:
                            cache.keep(key, value)

    @contextmanager
    def _changing_below(self, prefix: str) -> Iterator[None]:
        """Keep nothing of what is read at all, while keys are changed that begin with `prefix`."""
        cache = self._process()
        with cache.lock:
            cache.drop_names()
            cache.writers[None] = cache.writers.get(None, 0) + 1
            cache.drop_values(prefix)
        try:
            yield
        finally:
            with cache.lock:
                cache.drop_names()
                _decrement(cache.writers, None)
                cache.drop_values(prefix)

    # --- values

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        keys = [check_key(key) for key in keys]
        cache = self._process()
        token = object()
        values = {}
        with cache.lock:
            for key in keys:
                if key in cache.values:
                    cache.values.move_to_end(key)
                    values[key] = cache.values[key]
                elif cache.is_quiet(key):
                    cache.readers[key] = token
            self.hits += len(values)
        missing = [key for key in keys if key not in values]
        found: dict[str, bytes] = {}
        try:
            if len(missing) == 1:
                found = {missing[0]: self._store[missing[0]]}
            elif missing:
                found = self._store.get_many(missing)
        except KeyError:
            pass
        finally:
            with cache.lock:
                self.misses += len(missing)
                for key in missing:
                    if cache.readers.get(key) is token:
                        del cache.readers[key]
                        if key in found:
                            cache.keep(key, found[key])
        return values | found

    def __getitem__(self, key: str) -> bytes:
        try:
            return self.get_many([key])[key]
        except KeyError:
            raise KeyError(key) from None

    @property
    def ranged(self) -> bool:
        # All of a value is read and kept.
        return False

    @property
    def concurrency(self) -> int:
        return self._store.concurrency

    def refuse_larger(self, key: str, most: int | None) -> None:
        self._store.refuse_larger(key, most)

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        """Return bytes ``start:stop`` of the value, all of which is read and kept."""
        check_range(start, stop)
        return self[key][start:stop]

    def size(self, key: str) -> int:
        cache = self._process()
        with cache.lock:
            value = cache.values.get(check_key(key))
        return self._store.size(key) if value is None else len(value)

    def __setitem__(self, key: str, value: Any) -> None:
        self.set_many({key: value})

    def modify(self, key: str, change: Callable[[bytes | None], Any]) -> None:
        # What is kept may be older than what others have stored.
        with self._changing({check_key(key): None}):
            self._store.modify(key, change)

    def set_many(self, items: Mapping[str, Any]) -> None:
        values = {check_key(key): as_bytes(value) for key, value in items.items()}
        with self._changing(values):
            if len(values) == 1:
                for key, value in values.items():
                    self._store[key] = value
            else:
                self._store.set_many(values)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys."""
        self.set_many(dict(*args, **kwargs))

    def __delitem__(self, key: str) -> None:
        with self._changing({check_key(key): None}):
            del self._store[key]

    def erase_many(self, keys: Iterable[str]) -> None:
        gone = dict.fromkeys(check_key(key) for key in keys)
        with self._changing(gone):
            self._store.erase_many(gone)

    def erase_prefix(self, path: str = "") -> None:
        with self._changing_below(check_path(path) and f"{path}/"):
            self._store.erase_prefix(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        with self._changing_below(""):
            self._store.rename(src_path, dst_path)

    # --- names

    def _remember(self, find: Callable[[], R], keep: Callable[[_Cache, R], None]) -> R:
        """Return what `find` finds in the store, and keep it unless something was changed meanwhile."""
        cache = self._process()
        with cache.lock:
            version = None if cache.writers else cache.version
        result = find()
        with cache.lock:
            if version == cache.version:
                keep(cache, result)
        return result

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        name = check_key(key)
        cache = self._process()
        with cache.lock:
            known = True if name in cache.values else cache.answers.get(name)
        if known is not None:
            return known

        def keep(cache: _Cache, answer: bool) -> None:
            if len(cache.answers) >= _ANSWERS_MAX:
                cache.answers.clear()
            cache.answers[name] = answer

        return self._remember(lambda: name in self._store, keep)

    def __iter__(self) -> Iterator[str]:
        cache = self._process()
        with cache.lock:
            keys = cache.keys
        if keys is None:

            def keep(cache: _Cache, keys: list[str]) -> None:
                cache.keys = keys

            keys = self._remember(lambda: list(self._store.keys()), keep)
        return iter(keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def list_dir(self, path: str = "") -> list[str]:
        cache = self._process()
        with cache.lock:
            names = cache.listings.get(check_path(path))
        if names is None:

            def keep(cache: _Cache, names: list[str]) -> None:
                if len(cache.listings) >= _LISTINGS_MAX:
                    cache.listings.clear()
                cache.listings[path] = names

            names = self._remember(lambda: self._store.list_dir(path), keep)
        return list(names)

    def getsize(self, path: str | None = None) -> int:
        return self._store.getsize(normalize_path(path))

    def close(self) -> None:
        """Close the other store, and forget everything."""
        self.invalidate()
        self._store.close()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LRUStoreCache)
            and self._store == other._store
            and self._max_size == other._max_size
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._store!r:.80}, max_size={self._max_size}>"


def _decrement(counts: dict[str | None, int], key: str | None) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
