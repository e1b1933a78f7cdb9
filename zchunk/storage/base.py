"""The contract of a store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, MutableMapping, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

from zchunk.errors import StoreError
from zchunk.runtime import threads
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.spec.keys import (
    ERASING_KEY,
    NODE_FILES,
    UNFINISHED_KEY,
    check_rename,
    erase_rank,
    is_chunk_name,
    join,
    normalize_path,
)
from zchunk.storage.checks import DimensionSeparator, check_path, check_range
from zchunk.storage.folders import Folders
from zchunk.storage.zarr2_names import Zarr2Names

if TYPE_CHECKING:
    from zchunk.storage import marks, traces
    from zchunk.typing import Bytes
else:
    marks = LazyModule("zchunk.storage.marks")
    traces = LazyModule("zchunk.storage.traces")

Mode: TypeAlias = Literal["r", "r+", "a", "w", "w-", "x"]

# A store is asked for so many values, or bytes, at a time; a remote store for so many bytes.
_BATCH_KEYS = 1024
_BATCH_BYTES = 4 << 20
_FAR_BYTES = 32 << 20


class Piece(NamedTuple):
    """A piece of a value, how many bytes the value has, and which version it is, if the store can tell."""

    data: bytes
    size: int
    version: Any = None


class Store(Folders, Zarr2Names, MutableMapping[str, bytes]):
    """A mapping from keys to bytes, with methods that have a slow default and that a store may do better.

    The contract, which `tests/store_conformance.py` holds every store to:

    - Keys are checked by `zchunk.spec.keys.check_key`; an illegal one is not ``in`` the store, and raises
      `InvalidKeyError` in every method.
    - Values are given as any contiguous bytes-like object and come back as bytes. The store never keeps
      a reference to memory that the caller may change.
    - A reader gets `KeyError` only for a missing key. Every other failure raises something else.
    - A reader sees the old or the new value of a key, never a mixture, unless the store says otherwise.
    - Single operations are safe from many threads. Stores pickle, and survive a fork.
    - `list_dir`, `erase_prefix` and `is_empty` take a node path in its normal form, ``""`` for the root. The
      methods with zarr 2's names (`listdir`, `rmdir`, `rename`, `getsize`) normalise what they are given.

    A subclass gives the five methods of `MutableMapping` and overrides what it can do faster.

    Examples
    --------
    A store that counts what is read:

    >>> import zchunk
    >>> class Counting(zchunk.MemoryStore):
    ...     reads = 0
    ...
    ...     def __getitem__(self, key):
    ...         self.reads += 1
    ...         return super().__getitem__(key)
    >>> store = Counting()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> before = store.reads
    >>> z[:2]
    array([1, 2])
    >>> store.reads - before
    1
    """

    _dimension_separator: DimensionSeparator | None = None
    # Whether several processes may write at the same time.
    many_writers = True
    # Whether what is read is what was written, byte for byte. The class itself has to say so, for those
    # derived from it may change values on the way.
    verbatim = False
    # Whether other programs may have put values there that are none of Zarr's: files, objects in a bucket.
    shared = False
    # Version of the format, for which xarray asks.
    _store_version = 2

    @property
    def lock_identity(self) -> str:
        """Name of the values for locks in this process: the same for all stores that share them."""
        return str(id(self))

    def metadata(self, key: str) -> bytes | dict[str, Any]:
        """Return the value of a key that holds JSON; a store that has it parsed may give the object instead.

        That is the store's, and must not be changed.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> group = zchunk.group(store)
        >>> type(store.metadata(".zgroup"))
        <class 'bytes'>
        """
        return self[key]

    def as_read(self, key: str, value: bytes) -> bytes | None:
        """Return what a reader will get where metadata are stored; None if that is known only then.

        Where it is known, the metadata of an array that is made with what it holds come after all of that.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.MemoryStore().as_read("a/.zattrs", b"{}")
        b'{}'
        """
        return value if vars(type(self)).get("verbatim", False) else None

    @property
    def ranged(self) -> bool:
        """Whether `get_range` and `size` cost less than the whole value."""
        return type(self).get_range is not Store.get_range

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        """Return bytes ``start:stop`` of the value, fewer if it ends before `stop`; None is the end.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.get_range("a/x", 1, 3)
        b'al'
        """
        check_range(start, stop)
        return self[key][start:stop]

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]], version: Any = None) -> list[bytes]:
        """Return several ranges of bytes ``(start, stop)`` of the value.

        With a `version` from `get_piece`, `ValueChangedError` is raised if the value is another one now.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.get_ranges("a/x", [(0, 1), (3, 5)])
        [b'v', b'ue']
        """
        return [self.get_range(key, start, stop) for start, stop in ranges]

    def get_piece(self, key: str, nbytes: int, at_end: bool = False) -> Piece:
        """Return the first `nbytes` bytes of the value, or the last ones; fewer if it has not so many.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.get_piece("a/x", 2)
        Piece(data=b'va', size=5, version=None)
        >>> store.get_piece("a/x", 2, at_end=True).data
        b'ue'
        """
        size = self.size(key)
        start = max(size - nbytes, 0) if at_end else 0
        return Piece(self.get_range(key, start, min(start + nbytes, size)), size)

    @property
    def concurrency(self) -> int:
        """How many requests the store is sent at a time: more than one if an answer takes its time."""
        return 1

    def batch_size(self, nbytes: int) -> int:
        """Return how many values, of `nbytes` bytes or about so many, are handled at a time.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.batch_size(1 << 30) >= 1
        True
        """
        if self.concurrency > 1:
            return max(2, min(self.concurrency, _FAR_BYTES // nbytes))
        return max(threads.get_threads(), min(_BATCH_KEYS, _BATCH_BYTES // nbytes))

    # Whether pieces have a version, so that several requests can be of one value.
    versioned = False

    def batches(
        self, keys: Iterable[str], nbytes: int, most: int | None = None
    ) -> Generator[Sequence[Any], None, None]:
        """Yield the values of different `keys` in their order, None where there is none, some at a time.

        They are `bytes`, or objects that show memory which stays as it is. `nbytes` is about how many bytes
        a value has: not more than `batch_size` values are fetched before they are taken. A value of more than
        `most` bytes, which cannot be right, may be refused before it is fetched.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> for values in store.batches(["a/x", "a/z"], nbytes=5):
        ...     print(values)
        [b'value', None]
        """
        rest = iter(keys)
        while batch := list(islice(rest, self.batch_size(nbytes))):
            for key in batch:
                self.refuse_larger(key, most)
            found = self.get_many(batch)
            yield [found.pop(key, None) for key in batch]

    def refuse_larger(self, key: str, most: int | None) -> None:
        """Raise `StoreError` if a value would be far larger than what is stored of it, and than `most` bytes.

        Called before a chunk is fetched that cannot have more than `most` bytes; None if that is not known.
        Nothing, by default: a store that does not compress holds no small thing that takes all memory.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.refuse_larger("a/x", most=1)
        """

    if TYPE_CHECKING:
        # A value may be given as what has bytes.
        def __setitem__(self, key: str, value: Bytes) -> None: ...

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        """Replace a value by what `change` makes of it, or delete it if that is None.

        `change` is called with None if there is no value, and may be called more than once: if the store can
        tell that another writer changed the value meanwhile, so that no update is lost. For other stores the
        caller holds a lock.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.modify("a/x", lambda old: old.upper())
        >>> store["a/x"]
        b'VALUE'
        """
        try:
            old = self[key]
        except KeyError:
            old = None
        new = change(old)
        if new is not None:
            self[key] = new
        else:
            self.erase_many([key])

    def set_new(self, key: str, value: Bytes) -> bool:
        """Set the value of a key that has none; return False, and change nothing, if it has one.

        Of several threads that do so at the same time one gets True. Of several processes, too, where the
        store can tell: in local folders, in databases and in object stores.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("new.zarr")
        >>> (store.set_new("a/x", b"value"), store.set_new("a/x", b"other"))
        (True, False)
        """
        with metadata_lock(self, key):
            if key in self:
                return False
            self[key] = value
            return True

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        """Set the values of several keys if the last one is new, as `set_new` does. It comes at the end.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_new_many({"a/.zattrs": b"{}", "a/.zgroup": b"{}"})
        True
        """
        *others, last = items
        if others and last in self:
            return False
        there = [key for key in others if not self.set_new(key, items[key])]
        if not self.set_new(last, items[last]):
            return False
        # Left by a process that was killed at this point, or by one that was slower.
        for key in there:
            self[key] = items[key]
        return True

    def foreign(self, path: str = "") -> list[str]:
        """Return names of what other programs have put where a node could be.

        None if Zarr or N5 metadata lie there, for then all of it is the node's; nor if it is what a killed
        process has begun to erase, nor the chunks that it has put there before the metadata; nor in a store
        that is not `shared`.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("photos")
        >>> store["party.jpg"] = b"jpg"
        >>> store.foreign()
        ['party.jpg']
        """
        if not self.shared:
            return []
        trace = join(path, ERASING_KEY)
        found = self.existing([trace, *(join(path, name) for name in NODE_FILES)])
        if found - {trace}:
            return []
        if found:
            return traces.names_left(self._keys_below(path), trace, self.get(trace, b""))
        names = self.list_dir(path)
        if UNFINISHED_KEY in names:
            names = [name for name in names if name != UNFINISHED_KEY and not is_chunk_name(name)]
        # Folders may be left of keys that were deleted.
        keys = ((name, join(path, name)) for name in names)
        return [name for name, key in keys if key in self or not self.is_empty(key)]

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those `keys` that exist.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.get_many(["a/x", "a/z"])
        {'a/x': b'value'}
        """
        values = {}
        for key in keys:
            try:
                values[key] = self[key]
            except KeyError:
                continue
        return values

    def existing(self, keys: Iterable[str]) -> set[str]:
        """Return those `keys` that exist.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.existing(["a/x", "a/z"])
        {'a/x'}
        """
        return {key for key in keys if key in self}

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        """Set the values of many keys, in any order. After an error some may be set.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.MemoryStore()
        >>> store.set_many({"a/x": b"value", "a/y": b"other"})
        >>> sorted(store)
        ['a/x', 'a/y']
        """
        for key, value in items.items():
            self[key] = value

    def sync(self, keys: str | Iterable[str] = "") -> None:
        """Wait until values, and deletions, can no longer be lost by a crash of the machine.

        To write many values and wait once, use a store that does not wait for each of them, such as a
        `DirectoryStore` with the default ``durability="atomic"``. Until then a value that replaces an older
        one may be lost together with it, so this is for new arrays. Nothing, by default: values are in
        memory, or with a service that has its own ways.

        Parameters
        ----------
        keys : str or iterable of str, optional
            Keys, and paths of nodes or folders, which stand for all below them. The whole store by default.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> store = zchunk.DirectoryStore("run.zarr")
        >>> z = zchunk.array(np.ones((100, 100)), chunks=10, store=store, path="u")
        >>> store.sync("u")
        """

    def erase_many(self, keys: Iterable[str]) -> None:
        """Delete those `keys` that exist.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.erase_many(["a/x", "a/z"])
        >>> list(store)
        ['a/y']
        """
        for key in keys:
            try:
                del self[key]
            except KeyError:
                continue

    def size(self, key: str) -> int:
        """Return the number of bytes of the value.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.size("a/x")
        5
        """
        return len(self[key])

    def list_dir(self, path: str = "") -> list[str]:
        """Return the sorted names of the keys and folders directly below `path`, none if nothing is there.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.list_dir()
        ['a']
        >>> store.list_dir("a")
        ['x', 'y']
        """
        start = len(check_path(path)) + 1 if path != "" else 0
        return sorted({key[start:].partition("/")[0] for key in self._keys_below(path)})

    def is_empty(self, path: str = "") -> bool:
        """Whether no key lies below `path`.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.is_empty("a"), store.is_empty("b")
        (False, True)
        """
        return not self.list_dir(path)

    def erase_prefix(self, path: str = "") -> None:
        """Delete every key below `path`. A key that is `path` itself stays.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.erase_prefix("a")
        >>> list(store)
        []
        """
        keys = self._keys_below(path)
        if UNFINISHED_KEY in self._trace_names and any(erase_rank(key) < 2 for key in keys):
            marks.erase(self, path)
        else:
            traces.erase_in_order(self, path, keys)

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        """Delete all at a node path but the mark there, which the caller has set; if `whole`, that too."""
        mark = join(path, UNFINISHED_KEY)
        if UNFINISHED_KEY in self._trace_names or mark in self:
            traces.erase_in_order(self, path, [key for key in self._keys_below(path) if key != mark])
        else:
            self.erase_prefix(path)

    def _erase_found(self, keys: Sequence[str]) -> None:
        """Delete keys that were seen."""
        self.erase_many(keys)

    @property
    def _trace_names(self) -> tuple[str, ...]:
        return (UNFINISHED_KEY, ERASING_KEY) if self.shared else ()

    def finish_erasing(self, path: str = "") -> None:
        trace, mark = join(path, ERASING_KEY), join(path, UNFINISHED_KEY)
        self.erase_many(key for key in traces.to_erase(trace, self.get(trace)) if key != mark)

    def clear(self) -> None:
        """Delete every key.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.clear()
        >>> list(store)
        []
        """
        self.erase_prefix()

    def close(self) -> None:
        """Release what the store holds. Nothing, by default.

        Examples
        --------
        >>> import zchunk
        >>> with zchunk.MemoryStore() as store:
        ...     store["key"] = b"value"
        """

    def rename(self, src_path: str, dst_path: str) -> None:
        """Move the key `src_path` and all keys below it to `dst_path`, where nothing may be.

        Raises
        ------
        KeyError
            Nothing is at `src_path`.
        StoreError
            Something is at `dst_path`.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.rename("a", "b")
        >>> sorted(store)
        ['b/x', 'b/y']
        """
        src, dst = check_rename(src_path, dst_path)
        keys = self._keys_below(src)
        if src in self:
            keys.append(src)
        if not keys:
            raise KeyError(src)
        if src == dst:
            return
        if dst in self or not self.is_empty(dst):
            raise StoreError(f"cannot rename {src!r} to {dst!r}: the target exists; delete it first")
        # So that there is always one whole node at least, and never one that lacks chunks.
        keys.sort(key=erase_rank, reverse=True)
        self._move([(key, dst + key[len(src) :]) for key in keys])

    def getsize(self, path: str | None = None) -> int:
        """Return the size of the key `path`, or the sum over the keys (not folders) directly below it.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.KVStore({"a/x": b"value", "a/y": b"other"})
        >>> store.getsize("a")
        10
        >>> store.getsize("a/x")
        5
        """
        path = normalize_path(path)
        sizes = 0
        for key in [path] if path and path in self else [join(path, name) for name in self.list_dir(path)]:
            try:
                sizes += self.size(key)
            except KeyError:
                continue
        return sizes

    def _move(self, names: list[tuple[str, str]]) -> None:
        """Give values other keys, in this order; a failure may leave both of some."""
        for old, new in names:
            self._copy(old, new)
        for old, _ in reversed(names):
            del self[old]

    def _copy(self, src: str, dst: str) -> None:
        self[dst] = self[src]

    def _keys_below(self, path: str) -> list[str]:
        prefix = check_path(path) + "/" if path != "" else ""
        return [key for key in self if key.startswith(prefix)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
