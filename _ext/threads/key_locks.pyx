"""Locks by key among threads, and among processes by `flock` of a file: those of synchronizers.

Compiled, since Python runs signal handlers between its own instructions: Ctrl-C, or a handler that takes the
same lock, would come when a lock is taken and nothing knows of it yet. Here they come before or after.

A lock that a thread has, or waits for another process to let go, counts among what the thread holds, by its
place in the order of locks (`zchunk._ext.threads.locks`). Its thread gets in again, and so do the helpers that
the thread waits for: what keeps them apart, and a signal handler from what it interrupts, are the keys of
chunks and metadata.
"""

import os
import threading
import time

from libc.stdint cimport uint64_t

try:
    import fcntl
except ImportError:
    # Windows: there are locks of threads only.
    fcntl = None

from zchunk._ext.threads.guards cimport Guard
from zchunk._ext.threads.locks cimport (
    AWHILE,
    CHUNK,
    METADATA,
    OTHER,
    REFUSED,
    WAIT,
    Hold,
    count_lock,
    discount_lock,
    is_held_for_us,
    may_wait_for_lock,
)

# What a lock is for, in the order in which threads take them.
OF_ANYTHING, OF_METADATA, OF_CHUNK = OTHER, METADATA, CHUNK
# Seconds between looks at a file that another process has locked, where they end.
_PAUSE = 0.01


cdef class _Entry:
    """A lock that a thread of this process holds or waits for."""

    cdef object lock
    # `takers`: how often the thread that has the lock has it, or waits for the file in it.
    cdef Py_ssize_t users, takers, depth
    cdef object owner
    # What counts among the locks of that thread.
    cdef Hold hold
    # How often helpers of the owner are in, by thread.
    cdef dict helpers
    # Descriptor of the locked file, if there is one, and those that are waited for: by one call, and by the
    # handlers of signals that come meanwhile, which are done before it goes on.
    cdef int fd
    cdef list waiting

    def __init__(self):
        self.lock = threading.RLock()
        self.users = self.takers = self.depth = 0
        self.owner = None
        self.helpers = {}
        self.fd = -1
        self.waiting = []

    def __dealloc__(self):
        if self.takers:
            discount_lock(&self.hold)


# All that are in use, by what they lock. One table, so that a fork finds every open file.
cdef dict _entries = {}
# Held while the table changes and while files are opened and closed, never while a thread waits for a lock.
cdef Guard _guard = Guard(patient=True)


class KeyLock:
    """The lock of one key: a context manager with `acquire` and `release`.

    A thread that holds it gets in again. `_failed` makes the error for a file that cannot be locked, `_refused`
    that for waiting for what may wait for this thread.

    Parameters
    ----------
    what : hashable
        What is locked.
    file : str, optional
        A file that is locked for other processes, made if need be; or a folder, if it ends with a slash.
    rank : int, optional
        What it is for: `OF_METADATA`, `OF_CHUNK`, or `OF_ANYTHING`.
    number : int, optional
        Its place among those, the same in all processes.
    by_program : bool, optional
        Whether the program takes it, which has an order of its own, rather than zchunk.
    """

    # Pickles made before have none.
    _order = OF_ANYTHING, 0
    _by_program = True

    def __init__(self, what, file=None, rank=OF_ANYTHING, number=0, by_program=True):
        self._what = what
        # None if it is one of threads.
        self.file = file
        self._order = rank, number
        self._by_program = by_program
        self._pid = os.getpid()

    def _of_zchunk(self):
        """Return it as one that zchunk takes, and so in the order. What it takes is of metadata or of chunks."""
        rank, number = self._order
        self._order, self._by_program = (OF_CHUNK if rank == OF_ANYTHING else rank, number), False
        return self

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
            if entry.takers and is_held_for_us(&entry.hold):
                done = _let_in(entry)
            else:
                locked = _keep_threads_out(self, entry, blocking)
                if locked and (entry.depth or self.file is None or _lock_file(self, entry, blocking)):
                    entry.owner = threading.get_ident()
                    entry.depth += 1
                    done = True
            if blocking and not done:
                raise self._refused(self._what)
            return done
        finally:
            if not done:
                if locked:
                    _let_threads_in(entry)
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
        thread = threading.get_ident()
        if entry is not None and entry.helpers.get(thread):
            entry.helpers[thread] -= 1
            _leave(self._what, entry)
            return
        if entry is None or entry.owner != thread:
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
            _let_threads_in(entry)
            _leave(self._what, entry)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, exc_type, exc, tb):
        self.release()

    def __repr__(self):
        return f"<{type(self).__name__} of {self._what!r}>"


cdef class ForeignLock:
    """Context manager that holds a lock which is not zchunk's, from a synchronizer of the program. For one use.

    Its holder is not known. So it is waited for in the order only, and counts as long as zchunk has it.

    Parameters
    ----------
    lock : context manager
        The lock. Against the order it is taken if it has a method `acquire`, as those of `threading`, and is free.
    what : str
        The key that it is for.
    rank, number : int
        As those of `KeyLock`.
    refused : callable
        Is given `what`, and returns the error.
    """

    cdef object lock
    cdef object what
    cdef object refused
    cdef int rank
    cdef uint64_t number
    cdef Hold hold
    cdef bint held

    def __init__(self, lock, what, int rank, uint64_t number, refused):
        self.lock, self.what, self.refused = lock, what, refused
        self.rank, self.number = rank, number

    def __enter__(self):
        if may_wait_for_lock(self.rank, self.number, False) != REFUSED:
            self.lock.__enter__()
        elif not _taken_at_once(self.lock):
            raise self.refused(self.what)
        count_lock(&self.hold, self.rank, self.number, False)
        self.held = True
        return self

    def __exit__(self, *exc):
        if self.held:
            self.held = False
            discount_lock(&self.hold)
        return self.lock.__exit__(*exc)

    def __dealloc__(self):
        if self.held:
            discount_lock(&self.hold)


cdef bint _taken_at_once(lock) except -1:
    """Take a lock if it is free and can tell; return whether it is taken."""
    attempt = getattr(lock, "acquire", None)
    if attempt is None:
        return False
    try:
        taken = attempt(False)
    except TimeoutError:
        return False
    # Some return nothing.
    return taken is None or bool(taken)


cdef bint _let_in(_Entry entry) except -1:
    """Let a helper in for whom the owner waits, unless the owner still waits for another process."""
    if not entry.depth:
        return False
    thread = threading.get_ident()
    entry.helpers[thread] = entry.helpers.get(thread, 0) + 1
    return True


cdef bint _keep_threads_out(lock, _Entry entry, bint blocking) except -1:
    """Take the lock of an entry, and wait for other threads of this process in the order only."""
    cdef int may
    if not entry.lock.acquire(False):
        # It is not asked before, for it takes time.
        may = _may_wait(lock, blocking)
        if may == REFUSED or not (entry.lock.acquire() if may == WAIT else entry.lock.acquire(True, AWHILE)):
            return False
    entry.takers += 1
    if entry.takers == 1:
        rank, number = lock._order
        count_lock(&entry.hold, rank, number, lock._by_program)
    return True


cdef _let_threads_in(_Entry entry):
    entry.takers -= 1
    if not entry.takers:
        discount_lock(&entry.hold)
    entry.lock.release()


cdef int _may_wait(lock, bint blocking, int beyond=0) except -1:
    """Whether to wait for a lock that is not free; with `beyond` although it counts itself."""
    if not blocking:
        return REFUSED
    rank, number = lock._order
    return may_wait_for_lock(rank, number + beyond, lock._by_program)


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
        locked = _flock(fd, fcntl.LOCK_NB) or _wait_for_file(lock, fd, blocking)
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


cdef bint _wait_for_file(lock, int fd, bint blocking) except -1:
    """Wait until another process unlocks a file, and lock it; return whether it is locked."""
    cdef int may = _may_wait(lock, blocking, 1)
    if may == REFUSED:
        return False
    if may == WAIT:
        return _flock(fd, 0)
    end = time.monotonic() + AWHILE
    while not _flock(fd, fcntl.LOCK_NB):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


cdef bint _flock(int fd, int flags) except -1:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        return False
    return True


cdef int _open(path) except -1:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    if path.endswith(os.sep):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
