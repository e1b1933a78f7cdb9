"""Locks by key among threads, and among processes by `flock` of a file.

Compiled, since Python runs signal handlers between its own instructions: Ctrl-C, or a handler that takes the
same lock, would come when a lock is taken and nothing knows of it yet. Here they come before or after.
"""

import os
import threading

from libc.stdint cimport int64_t

try:
    import fcntl
except ImportError:
    # Windows: there are locks of threads only.
    fcntl = None

from zchunk._ext.threads.guards cimport Guard
from zchunk._ext.threads.locks cimport may_wait_for_lock, taken


cdef class _Entry:
    """A lock that a thread of this process holds or waits for."""

    cdef object lock
    cdef Py_ssize_t users, depth
    cdef object owner
    # The owner by its number, and when it took the lock.
    cdef int64_t thread, serial
    # Descriptor of the locked file, if there is one, and those that are waited for: by one call, and by the
    # handlers of signals that come meanwhile, which are done before it goes on.
    cdef int fd
    cdef list waiting

    def __init__(self):
        self.lock = threading.RLock()
        self.users = self.depth = 0
        self.owner = None
        self.thread = self.serial = 0
        self.fd = -1
        self.waiting = []


# All that are in use, by what they lock. One table, so that a fork finds every open file.
cdef dict _entries = {}
# Held while the table changes and while files are opened and closed, never while a thread waits for a lock.
cdef Guard _guard = Guard(patient=True)


class KeyLock:
    """The lock of one key: a context manager with `acquire` and `release`.

    A thread that holds it gets in again. `_failed` makes the error for a file that cannot be locked, `_refused`
    that for waiting for what may wait for this thread.
    """

    def __init__(self, what, file=None):
        self._what = what
        # None if it is one of threads.
        self.file = file
        self._pid = os.getpid()

    @staticmethod
    def _failed(path, err):
        """Return the error for a file that cannot be locked."""
        return err

    @staticmethod
    def _refused(what):
        """Return the error for waiting while this thread holds what others may wait for."""
        return RuntimeError(f"waiting for the lock of {what!r} might be for ever")

    def acquire(self, blocking=True):
        """Wait for the lock and take it; return whether it is held.

        Parameters
        ----------
        blocking : bool, optional
            Wait. Otherwise return False if another thread or process holds it.

        Raises
        ------
        StoreError
            The file system knows no locks.
        ChangeInProgressError
            It is held elsewhere, and a signal handler waits for it that interrupts a change or a store at work.

        Examples
        --------
        >>> import zchunk
        >>> lock = zchunk.ProcessSynchronizer("run.locks")["0.0"]
        >>> lock.acquire(blocking=False)
        True
        >>> lock.release()
        """
        cdef _Entry entry
        cdef bint locked = False, done = False
        self._pid = os.getpid()
        with _guard:
            entry = _entries.setdefault(self._what, _Entry())
            entry.users += 1
        try:
            locked = entry.lock.acquire(False) or (_waits(entry, blocking) and entry.lock.acquire())
            if locked and (entry.depth or self.file is None or _lock_file(self, entry, blocking)):
                if not entry.depth:
                    entry.thread, entry.serial = taken()
                entry.owner = threading.get_ident()
                entry.depth += 1
                done = True
            if blocking and not done:
                raise self._refused(self._what)
            return done
        finally:
            if not done:
                if locked:
                    entry.lock.release()
                _leave(self._what, entry)

    def release(self):
        """Let the lock go, as often as it was acquired.

        Raises
        ------
        RuntimeError
            This thread does not hold it.

        Examples
        --------
        >>> import zchunk
        >>> lock = zchunk.ThreadSynchronizer()["0.0"]
        >>> lock.acquire()
        True
        >>> lock.release()
        """
        cdef _Entry entry = _entries.get(self._what)
        if entry is None or entry.owner != threading.get_ident():
            if self._pid != os.getpid():
                # Forked while it was held: it stays the parent's.
                return
            raise RuntimeError(f"the lock of {self._what!r} is not held by this thread")
        entry.depth -= 1
        try:
            if not entry.depth:
                entry.owner, entry.thread = None, 0
                _unlock_file(entry)
        finally:
            entry.lock.release()
            _leave(self._what, entry)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, exc_type, exc, tb):
        self.release()

    def __repr__(self):
        return f"<{type(self).__name__} of {self._what!r}>"


cdef bint _waits(_Entry entry, blocking):
    """Whether to wait for a lock that is not free. It is not asked before, for it takes time."""
    return blocking and may_wait_for_lock(entry.thread, entry.serial)


cdef _leave(what, _Entry entry):
    with _guard:
        entry.users -= 1
        if not entry.users:
            _entries.pop(what, None)


cdef bint _lock_file(lock, _Entry entry, blocking) except -1:
    """Open and lock a file. The lock is that of the open file, so it ends with the process."""
    cdef bint locked = False
    cdef int fd = -1
    with _guard:
        fd = _open(lock.file)
        entry.waiting.append(fd)
    try:
        locked = _flock(fd, fcntl.LOCK_NB) or (_waits(entry, blocking) and _flock(fd, 0))
    except OSError as err:
        raise lock._failed(lock.file, err) from err
    finally:
        with _guard:
            entry.waiting.remove(fd)
            if locked:
                entry.fd = fd
            else:
                os.close(fd)
    return locked


cdef bint _flock(int fd, int flags) except -1:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        return False
    return True


cdef int _open(path) except -1:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


cdef _unlock_file(_Entry entry):
    cdef int fd
    if entry.fd < 0:
        return
    with _guard:
        fd, entry.fd = entry.fd, -1
        try:
            # Closing alone would not do if a child, forked meanwhile, had the file open too.
            fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)


def entries():
    """Return by what they lock how many threads are at each lock, and its open files."""
    cdef _Entry entry
    found = {}
    with _guard:
        for what, entry in _entries.items():
            found[what] = entry.users, [fd for fd in [*entry.waiting, entry.fd] if fd >= 0]
    return found


def _after_fork_in_child():
    # Locks stay with the parent. An open file would keep other processes out when the parent is killed.
    cdef _Entry entry
    for entry in _entries.values():
        for fd in [*entry.waiting, entry.fd]:
            if fd >= 0:
                os.close(fd)
    _entries.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
