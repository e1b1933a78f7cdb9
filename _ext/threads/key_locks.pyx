"""Locks by key among threads, and among processes by `flock` of a file.

Compiled, since Python runs signal handlers between its own instructions: Ctrl-C, or a handler that takes the
same lock, would come when a lock is taken and nothing knows of it yet. Here they come before or after.
"""

import os
import threading

try:
    import fcntl
except ImportError:
    # Windows: there are locks of threads only.
    fcntl = None

cdef extern from * nogil:
    """
    #include <pthread.h>
    static pthread_mutex_t zc_table;
    /* Its thread gets in again: a signal handler may take locks, too. */
    static int zc_table_make(void) {
        pthread_mutexattr_t kind;
        if (pthread_mutexattr_init(&kind) != 0) return -1;
        pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
        int code = pthread_mutex_init(&zc_table, &kind);
        pthread_mutexattr_destroy(&kind);
        return code;
    }
    static int zc_table_try(void) { return pthread_mutex_trylock(&zc_table) == 0; }
    static void zc_table_lock(void) { pthread_mutex_lock(&zc_table); }
    static void zc_table_unlock(void) { pthread_mutex_unlock(&zc_table); }
    """
    int zc_table_make()
    int zc_table_try()
    void zc_table_lock()
    void zc_table_unlock()


cdef class _Guard:
    """Held while the table changes and while files are opened and closed, never while a thread waits for a lock.

    Not a lock of Python: Ctrl-C, which comes while a thread waits for that one, would leave the table half changed.
    """

    def __enter__(self):
        if not zc_table_try():
            with nogil:
                zc_table_lock()

    def __exit__(self, *error):
        zc_table_unlock()


cdef class _Entry:
    """A lock that a thread of this process holds or waits for."""

    cdef object lock
    cdef Py_ssize_t users, depth
    cdef object owner
    # Descriptor of the locked file, if there is one, and those that are waited for: by one call, and by the
    # handlers of signals that come meanwhile, which are done before it goes on.
    cdef int fd
    cdef list waiting

    def __init__(self):
        self.lock = threading.RLock()
        self.users = self.depth = 0
        self.owner = None
        self.fd = -1
        self.waiting = []


# All that are in use, by what they lock. One table, so that a fork finds every open file.
cdef dict _entries = {}
cdef _Guard _guard = _Guard()


class KeyLock:
    """The lock of one key: a context manager with `acquire` and `release`.

    A thread that holds it gets in again. `_failed` makes the error for a file that cannot be locked.
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
            locked = entry.lock.acquire(blocking)
            if locked and (entry.depth or self.file is None or _lock_file(self, entry, blocking)):
                entry.owner = threading.get_ident()
                entry.depth += 1
                done = True
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
                entry.owner = None
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
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        locked = True
    except BlockingIOError:
        pass
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


def _before_fork():
    _guard.__enter__()


def _after_fork_in_parent():
    _guard.__exit__()


def _after_fork_in_child():
    # Locks stay with the parent. An open file would keep other processes out when the parent is killed.
    cdef _Entry entry
    for entry in _entries.values():
        for fd in [*entry.waiting, entry.fd]:
            if fd >= 0:
                os.close(fd)
    _entries.clear()
    zc_table_make()


if zc_table_make() != 0:
    raise MemoryError("no lock")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
