"""Synchronizers: locks by key, for writers in several threads or processes.

`ThreadSynchronizer` is here for programs that have one: zchunk's own locks keep the threads of a process
apart already. `ProcessSynchronizer` is for processes that write parts of the same chunks, change the same
attributes or append to the same array.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Hashable
from types import TracebackType
from typing import Any, Self

from zchunk.errors import StoreError
from zchunk.spec.keys import METADATA_KEYS
from zchunk.typing import Synchronizer

try:
    import fcntl
except ImportError:  # pragma: no cover
    # Windows. Said when a `ProcessSynchronizer` is made.
    fcntl = None  # type: ignore[assignment]

__all__ = ["KeyLock", "ProcessSynchronizer", "Synchronizer", "ThreadSynchronizer"]

# All processes must agree on these, so they never change.
_CHUNK_FILES = 1024
_METADATA_FILES = 64
# A thread that holds the lock of a group may take that of an array in it, and then those of its chunks: each
# kind has its own files, so that no threads wait in a circle.


class _Entry:
    """A lock that some thread of this process holds or waits for."""

    __slots__ = ("depth", "fd", "lock", "owner", "users", "waiting")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.owner: int | None = None
        # How often the owner came in.
        self.depth = 0
        # The locked file, if there is one, and those that are waited for: by one call, and by the handlers of
        # signals that come meanwhile, which are done before it goes on.
        self.fd = -1
        self.waiting: list[int] = []


# All that are in use, by what they lock. One table, so that a fork finds every open file.
_entries: dict[Hashable, _Entry] = {}
# Held while the table changes and while files are opened and closed, never while somebody waits for a lock.
_guard = threading.RLock()


class KeyLock:
    """The lock of one key, as synchronizers hand it out: a context manager with `acquire` and `release`.

    A thread that holds it gets in again.
    """

    def __init__(self, what: Hashable, file: str | None = None) -> None:
        self._what = what
        # None if it is one of threads.
        self.file = file
        self._pid = os.getpid()

    def acquire(self, blocking: bool = True) -> bool:
        """Wait until nobody else holds the lock and take it; return whether it is held.

        Parameters
        ----------
        blocking : bool, optional
            Wait. Otherwise return False if somebody else holds it.

        Raises
        ------
        StoreError
            The file system knows no locks.
        """
        self._pid = os.getpid()
        with _guard:
            entry = _entries.setdefault(self._what, _Entry())
            entry.users += 1
        locked = done = False
        try:
            locked = entry.lock.acquire(blocking)
            if locked and (entry.depth or self.file is None or _lock_file(entry, self.file, blocking)):
                entry.owner = threading.get_ident()
                entry.depth += 1
                done = True
            return done
        finally:
            if not done:
                if locked:
                    entry.lock.release()
                self._leave(entry)

    def release(self) -> None:
        """Let the lock go, as often as it was acquired.

        Raises
        ------
        RuntimeError
            This thread does not hold it.
        """
        entry = _entries.get(self._what)
        if entry is None or entry.owner != threading.get_ident():
            if self._pid != os.getpid():
                # Forked while it was held: it stays the parent's.
                return
            raise RuntimeError(f"the lock of {self._what!r} is not held by this thread")
        entry.depth -= 1
        try:
            if not entry.depth:
                entry.owner = None
                _unlock_file(entry)
        finally:
            entry.lock.release()
            self._leave(entry)

    def _leave(self, entry: _Entry) -> None:
        with _guard:
            entry.users -= 1
            if not entry.users:
                _entries.pop(self._what, None)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._what!r}>"


def _lock_file(entry: _Entry, path: str, blocking: bool) -> bool:
    """Open and lock a file; whoever is killed lets go of it, for the lock is that of the open file."""
    with _guard:
        fd = _open(path)
        entry.waiting.append(fd)
    locked = False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        locked = True
    except BlockingIOError:
        pass
    except OSError as err:
        raise StoreError(
            f"cannot lock {path!r}: {err.strerror}; a ProcessSynchronizer needs a folder on a file system "
            "that knows flock"
        ) from err
    finally:
        with _guard:
            entry.waiting.remove(fd)
            if locked:
                entry.fd = fd
            else:
                os.close(fd)
    return locked


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _unlock_file(entry: _Entry) -> None:
    if entry.fd < 0:
        return
    with _guard:
        fd, entry.fd = entry.fd, -1
        try:
            # Closing alone would not do if a child, forked meanwhile, had the file open too.
            fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)


def _before_fork() -> None:
    _guard.acquire()


def _after_fork_in_parent() -> None:
    _guard.release()


def _after_fork_in_child() -> None:
    # Locks stay with the parent. An open file would keep them from others when the parent is killed.
    global _guard
    for entry in _entries.values():
        for fd in (*entry.waiting, entry.fd):
            if fd >= 0:
                os.close(fd)
    _entries.clear()
    _guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )


class ThreadSynchronizer:
    """Locks by key among the threads of this process.

    ``synchronizer[key]`` is the lock of a key. Memory is taken for the locks that are in use only. A pickled
    one comes back as a new one; a forked child finds all locks free.
    """

    def __getitem__(self, key: Hashable) -> KeyLock:
        return KeyLock((self, key))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class ProcessSynchronizer:
    """Locks by key among all threads of all processes that name the same folder.

    ``synchronizer[key]`` is the lock of a key. It is a lock (``flock``) on a file in the folder, which the
    system releases when the process that holds it ends, in whatever way: one that was killed blocks nobody.
    Pickles; a forked child holds none of its parent's locks.

    Parameters
    ----------
    path : str or path-like
        The folder, made when it is needed. Not that of the array, and not to be deleted while in use.

    Notes
    -----
    Keys share a fixed number of small files, named by a checksum of the key: at most 1,024 for chunks and 64
    for each kind of metadata. No key names a file itself. Two keys may so share a lock, which costs waiting
    and nothing else, as long as a thread does not hold locks of several chunks at a time (zchunk does not).
    A file is open only while a thread holds its lock, or waits for another process to let it go.

    The machines of a cluster exclude each other if their network file system passes ``flock`` on to its
    server: NFS does (from Linux 2.6.12 on), Lustre if mounted with ``flock``, GPFS and CephFS do. Where a
    file system says that it has no locks, acquiring raises `StoreError`; a file system on which ``flock`` is
    local to the machine (Lustre's ``localflock``) says nothing.

    Raises
    ------
    StoreError
        The system has no ``flock`` (Windows).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if fcntl is None:
            raise StoreError("a ProcessSynchronizer needs flock, which this system does not have")
        self.path = path
        self._folder = os.path.realpath(os.fsdecode(path))

    def __getitem__(self, key: str) -> KeyLock:
        name = key.rpartition("/")[2]
        number = zlib.crc32(key.encode("utf-8", "surrogatepass"))
        if name in METADATA_KEYS:
            file = f"{name[1:]}-{number % _METADATA_FILES:02x}.lock"
        else:
            file = f"chunk-{number % _CHUNK_FILES:03x}.lock"
        path = os.path.join(self._folder, file)
        return KeyLock(path, path)

    def __reduce__(self) -> tuple[Any, ...]:
        # The folder as it is, also for a process whose working folder is another.
        return type(self), (self._folder,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._folder!r})"
