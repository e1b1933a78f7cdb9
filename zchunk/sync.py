"""Synchronizers: locks by key, for writers in several threads or processes.

`ThreadSynchronizer` is here for programs that have one: zchunk's own locks keep the threads of a process
apart already. `ProcessSynchronizer` is for processes that write parts of the same chunks, change the same
attributes or append to the same array.

The locks have places in the order in which threads take locks (`zchunk._ext.threads.locks`), by what their
keys are for: the whole hierarchy, other metadata, chunks. A place is the same in all processes, so that
processes do not wait in a circle either.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Hashable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from zchunk._ext.threads import key_locks
from zchunk._ext.threads.key_locks import OF_ANYTHING, OF_CHUNK, OF_METADATA, ForeignLock
from zchunk.errors import ChangeInProgressError, StoreError, change_in_progress
from zchunk.runtime.lazy import lazy_names
from zchunk.spec.keys import GROUP_KEY, METADATA_KEYS, NODE_KEY, is_chunk_name

if TYPE_CHECKING:
    from zchunk.typing import Synchronizer
else:
    # Every array and attribute needs this module; types are for type checkers.
    __getattr__ = lazy_names(globals(), {"zchunk.typing": "Synchronizer"})

try:
    import fcntl
except ImportError:  # pragma: no cover
    # Windows; the error comes when a `ProcessSynchronizer` is made.
    fcntl = None  # type: ignore[assignment]

__all__ = ["KeyLock", "ProcessSynchronizer", "Synchronizer", "ThreadSynchronizer"]

# All processes must agree on these, so they never change.
_CHUNK_FILES = _OTHER_FILES = 1024
_METADATA_FILES = 64
# A thread that holds the lock of a group may take that of an array in it, and then those of its chunks: each
# kind has its own files, so that no threads wait in a circle.


class KeyLock(key_locks.KeyLock):
    """The lock of one key, as synchronizers hand it out: a context manager with `acquire` and `release`.

    A thread that holds it gets in again. Ctrl-C leaves it either held or free, whenever it comes.

    Examples
    --------
    >>> import zchunk
    >>> lock = zchunk.ThreadSynchronizer()["0.0"]
    >>> with lock:
    ...     pass
    >>> lock.acquire(blocking=False)
    True
    >>> lock.release()
    """

    @staticmethod
    def _failed(path: str, err: OSError) -> StoreError:
        # Called by `acquire`.
        return StoreError(
            f"cannot lock {path!r}: {err.strerror}; a ProcessSynchronizer needs a folder on a file system "
            "that knows flock"
        )

    @staticmethod
    def _refused(what: Hashable) -> ChangeInProgressError:
        # Of threads: the synchronizer and the key.
        name = what[-1] if isinstance(what, tuple) else what
        return change_in_progress(f"what the lock of {name!r} is for")


class ThreadSynchronizer:
    """Locks by key among the threads of this process.

    ``synchronizer[key]`` is the lock of a key. Only locks that are in use take memory. A pickled one comes
    back as a new one; a forked child finds all locks free.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4, chunks=2, dtype="i4", synchronizer=zchunk.ThreadSynchronizer())
    >>> z[1:3] = 7
    >>> z[:]
    array([0, 7, 7, 0], dtype=int32)
    """

    def __getitem__(self, key: Hashable) -> KeyLock:
        rank = _rank(key) if isinstance(key, str) else OF_ANYTHING
        return KeyLock((self, key), None, rank, _number(str(key), rank, str(key)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class ProcessSynchronizer:
    """Locks by key among all threads of all processes that name the same folder.

    ``synchronizer[key]`` is the lock of a key. It is a lock (``flock``) on a file in the folder, which the
    system releases when the process that holds it ends, in whatever way: a killed process blocks no other.
    Pickles; a forked child holds none of its parent's locks.

    Parameters
    ----------
    path : str or path-like
        The folder, made when it is needed. Not that of the array, and not to be deleted while in use.

    Notes
    -----
    Keys share a fixed number of small files, named by a checksum of the key: at most 1,024 for chunks, 64
    for each kind of metadata, and 1,024 for names that are no keys of Zarr. No key names a file itself.
    Two keys may share a lock, which costs waiting and nothing else, as long as a thread does not hold
    locks of several chunks at a time (zchunk does not). A file is open only while a thread holds its
    lock, or waits for another process to let it go.

    The machines of a cluster exclude each other if their network file system passes ``flock`` on to its
    server: NFS does (from Linux 2.6.12 on), Lustre if mounted with ``flock``, GPFS and CephFS do. Where a
    file system says that it has no locks, acquiring raises `StoreError`; a file system on which ``flock`` is
    local to the machine (Lustre's ``localflock``) says nothing.

    Raises
    ------
    StoreError
        The system has no ``flock`` (Windows).

    Examples
    --------
    >>> import zchunk
    >>> synchronizer = zchunk.ProcessSynchronizer("run.locks")
    >>> z = zchunk.open("run.zarr", mode="w", shape=4, dtype="i4", synchronizer=synchronizer)
    >>> z[1:3] = 7
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if fcntl is None:
            raise StoreError("a ProcessSynchronizer needs flock, which this system does not have")
        self.path = path
        self._folder = os.path.realpath(os.fsdecode(path))

    def __getitem__(self, key: str) -> KeyLock:
        number, rank = _checksum(key), _rank(key)
        if rank == OF_METADATA:
            name = key.rpartition("/")[2]
            file = f"{name[1:]}-{number % _METADATA_FILES:02x}.lock"
        elif rank == OF_CHUNK:
            file = f"chunk-{number % _CHUNK_FILES:03x}.lock"
        else:
            # Held by a program, which may want any chunk meanwhile.
            file = f"other-{number % _OTHER_FILES:03x}.lock"
        path = os.path.join(self._folder, file)
        return KeyLock(path, path, rank, _number(key, rank, file))

    def __reduce__(self) -> tuple[Any, ...]:
        # The folder as it is, also for a process whose working folder is another.
        return type(self), (self._folder,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._folder!r})"


def outer_lock(synchronizer: Synchronizer, key: str) -> AbstractContextManager[Any]:
    """Return the lock that a synchronizer has for a key, for zchunk to hold outside of its own locks.

    Parameters
    ----------
    synchronizer : mapping of keys to locks
        zchunk's, or any other.
    key : str
        Of metadata, or of a chunk.

    Returns
    -------
    context manager
        It raises `ChangeInProgressError` where a signal handler might wait for ever.

    Examples
    --------
    >>> import threading
    >>> from collections import defaultdict
    >>> with outer_lock(defaultdict(threading.Lock), "0.0"):
    ...     pass
    """
    lock = synchronizer[key]
    if isinstance(lock, key_locks.KeyLock):
        return lock._of_zchunk()
    rank = OF_METADATA if _rank(key) == OF_METADATA else OF_CHUNK
    return ForeignLock(lock, key, rank, _number(key, rank, key), KeyLock._refused)


def _rank(key: str) -> int:
    """Return what the lock of a key is for: names that mean nothing to zchunk are the program's."""
    name = key.rpartition("/")[2]
    if name in METADATA_KEYS:
        return OF_METADATA
    return OF_CHUNK if is_chunk_name(name) else OF_ANYTHING


def _number(key: str, rank: int, name: str) -> int:
    """Return a place among the locks of a rank, by the name of what is locked: the same in all processes."""
    if rank == OF_METADATA and key in (GROUP_KEY, NODE_KEY):
        # Of the whole hierarchy: held while nodes are made.
        return 0
    return 1 + _checksum(name)


def _checksum(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))
