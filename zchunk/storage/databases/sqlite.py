"""`SQLiteStore`: all values in one SQLite database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack
from weakref import WeakValueDictionary

from zchunk._ext.threads.guards import Gate, Guard
from zchunk.errors import StoreError, change_in_progress
from zchunk.runtime.fork import PerProcess
from zchunk.spec.keys import UNFINISHED_KEY, check_key, check_rename, is_key, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_buffer, check_path, check_range, check_separator
from zchunk.storage.local.directory import DURABILITY, Durability

_MEMORY = ":memory:"
T = TypeVar("T")
# SQLite has locks of its own, some for the whole process.
_gate = Gate()
# Writers of other processes have the file for themselves for as long as a commit takes.
_TIMEOUT = 60.0
# No value has more, and `substr` takes no larger numbers.
_SIZE_MAX = (1 << 31) - 2
# A range of the index rather than LIKE, whose wildcards are legal in keys. `substr` is for files in UTF-16,
# where the range has more.
_BELOW = "(k >= :low AND k < :high AND substr(k, 1, :length) = :low)"

if TYPE_CHECKING:

    from zchunk.typing import Bytes
    class Connecting(TypedDict, total=False):
        """Parameters of `sqlite3.connect`."""

        timeout: float
        detect_types: int
        isolation_level: Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"] | None
        check_same_thread: bool
        factory: type[sqlite3.Connection]
        cached_statements: int
        uri: bool
        autocommit: bool


class SQLiteStore(Store):
    """A store in one file, an SQLite database.

    Parameters
    ----------
    path : str or path-like
        The file, made if need be with its folder; or ``":memory:"``.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    durability : {"atomic", "fsync", "none"}, optional
        ``"fsync"``: what was written is there after a power cut as soon as the call has returned. Else the
        last transactions may be undone then, each as a whole.
    **kwargs
        Passed to `sqlite3.connect`. `timeout`, how long to wait for writers of other processes, is 60
        seconds by default.

    Notes
    -----
    Safe to use from many threads, which take turns, also if each has a store of its own over the file,
    and from many processes. After a fork the child opens the file again; it cannot use a store in memory.
    Every write is a transaction (`set_many`, `erase_many`, `rename` and `erase_prefix` are one for all
    keys): whatever happens to the process or the machine, a reader sees the old or the new values.
    Processes that change parts of the same chunks, attributes or shapes lose no update of each other.
    SQLite relies on file locks for this, which some network file systems do not have.
    A value has at most 1,000,000,000 bytes, unless SQLite was built for others.

    Examples
    --------
    >>> import zchunk
    >>> with zchunk.SQLiteStore("run.db") as store:
    ...     z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> zchunk.open_array(zchunk.SQLiteStore("run.db"), mode="r")[:]
    array([1, 2, 3, 4])
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.sqlite"

    verbatim = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        dimension_separator: DimensionSeparator | None = None,
        *,
        durability: Durability | None = None,
        **kwargs: Unpack[Connecting],
    ) -> None:
        self.path: str = os.fsdecode(path)
        if self.path != _MEMORY and not kwargs.get("uri"):
            self.path = os.path.abspath(self.path)
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.kwargs: dict[str, Any] = {**kwargs}
        if durability is not None:
            if durability not in DURABILITY:
                raise ValueError(f"durability is 'atomic', 'fsync' or 'none', not {durability!r}")
            self.kwargs["durability"] = durability
        self._dimension_separator = check_separator(dimension_separator)
        self._closed = False
        self._handle = PerProcess(partial(_connect, self.path, self.kwargs, os.getpid()))

    @property
    def db(self) -> sqlite3.Connection:
        """The connection of this process."""
        return self._handle()[0]

    @property
    def lock_identity(self) -> str:
        return f"sqlite:{id(self)}" if self.path == _MEMORY else f"sqlite:{os.path.realpath(self.path)}"

    def __getstate__(self) -> tuple[str, str | None, dict[str, Any]]:
        if self.path == _MEMORY:
            raise PicklingError("an SQLite store in memory cannot be pickled; give it a file")
        return self.path, self._dimension_separator, self.kwargs

    def __setstate__(self, state: tuple[str, str | None, dict[str, Any]]) -> None:
        path, separator, kwargs = state
        self.__init__(path, separator, **kwargs)  # type: ignore[misc]

    def _use(self, work: Callable[[sqlite3.Connection, bool], T]) -> T:
        """Return what `work` does with the connection, while no other thread is at work on the file.

        It is also given whether this is not inside of another use, which a signal handler interrupts. Inside
        of one it is given the connection of that one: its own would wait for it for ever.
        """
        if self._closed:
            raise StoreError(f"SQLite store {self.path!r} is closed; open it again")
        connection, turn = self._handle()
        with turn.guard as first, _gate:
            try:
                if first:
                    turn.begin(connection)
                return work(turn.connection or connection, first)
            except (sqlite3.Error, OverflowError) as error:
                raise StoreError(f"SQLite store {self.path!r}: {error}") from error
            finally:
                if first:
                    turn.end()

    def _query(self, query: str, parameters: Any = ()) -> list[Any]:
        """Return the rows that a query gives."""
        return self._use(lambda db, first: db.execute(query, parameters).fetchall())

    def _write(self, query: str, parameters: Any) -> int:
        """Do one statement, not inside a transaction of `_change`; return how many rows it was about."""

        def alone(db: sqlite3.Connection, first: bool) -> int:
            self._check_turn()
            # No cursor leaves: where it is freed, it resets the statement, which another thread may be using.
            return db.execute(query, parameters).rowcount

        return self._use(alone)

    def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does, all in one transaction."""

        def transact(db: sqlite3.Connection, first: bool) -> T:
            turn = self._check_turn()
            turn.in_transaction = True
            try:
                db.execute("BEGIN IMMEDIATE")
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                turn.roll_back()
                raise
            turn.in_transaction = False
            return result

        return self._use(transact)

    def _check_turn(self) -> _Turn:
        """Return the turn, in which something is to be changed; it is not inside of a transaction."""
        turn = self._handle()[1]
        if turn.in_transaction:
            raise change_in_progress(f"SQLite store {self.path!r}")
        return turn

    def _value(self, query: str, key: str, **parameters: Any) -> Any:
        """Return the one column that a query for the row of a key gives."""
        rows = self._query(f"SELECT {query} FROM zarr WHERE k = :key", {"key": key, **parameters})
        if not rows:
            raise KeyError(key)
        return rows[0][0]

    def _bytes(self, query: str, key: str, **parameters: Any) -> bytes:
        return self._blob(key, self._value(query, key, **parameters))

    def _blob(self, key: str, value: object) -> bytes:
        if type(value) is not bytes:
            raise StoreError(f"SQLite store {self.path!r} has no BLOB for key {key!r}")
        return value

    def __getitem__(self, key: str) -> bytes:
        return self._bytes("v", check_key(key))

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        size = _SIZE_MAX if stop is None else min(stop - start, _SIZE_MAX)
        start = min(start, _SIZE_MAX) + 1
        return self._bytes("coalesce(substr(v, :start, :size), v)", check_key(key), start=start, size=size)

    def __setitem__(self, key: str, value: Bytes) -> None:
        row = check_key(key), as_buffer(value)
        self._write("REPLACE INTO zarr VALUES (?, ?)", row)

    @property
    def _trace_names(self) -> tuple[str, ...]:
        # Other processes may use the database.
        return (UNFINISHED_KEY,)

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not SQLiteStore.__setitem__:
            return super().set_new(key, value)
        row = check_key(key), as_buffer(value)
        return bool(self._write("INSERT OR IGNORE INTO zarr VALUES (?, ?)", row))

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        rows = [(check_key(key), as_buffer(value)) for key, value in items.items()]
        self._change(lambda db: db.executemany("REPLACE INTO zarr VALUES (?, ?)", rows).rowcount)

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        # `change` takes its time, so nothing is locked meanwhile: the transaction looks whether the value is
        # still the one that was changed.
        query, where = "SELECT v FROM zarr WHERE k = ?", (check_key(key),)
        rows = self._query(query, where)
        while True:
            value = change(self._blob(key, rows[0][0]) if rows else None)
            data = None if value is None else as_buffer(value)

            def replace(db: sqlite3.Connection, data: Any = data, known: list[Any] = rows) -> list[Any]:
                found = db.execute(query, where).fetchall()
                if found == known:
                    if data is not None:
                        db.execute("REPLACE INTO zarr VALUES (?, ?)", (key, data))
                    elif found:
                        db.execute("DELETE FROM zarr WHERE k = ?", where)
                return found

            known, rows = rows, self._change(replace)
            if rows == known:
                return

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys, in one transaction.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.SQLiteStore("run.db")
        >>> store.update({"a": b"value", "b": b"other"})
        >>> sorted(store)
        ['a', 'b']
        >>> store.close()
        """
        self.set_many(dict(*args, **kwargs))

    def __delitem__(self, key: str) -> None:
        row = (check_key(key),)
        if not self._write("DELETE FROM zarr WHERE k = ?", row):
            raise KeyError(key)

    def erase_many(self, keys: Iterable[str]) -> None:
        rows = [(check_key(key),) for key in keys]
        self._change(lambda db: db.executemany("DELETE FROM zarr WHERE k = ?", rows).rowcount)

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        try:
            self._value("1", check_key(key))
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return (key for (key,) in self._query("SELECT k FROM zarr") if is_key(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SQLiteStore) and self.path != _MEMORY:
            return self.path == other.path
        return self is other

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def size(self, key: str) -> int:
        return int(self._value("length(v)", check_key(key)) or 0)

    def list_dir(self, path: str = "") -> list[str]:
        where, parameters = _below(check_path(path))
        rows = self._query(
            "SELECT DISTINCT substr(name, 1, instr(name || '/', '/') - 1) "
            f"FROM (SELECT substr(k, :length + 1) AS name FROM zarr WHERE {where})",
            parameters,
        )
        return sorted(name for (name,) in rows if is_key(name))

    def is_empty(self, path: str = "") -> bool:
        where, parameters = _below(check_path(path))
        return not self._query(f"SELECT 1 FROM zarr WHERE {where} LIMIT 1", parameters)

    def erase_prefix(self, path: str = "") -> None:
        where, parameters = _below(check_path(path))
        self._write(f"DELETE FROM zarr WHERE {where}", parameters)

    def _erase_claimed(self, path: str, whole: bool = False) -> None:
        if whole:
            # In one transaction.
            self.erase_prefix(path)
        else:
            super()._erase_claimed(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = check_rename(src_path, dst_path)

        def move(db: sqlite3.Connection) -> None:
            if not _exists(db, src):
                raise KeyError(src)
            if src == dst:
                return
            if _exists(db, dst):
                raise StoreError(f"cannot rename {src!r} to {dst!r}: the target exists; delete it first")
            where, parameters = _below(src)
            parameters |= {"src": src, "dst": dst}
            db.execute(
                f"UPDATE zarr SET k = :dst || substr(k, length(:src) + 1) WHERE k = :src OR {where}",
                parameters,
            )

        self._change(move)

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        if path and path in self:
            return self.size(path)
        where, parameters = _below(path)
        rows = self._query(
            "SELECT COALESCE(SUM(length(v)), 0) FROM zarr "
            f"WHERE {where} AND instr(substr(k, :length + 1), '/') = 0",
            parameters,
        )
        return int(rows[0][0])

    def close(self) -> None:
        """Close the database, for this store. May be repeated.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.SQLiteStore("run.db")
        >>> store.close()
        >>> store.close()
        """
        if not self._closed:
            self._closed = True
            connection, turn = self._handle()
            with turn.guard, _gate:
                if turn.connection is connection:
                    turn.connection = None
                connection.close()


class _Turn:
    """What the stores of a process over one file share: one thread at a time uses the file.

    SQLite would keep their connections apart, too, but it does not know that one waits for the other in the
    same thread. Its own connection may have a transaction, or a read, that a signal handler interrupts.
    """

    def __init__(self) -> None:
        self.guard = Guard()
        # The one that is in use, or was when Ctrl-C left a transaction.
        self.connection: sqlite3.Connection | None = None
        self.in_transaction = False

    def begin(self, connection: sqlite3.Connection) -> None:
        """Use a connection, not inside of another use."""
        if self.in_transaction:
            # It was left by Ctrl-C that came even while it was rolled back.
            self.roll_back()
        self.connection = connection

    def end(self) -> None:
        if not self.in_transaction:
            self.connection = None

    def roll_back(self) -> None:
        if self.connection is not None and self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.in_transaction = False


# By process and file.
_turns: WeakValueDictionary[tuple[int, str], _Turn] = WeakValueDictionary()


def _connect(path: str, options: dict[str, Any], owner: int) -> tuple[sqlite3.Connection, _Turn]:
    connecting = {"timeout": _TIMEOUT, **options}
    synced = connecting.pop("durability", None) == "fsync"
    if path == _MEMORY and os.getpid() != owner:
        raise StoreError("an SQLite store in memory stays with the process that made it; give it a file")
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, **connecting)
        if synced:
            # A transaction is done when its journal is gone: this syncs the folder that the journal was in.
            connection.execute("PRAGMA synchronous = EXTRA")
            # On macOS: until the disk has written it. It is F_FULLFSYNC there, and nothing elsewhere.
            connection.execute("PRAGMA fullfsync = ON")
        # Text that is no UTF-8 becomes what is no legal key, not an error.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        turn = _turn_at(path)
        # In a signal handler it might wait for the store that is interrupted, which has made the table.
        if turn.connection is None or not turn.guard.held:
            connection.execute("CREATE TABLE IF NOT EXISTS zarr(k TEXT PRIMARY KEY, v BLOB)")
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path!r} as an SQLite store: {error}") from error
    return connection, turn


def _turn_at(path: str) -> _Turn:
    if path == _MEMORY:
        return _Turn()
    # `PerProcess` lets one thread at a time make something.
    return _turns.setdefault((os.getpid(), os.path.realpath(path)), _Turn())


def _below(path: str) -> tuple[str, dict[str, Any]]:
    """Return a condition for the keys below a path, and its parameters."""
    if not path:
        return "1", {"length": 0}
    # "0" comes behind "/".
    return _BELOW, {"low": f"{path}/", "high": f"{path}0", "length": len(path) + 1}


def _exists(db: sqlite3.Connection, path: str) -> bool:
    where, parameters = _below(path)
    query = f"SELECT 1 FROM zarr WHERE k = :path OR {where} LIMIT 1"
    return db.execute(query, parameters | {"path": path}).fetchone() is not None
