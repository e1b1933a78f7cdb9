"""`LRUStoreCache`: values of a slow store, kept in memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from zchunk._ext.threads.guards import Guard
from zchunk.runtime.fork import PerProcess
from zchunk.spec.keys import UNFINISHED_KEY, check_key, is_key, normalize_path, parents
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes, check_path, check_range
from zchunk.storage.mapping import as_store

if TYPE_CHECKING:
    from zchunk.typing import Bytes

# How many answers to "is there this key?", and how many listings, are kept.
_ANSWERS_MAX = 100_000
_LISTINGS_MAX = 1_000

R = TypeVar("R")


class _Token:
    """What a reader or a writer is known by while it is at work."""


class _Cache:
    """What is known of a store, in one process: to be used inside of `use` only.

    A reader registers in `readers` before it asks the store; a writer sends the readers of the keys that it
    changes away, at the beginning and at the end. So what a reader got is kept only if nothing changed it
    meanwhile.
    """

    def __init__(self, max_size: int | None) -> None:
        self._guard = Guard()
        # Whether a signal handler changed the store while the guard was held; and whether a user is at work.
        self._outdated = self._unfinished = False
        self.max_size = max_size
        self.values: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0
        # How many values are below a path.
        self.folders: Counter[str] = Counter()
        self.readers: dict[str, _Token] = {}
        # What every writer changes now, None for anything. One that Ctrl-C ends leaves a dead reference.
        self._writers: list[tuple[ref[_Token], Mapping[str, bytes | None] | None]] = []
        # Of the names in the store. `version` grows with every change.
        self.version = 0
        self.keys: list[str] | None = None
        self.answers: dict[str, bool] = {}
        self.listings: dict[str, list[str]] = {}

    def use(self, work: Callable[[], R], otherwise: R) -> R:
        """Return what `work` does with the cache, as its one user.

        Or `otherwise`, for a signal handler that interrupts the user and must not look: what it interrupts
        may be half done. And what is interrupted for good, by Ctrl-C, is forgotten by the next user.
        """
        with self._guard as first:
            if not first:
                return otherwise
            if self._outdated or self._unfinished:
                self._outdated = False
                self.forget()
            self._unfinished = True
            result = work()
            self._unfinished = False
            return result

    def find(self, key: str) -> bytes | None:
        """Return the value of a key if it is kept: what `use` does."""
        with self._guard as first:
            if not first or self._outdated or self._unfinished:
                return None
            value = self.values.get(key)
            if value is not None:
                self.values.move_to_end(key)
            return value

    def outdate(self) -> None:
        """Forget everything, when the thread that uses the cache is done."""
        self._outdated = True

    def forget(self) -> None:
        """Forget everything but the changes that are under way."""
        self.drop_values()
        self.drop_names()

    def is_quiet(self, key: str) -> bool:
        return all(keys is not None and key not in keys for keys in self.changing())

    def changing(self) -> list[Mapping[str, bytes | None] | None]:
        """Return what every writer changes now."""
        return [keys for token, keys in self._writers if token() is not None]

    def begin(self, token: _Token, items: Mapping[str, bytes | None]) -> None:
        """A writer begins to change `items`: nothing that is read of them is kept until it is done."""
        self.drop_names()
        for key in items:
            self.drop(key)
            self.drop_below(key)
            self.readers.pop(key, None)
            if self.is_quiet(key):
                self.readers[key] = token
        self._writers = [*self._alive(), (ref(token), items)]

    def end(self, token: _Token, items: Mapping[str, bytes | None], done: bool) -> bool:
        """A writer is done: its values are kept if no other writer changed them meanwhile.

        Only the store knows which one was last.
        """
        self._remove(token)
        self.drop_names()
        for key, value in items.items():
            self.drop_below(key)
            if self.readers.get(key) is token:
                del self.readers[key]
                if done and value is not None:
                    self.keep(key, value)
        return True

    def begin_below(self, token: _Token, prefix: str) -> None:
        """A writer begins to change keys that begin with `prefix`: nothing that is read at all is kept."""
        self.drop_names()
        self._writers = [*self._alive(), (ref(token), None)]
        self.drop_values(prefix)

    def end_below(self, token: _Token, prefix: str) -> bool:
        """A writer is done with what begins with `prefix`."""
        self._remove(token)
        self.drop_names()
        self.drop_values(prefix)
        return True

    def _remove(self, token: _Token) -> None:
        self._writers = [writer for writer in self._alive() if writer[0]() is not token]

    def _alive(self) -> list[tuple[ref[_Token], Mapping[str, bytes | None] | None]]:
        return [writer for writer in self._writers if writer[0]() is not None]

    # ---- reading

    def take(self, keys: list[str], token: _Token) -> dict[str, bytes]:
        """Return the values of keys that are kept; of the others `token` becomes the reader."""
        values = {}
        for key in keys:
            if key in self.values:
                self.values.move_to_end(key)
                values[key] = self.values[key]
            elif self.is_quiet(key):
                self.readers[key] = token
        return values

    def give(self, keys: list[str], found: Mapping[str, bytes], token: _Token) -> None:
        """Keep what the reader `token` found of keys, unless it was sent away."""
        for key in keys:
            if self.readers.get(key) is token:
                del self.readers[key]
                if key in found:
                    self.keep(key, found[key])

    def quiet_version(self) -> int | None:
        """Return the version of the names; None while something is being changed."""
        return None if self.changing() else self.version

    def keep(self, key: str, value: bytes) -> None:
        self.drop(key)
        if key.endswith(UNFINISHED_KEY):
            # It is there for as long as another process is at work.
            return
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

    def drop_values(self, prefix: str = "") -> bool:
        if not prefix:
            self.values.clear()
            self.folders.clear()
            self.size = 0
        for key in [key for key in self.values if key.startswith(prefix)]:
            self.drop(key)
        self.readers.clear()
        return True

    def drop_names(self) -> bool:
        self.version += 1
        self.keys = None
        self.answers.clear()
        self.listings.clear()
        return True


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
    store is never seen again, whatever reads at that time. Changes made elsewhere, such as by another process
    or another cache, are seen after `invalidate`. Signal handlers may read and write, too. Also kept are the
    keys, listings, and which keys exist, all until a key is written or deleted. Copies, pickles and forked
    children begin with nothing in memory.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.LRUStoreCache(zchunk.DirectoryStore("run.zarr"), max_size=1 << 20)
    >>> store["key"] = b"value"
    >>> store["key"], store["key"]
    (b'value', b'value')
    >>> store.hits, store.misses
    (2, 0)
    """

    def __init__(self, store: MutableMapping[str, Any], max_size: int | None) -> None:
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
        """Forget everything.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LRUStoreCache(values := {}, max_size=None)
        >>> store["key"] = b"value"
        >>> values["key"] = b"other"
        >>> store.invalidate()
        >>> store["key"]
        b'other'
        """
        self.invalidate_values()
        self.invalidate_keys()

    def invalidate_values(self) -> None:
        """Forget the values.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LRUStoreCache(values := {}, max_size=None)
        >>> store["key"] = b"value"
        >>> values["key"] = b"other"
        >>> store.invalidate_values()
        >>> store["key"]
        b'other'
        """
        cache = self._process()
        if not cache.use(cache.drop_values, False):
            cache.outdate()

    def invalidate_keys(self) -> None:
        """Forget which keys there are.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LRUStoreCache(values := {}, max_size=None)
        >>> list(store)
        []
        >>> values["key"] = b"value"
        >>> store.invalidate_keys()
        >>> list(store)
        ['key']
        """
        cache = self._process()
        if not cache.use(cache.drop_names, False):
            cache.outdate()

    def _change(self, items: Mapping[str, bytes | None], work: Callable[[], R]) -> R:
        """Return what `work` does, which changes `items` in the store: the new values, or None."""
        cache, token, done = self._process(), _Token(), False
        cache.use(partial(cache.begin, token, items), None)
        try:
            result = work()
            done = True
            return result
        finally:
            if not cache.use(partial(cache.end, token, items, done), False):
                cache.outdate()

    def _change_below(self, prefix: str, work: Callable[[], None]) -> None:
        """Do the work, which changes keys that begin with `prefix`."""
        cache, token = self._process(), _Token()
        cache.use(partial(cache.begin_below, token, prefix), None)
        try:
            work()
        finally:
            if not cache.use(partial(cache.end_below, token, prefix), False):
                cache.outdate()

    # --- values

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        keys = [check_key(key) for key in keys]
        cache = self._process()
        token = _Token()
        nothing: dict[str, bytes] = {}
        values = cache.use(partial(cache.take, keys, token), nothing)
        self.hits += len(values)
        missing = [key for key in keys if key not in values]
        if not missing:
            return values
        found: dict[str, bytes] = {}
        try:
            if len(missing) == 1:
                found = {missing[0]: self._store[missing[0]]}
            elif missing:
                found = self._store.get_many(missing)
        except KeyError:
            pass
        finally:
            self.misses += len(missing)
            cache.use(partial(cache.give, missing, found, token), None)
        return values | found

    def __getitem__(self, key: str) -> bytes:
        value = self._process().find(check_key(key))
        if value is not None:
            self.hits += 1
            return value
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
        check_range(start, stop)
        return self[key][start:stop]

    def size(self, key: str) -> int:
        cache = self._process()
        value = cache.use(partial(cache.values.get, check_key(key)), None)
        return self._store.size(key) if value is None else len(value)

    def __setitem__(self, key: str, value: Bytes) -> None:
        self.set_many({key: value})

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        self._change({check_key(key): None}, lambda: self._store.modify(key, change))

    def _set_whole(self, key: str, value: Bytes) -> None:
        self._change({check_key(key): None}, lambda: self._store._set_whole(key, value))

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        values = {check_key(key): as_bytes(value) for key, value in items.items()}

        def write() -> None:
            if len(values) == 1:
                for key, value in values.items():
                    self._store[key] = value
            else:
                self._store.set_many(values)

        self._change(values, write)

    def set_new(self, key: str, value: Bytes) -> bool:
        # What is there if it is not new, only the store knows.
        return self._change({check_key(key): None}, lambda: self._store.set_new(key, value))

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        return self._change(
            dict.fromkeys(map(check_key, items)), lambda: self._store.set_new_many(items)
        )

    def as_read(self, key: str, value: bytes) -> bytes | None:
        return self._store.as_read(key, value) if type(self) is LRUStoreCache else None

    @property
    def shared(self) -> bool:  # type: ignore[override]
        return self._store.shared

    def _folded(self, path: str) -> str:
        return self._store._folded(path)

    @property
    def _trace_names(self) -> tuple[str, ...]:
        return self._store._trace_names

    def unfinished(self, path: str = "") -> bool:
        return self._store.unfinished(path)

    def finish_erasing(self, path: str = "") -> None:
        self._change_below(check_path(path) and f"{path}/", lambda: self._store.finish_erasing(path))

    def lost(self, path: str = "") -> bool:
        lost = self._store.lost(path)
        if lost:
            # What is kept of it is of no use to anybody.
            self._change_below(check_path(path) and f"{path}/", lambda: None)
        return lost

    def foreign(self, path: str = "") -> list[str]:
        return self._store.foreign(path)

    def sync(self, keys: str | Iterable[str] = "") -> None:
        self._store.sync(keys)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LRUStoreCache({}, max_size=None)
        >>> store.update({"a": b"value", "b": b"other"})
        >>> sorted(store)
        ['a', 'b']
        """
        self.set_many(dict(*args, **kwargs))

    def __delitem__(self, key: str) -> None:
        self._change({check_key(key): None}, lambda: self._store.__delitem__(key))

    def erase_many(self, keys: Iterable[str]) -> None:
        gone = dict.fromkeys(check_key(key) for key in keys)
        self._change(gone, lambda: self._store.erase_many(gone))

    def erase_prefix(self, path: str = "") -> None:
        self._change_below(check_path(path) and f"{path}/", lambda: self._store.erase_prefix(path))

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        self._change_below(check_path(path) and f"{path}/", lambda: self._store._erase_claimed(path, whole))

    def _detach(self, path: str) -> None:
        self._change_below(check_path(path) and f"{path}/", lambda: self._store._detach(path))

    def _mark_file(self, path: str) -> str | None:
        return self._store._mark_file(path)

    def remove_leftovers(self, path: str | None = None) -> list[str]:
        return self._store.remove_leftovers(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        self._change_below("", lambda: self._store.rename(src_path, dst_path))

    # --- names

    def _remember(self, find: Callable[[], R], keep: Callable[[_Cache, R], None]) -> R:
        """Return what `find` finds in the store, and keep it unless something was changed meanwhile."""
        cache = self._process()
        version = cache.use(cache.quiet_version, None)
        result = find()

        def keep_if_same() -> None:
            if version == cache.version:
                keep(cache, result)

        cache.use(keep_if_same, None)
        return result

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        name = check_key(key)
        if name.endswith(UNFINISHED_KEY):
            # Other processes set and remove marks.
            return name in self._store
        cache = self._process()
        known = cache.use(lambda: True if name in cache.values else cache.answers.get(name), None)
        if known is not None:
            return known

        def keep(cache: _Cache, answer: bool) -> None:
            if len(cache.answers) >= _ANSWERS_MAX:
                cache.answers.clear()
            cache.answers[name] = answer

        return self._remember(lambda: name in self._store, keep)

    def __iter__(self) -> Iterator[str]:
        cache = self._process()
        keys = cache.use(lambda: cache.keys, None)
        if keys is None:

            def keep(cache: _Cache, keys: list[str]) -> None:
                cache.keys = keys

            keys = self._remember(lambda: list(self._store.keys()), keep)
        return iter(keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def list_dir(self, path: str = "") -> list[str]:
        cache = self._process()
        names = cache.use(partial(cache.listings.get, check_path(path)), None)
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
        """Close the other store, and forget everything.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LRUStoreCache(zchunk.SQLiteStore("run.db"), max_size=None)
        >>> store.close()
        """
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
