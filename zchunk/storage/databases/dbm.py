"""`DBMStore`: all values in a database of Unix's dbm family."""

from __future__ import annotations

import dbm
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from zchunk._ext.threads.guards import Guard
from zchunk.errors import ReadOnlyError, StoreError, change_in_progress
from zchunk.spec.keys import check_key, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_bytes, check_separator

if TYPE_CHECKING:
    from zchunk.typing import Bytes

T = TypeVar("T")


class DBMStore(Store):
    """A store in a database of the dbm family. Which kind depends on what Python was built with.

    Parameters
    ----------
    path : str or path-like
        The file; some kinds add an ending, or make more than one.
    flag : str, default "c"
        ``"r"`` to read, ``"w"`` to change, ``"c"`` to change or create, ``"n"`` to replace.
    mode : int, optional
        Permissions of a file that is made.
    open : callable, default dbm.open
        Opens the database; for instance `dbm.dumb.open`.
    write_lock : bool, default True
        Let threads take turns.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    **open_kwargs
        Passed to `open`.

    Notes
    -----
    Safe to use from many threads with `write_lock`, except for `dbm.sqlite3`, which new databases are since
    Python 3.13 and which knows one thread only: use `SQLiteStore`, or another `open`. One process at a time
    may have it open for changes, and a forked child cannot use it. What was written is only sure to be in
    the file after `flush` or `close`; when the process dies before, the database may be damaged. `LMDBStore`
    and `SQLiteStore` have no such weaknesses. A pickle is opened by its own handle, which most kinds refuse
    before this one is closed.

    Examples
    --------
    >>> import dbm.dumb
    >>> import zchunk
    >>> with zchunk.DBMStore("run.dbm", open=dbm.dumb.open) as store:
    ...     z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    ...     z[:]
    array([1, 2, 3, 4])
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.dbm"

    verbatim = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        flag: str = "c",
        mode: int = 0o666,
        open: Callable[..., Any] | None = None,
        write_lock: bool = True,
        dimension_separator: DimensionSeparator | None = None,
        **open_kwargs: Any,
    ) -> None:
        self.path: str = os.path.abspath(os.fsdecode(path))
        self.flag = flag
        self.mode = mode
        self.open: Callable[..., Any] = dbm.open if open is None else open
        self.write_lock = write_lock
        self.open_kwargs = open_kwargs
        self._dimension_separator = check_separator(dimension_separator)
        self.write_mutex: AbstractContextManager[Any] = Guard() if write_lock else nullcontext()
        self._owner = os.getpid()
        self._closed = False
        if flag[:1] in ("c", "n"):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.db = self._open(flag)

    def _open(self, flag: str) -> Any:
        try:
            return self.open(self.path, flag, self.mode, **self.open_kwargs)
        except dbm.error as error:
            raise StoreError(f"cannot open {self.path!r} as a dbm store: {error}") from error

    many_writers = False

    @property
    def lock_identity(self) -> str:
        return f"dbm:{os.path.realpath(self.path)}"

    def __getstate__(self) -> tuple[Any, ...]:
        if not self._closed:
            self.flush()
        flag = self._flag_again()
        separator = self._dimension_separator
        return self.path, flag, self.mode, self.open, self.write_lock, separator, self.open_kwargs

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *args, open_kwargs = state
        self.__init__(*args, **open_kwargs)  # type: ignore[misc]

    def _flag_again(self) -> str:
        # What is there must not be replaced when it is opened again.
        return f"c{self.flag[1:]}" if self.flag.startswith("n") else self.flag

    def _use(self, work: Callable[[Any], T], change: bool = False) -> T:
        """Return what `work` does with the database, which one thread has at a time."""
        if os.getpid() != self._owner:
            raise StoreError(
                f"dbm store {self.path!r} was opened by process {self._owner}; a forked child cannot use it"
            )
        with self.write_mutex as first:
            if self._closed:
                raise StoreError(f"dbm store {self.path!r} is closed; open it again")
            # None without a lock. `dbm.dumb` is written in Python: a signal handler may interrupt it.
            if change and first is False:
                raise change_in_progress(f"dbm store {self.path!r}")
            try:
                return work(self.db)
            except dbm.error as error:
                raise StoreError(f"dbm store {self.path!r}: {error}") from error

    def __getitem__(self, key: str) -> bytes:
        raw = check_key(key).encode()
        try:
            return self._use(lambda db: as_bytes(db[raw]))
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Bytes) -> None:
        raw, data = check_key(key).encode(), as_bytes(value)
        self._check_writable()
        self._use(lambda db: db.__setitem__(raw, data), change=True)

    def __delitem__(self, key: str) -> None:
        raw = check_key(key).encode()
        self._check_writable()
        try:
            self._use(lambda db: db.__delitem__(raw), change=True)
        except KeyError:
            raise KeyError(key) from None

    def _check_writable(self) -> None:
        if self.flag.startswith("r"):
            raise ReadOnlyError(f"dbm store {self.path!r} was opened with flag 'r'; use 'w' to change it")

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        raw = check_key(key).encode()
        return self._use(lambda db: raw in db)

    def __iter__(self) -> Iterator[str]:
        raws = self._use(lambda db: list(db.keys()))
        found = (bytes(raw).decode(errors="surrogateescape") for raw in raws)
        return (key for key in found if is_key(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DBMStore)
            and self.path == other.path
            and self.open == other.open
            and self.open_kwargs == other.open_kwargs
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, flag={self.flag!r})"

    def flush(self) -> None:
        """Write everything to the file.

        Examples
        --------
        >>> import dbm.dumb
        >>> import zchunk
        >>> store = zchunk.DBMStore("run.dbm", open=dbm.dumb.open)
        >>> store["key"] = b"value"
        >>> store.flush()
        >>> store.close()
        """
        if self.flag.startswith("r"):
            return

        def flush(db: Any) -> None:
            if hasattr(db, "sync"):
                db.sync()
            else:
                # What ndbm needs.
                db.close()
                self.db = self._open(self._flag_again())

        self._use(flush, change=True)

    def sync(self, keys: str | Iterable[str] = "") -> None:
        self.flush()

    def close(self) -> None:
        """Close the database. May be repeated; nothing but `close` works afterwards.

        Examples
        --------
        >>> import dbm.dumb
        >>> import zchunk
        >>> store = zchunk.DBMStore("run.dbm", open=dbm.dumb.open)
        >>> store.close()
        >>> store.close()
        """
        if not self._closed and os.getpid() == self._owner:
            with self.write_mutex:
                self._closed = True
                self.db.close()
