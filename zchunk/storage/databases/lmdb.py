"""`LMDBStore`: all values in one LMDB database."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack
from weakref import WeakValueDictionary

from zchunk._ext.threads.guards import Gate, Guard
from zchunk.errors import StoreError, change_in_progress
from zchunk.runtime.fork import PerProcess
from zchunk.spec.keys import UNFINISHED_KEY, check_key, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_buffer, check_path, check_range, check_separator

_KEY_MAX = 511
T = TypeVar("T")
# A child closes what it inherits, and with it the copies of transactions.
_gate = Gate()
# Address space, not memory or disk.
_MAP_SIZE = 1 << 40 if sys.maxsize >= 1 << 32 else 1 << 28
_MAX_READERS = 1024

if TYPE_CHECKING:

    from zchunk.typing import Bytes
    class Opening(TypedDict, total=False):
        """Parameters of `lmdb.open`."""

        map_size: int
        subdir: bool
        readonly: bool
        metasync: bool
        sync: bool
        map_async: bool
        mode: int
        create: bool
        readahead: bool
        writemap: bool
        meminit: bool
        max_readers: int
        max_dbs: int
        max_spare_txns: int
        lock: bool


class LMDBStore(Store):
    """A store in an LMDB database, a folder with two files. Needs the package ``lmdb``.

    Parameters
    ----------
    path : str or path-like
        The folder, made if need be.
    buffers : bool, optional
        zarr's. Values always are bytes: LMDB's own memory may change as soon as a read is over.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    **kwargs
        Passed to `lmdb.open`, with defaults for large values: a map of 1 TiB, 1024 readers, written through
        the memory map (on Linux), not synced to the disk.

    Notes
    -----
    Safe to use from many threads and processes: readers never wait, writers take turns. Stores of one
    process over one folder share the open database, as LMDB demands. After a fork the child opens it
    again. A write is a transaction (`set_many` and `erase_many` are one for all keys): whatever
    happens to the process, a reader sees the old or the new values. Processes that change parts of the same
    chunks, attributes or shapes lose no update of each other. When the machine fails, a database that
    was not synced (`flush`, `close`, or ``sync=True, metasync=True``) may be damaged. Not for network file
    systems. A key has at most 511 bytes.

    Examples
    --------
    >>> import zchunk
    >>> with zchunk.LMDBStore("run.lmdb") as store:
    ...     z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    ...     z[:]
    array([1, 2, 3, 4])
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.lmdb"

    verbatim = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        buffers: bool = True,
        dimension_separator: DimensionSeparator | None = None,
        **kwargs: Unpack[Opening],
    ) -> None:
        self.path: str = os.path.abspath(os.fsdecode(path))
        self.buffers = buffers
        self.kwargs: dict[str, Any] = {**_DEFAULTS, **kwargs}
        self._dimension_separator = check_separator(dimension_separator)
        self._handle: PerProcess[_Environment] | None = PerProcess(partial(_open, self.path, self.kwargs))

    @property
    def _environment(self) -> _Environment:
        handle = self._handle
        if handle is None:
            raise StoreError(f"LMDB store {self.path!r} is closed; open it again")
        return handle()

    @property
    def db(self) -> Any:
        """The `lmdb.Environment` of this process."""
        return self._environment.db

    @property
    def lock_identity(self) -> str:
        return f"lmdb:{os.path.realpath(self.path)}"

    def __getstate__(self) -> tuple[str, bool, str | None, dict[str, Any]]:
        return self.path, self.buffers, self._dimension_separator, self.kwargs

    def __setstate__(self, state: tuple[str, bool, str | None, dict[str, Any]]) -> None:
        path, buffers, separator, kwargs = state
        self.__init__(path, buffers, separator, **kwargs)  # type: ignore[misc]

    def _read_only(self, work: Callable[[Any], T]) -> T:
        """Return what `work` does in a transaction that reads."""
        # Kept here, so that another thread that closes the store does not close the database meanwhile.
        environment = self._environment
        with _gate:
            return self._transact(environment, work, write=False)

    def _change(self, work: Callable[[Any], T]) -> T:
        """Return what `work` does in a transaction that writes."""
        environment = self._environment
        with environment.turn as first:
            if not first:
                # A database has one transaction at a time that writes: a second one would wait for the first.
                raise change_in_progress(f"LMDB store {self.path!r}")
            return self._transact(environment, work, write=True)

    def _transact(self, environment: _Environment, work: Callable[[Any], T], write: bool) -> T:
        try:
            with environment.db.begin(write=write, buffers=True) as transaction:
                return work(transaction)
        except environment.error as error:
            raise StoreError(f"LMDB store {self.path!r}: {error}") from error

    def _read(self, key: str, start: int, stop: int | None) -> bytes:
        raw = _encode(key)
        if len(raw) > _KEY_MAX:
            raise KeyError(key)

        def read(transaction: Any) -> bytes:
            value = transaction.get(raw)
            if value is None:
                raise KeyError(key)
            return bytes(value[start:stop])

        return self._read_only(read)

    def __getitem__(self, key: str) -> bytes:
        return self._read(key, 0, None)

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        return self._read(key, start, stop)

    def __setitem__(self, key: str, value: Bytes) -> None:
        self.set_many({key: value})

    @property
    def _trace_names(self) -> tuple[str, ...]:
        # Other processes may use the database.
        return (UNFINISHED_KEY,)

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not LMDBStore.__setitem__:
            return super().set_new(key, value)
        raw, data = self._checked(key), as_buffer(value)
        return bool(self._change(lambda transaction: transaction.put(raw, data, overwrite=False)))

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        rows = [(self._checked(key), as_buffer(value)) for key, value in items.items()]

        def put(transaction: Any) -> None:
            for key, value in rows:
                transaction.put(key, value)

        self._change(put)

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        # `change` takes its time, so nothing is locked meanwhile: the transaction looks whether the value is
        # still the one that was changed.
        raw = self._checked(key)
        value = self._read_only(lambda transaction: _copied(transaction.get(raw)))
        while True:
            new = change(value)
            data = None if new is None else as_buffer(new)

            def replace(transaction: Any, data: Any = data, known: bytes | None = value) -> bytes | None:
                found = _copied(transaction.get(raw))
                if found == known:
                    if data is not None:
                        transaction.put(raw, data)
                    elif found is not None:
                        transaction.delete(raw)
                return found

            known, value = value, self._change(replace)
            if value == known:
                return

    @staticmethod
    def _checked(key: str) -> bytes:
        """Return a key that is written, as LMDB has it."""
        raw = _encode(key)
        if len(raw) > _KEY_MAX:
            raise StoreError(f"a key in an LMDB store has at most {_KEY_MAX} bytes: {key!r}")
        return raw

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys, in one transaction.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LMDBStore("run.lmdb")
        >>> store.update({"a": b"value", "b": b"other"})
        >>> sorted(store)
        ['a', 'b']
        >>> store.close()
        """
        self.set_many(dict(*args, **kwargs))

    def __delitem__(self, key: str) -> None:
        if not self._erase([key]):
            raise KeyError(key)

    def erase_many(self, keys: Iterable[str]) -> None:
        self._erase(keys)

    def _erase(self, keys: Iterable[str]) -> int:
        rows = [raw for raw in map(_encode, keys) if len(raw) <= _KEY_MAX]
        return self._change(lambda transaction: sum(bool(transaction.delete(key)) for key in rows))

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        raw = _encode(key)
        return len(raw) <= _KEY_MAX and self._read_only(lambda transaction: transaction.get(raw) is not None)

    def __iter__(self) -> Iterator[str]:
        def keys(transaction: Any) -> list[str]:
            with transaction.cursor() as cursor:
                return [_decode(key) for key in cursor.iternext(keys=True, values=False)]

        return (key for key in self._read_only(keys) if is_key(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LMDBStore) and self.path == other.path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def size(self, key: str) -> int:
        raw = _encode(key)

        def size(transaction: Any) -> int | None:
            value = transaction.get(raw) if len(raw) <= _KEY_MAX else None
            return None if value is None else len(value)

        found = self._read_only(size)
        if found is None:
            raise KeyError(key)
        return found

    def list_dir(self, path: str = "") -> list[str]:
        prefix = _prefix(path)

        def names(transaction: Any) -> set[str]:
            seen = set()
            with transaction.cursor() as cursor:
                found = cursor.set_range(prefix) if prefix else cursor.first()
                while found:
                    key = bytes(cursor.key())
                    if not key.startswith(prefix):
                        break
                    name, folder, _ = key[len(prefix) :].partition(b"/")
                    seen.add(_decode(name))
                    # Behind everything in the folder: "0" comes behind "/".
                    found = cursor.set_range(prefix + name + b"0") if folder else cursor.next()
            return seen

        return sorted(name for name in self._read_only(names) if is_key(name))

    def is_empty(self, path: str = "") -> bool:
        prefix = _prefix(path)

        def is_empty(transaction: Any) -> bool:
            with transaction.cursor() as cursor:
                found = cursor.set_range(prefix) if prefix else cursor.first()
                return not (found and bytes(cursor.key()).startswith(prefix))

        return self._read_only(is_empty)

    def erase_prefix(self, path: str = "") -> None:
        prefix = _prefix(path)

        def erase(transaction: Any) -> None:
            with transaction.cursor() as cursor:
                found = cursor.set_range(prefix) if prefix else cursor.first()
                # Deleting moves on to the next key.
                while found and bytes(cursor.key()).startswith(prefix):
                    found = cursor.delete() and bool(len(cursor.key()))

        self._change(erase)

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        if whole:
            # In one transaction.
            self.erase_prefix(path)
        else:
            super()._erase_claimed(path)

    def flush(self) -> None:
        """Wait until everything is on the disk.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LMDBStore("run.lmdb")
        >>> store["a"] = b"value"
        >>> store.flush()
        >>> store.close()
        """
        environment = self._environment
        if not self.kwargs.get("readonly"):
            environment.db.sync(True)

    def sync(self, keys: str | Iterable[str] = "") -> None:
        self.flush()

    def close(self) -> None:
        """Sync, and close the database unless another store of this process has it open. May be repeated.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.LMDBStore("run.lmdb")
        >>> store.close()
        >>> store.close()
        """
        if self._handle is not None:
            self.flush()
            self._handle = None


class _Environment:
    """An open database, closed when the last store of this process lets go of it."""

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        self.pid = os.getpid()
        self.options = options
        # Of the threads that write.
        self.turn = Guard()
        try:
            import lmdb
        except ImportError:
            raise ImportError(
                "LMDBStore needs the package lmdb: pip install lmdb"
            ) from None
        self.error: type[Exception] = lmdb.Error
        try:
            self.db = lmdb.open(path, **options)
            # Readers that were killed would keep the space of old values from being used again.
            self.db.reader_check()
            self.identity = _identity(path)
        except lmdb.Error as error:
            raise StoreError(f"cannot open {path!r} as an LMDB store: {error}") from error

    def __del__(self) -> None:
        if self.pid == os.getpid() and hasattr(self, "db"):
            self.db.close()


_open_environments: WeakValueDictionary[tuple[int, str], _Environment] = WeakValueDictionary()
_DEFAULTS = {
    "map_size": _MAP_SIZE,
    "max_readers": _MAX_READERS,
    # One that waits to be used again has a place in the table of readers, which a forked child would clear.
    "max_spare_txns": 0,
    "meminit": False,
    "metasync": False,
    "sync": False,
    "map_async": False,
    "writemap": sys.platform.startswith("linux"),
}


def _open(path: str, options: dict[str, Any]) -> _Environment:
    # `PerProcess` lets one thread at a time make something.
    key = os.getpid(), os.path.realpath(path)
    found = _open_environments.get(key)
    # The folder may have been deleted, and a new one be in its place.
    if found is None or found.identity != _identity(path):
        for (_, other), inherited in list(_open_environments.items()):
            if other == key[1] and inherited.pid != key[0]:
                # lmdb opens a database once in a process, and thinks that this one did.
                inherited.db.close()
        if not options.get("readonly"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        found = _open_environments[key] = _Environment(path, options)
    elif found.options != options:
        raise StoreError(
            f"{path!r} is open as an LMDB store with other options: {found.options}; close it first"
        )
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _copied(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _prefix(path: str) -> bytes:
    return f"{path}/".encode() if check_path(path) else b""


def _encode(key: object) -> bytes:
    return check_key(key).encode()


def _decode(raw: Any) -> str:
    # What is no UTF-8 becomes what is no legal key, not an error.
    return bytes(raw).decode(errors="surrogateescape")
