"""Locks of what this process has in memory, such as the entries of a store, and the gate that a fork shuts.

Python runs signal handlers between its own instructions, in the thread that may be at work under a lock. So these
let their thread in again, and are compiled: a thread that is interrupted by Ctrl-C either holds one, and is in the
block of its `with`, or does not. They are for `with` alone, never inside of a generator, which Ctrl-C leaves
suspended.

A thread counts what it holds. Code that runs while its thread holds a guard, other than what the guard is for, is in
a signal handler, or a finalizer. `zchunk._ext.threads.locks` says what follows from that. Finalizers run in any thread:
the guards that they want may be those of threads that wait for this one in a finalizer, too. The last of such threads
borrows the guard that it wants, since its owner waits where a signal handler could have it.

A fork waits until no other thread holds a guard, so a child finds all of them free, and what they guard whole.
"""

from libc.stdint cimport int64_t

from cpython.exc cimport PyErr_CheckSignals

from zchunk._ext.threads.guards cimport Place

cdef extern from "threads/deadline.h" nogil:
    cdef struct timespec:
        pass
    timespec zc_deadline(double seconds)

cdef extern from "threads/guards.h" nogil:
    int zc_guards_setup()
    int64_t zc_guards_held()
    void zc_guard_begin(Place* guard)
    void zc_guard_end(Place* guard)
    int64_t zc_guard_take(Place* guard, const timespec* until)
    int zc_guard_leave(Place* guard)
    int zc_guard_is_held(const Place* guard)
    int zc_gate_shut(const timespec* until)
    void zc_gate_open()

cdef enum:
    SLOTS = 1024

# Signal handlers run after this many seconds, where a thread waits.
cdef double _SLICE = 0.05


cdef int64_t guards_held() noexcept nogil:
    """How many guards this thread holds, as often as it came in; one more if it is about to fork."""
    return zc_guards_held()


cdef int64_t _wait(Place* guard, bint patient) except -1:
    cdef int64_t depth
    cdef timespec until
    while True:
        with nogil:
            until = zc_deadline(_SLICE)
            depth = zc_guard_take(guard, &until)
        if depth:
            return depth
        if not patient:
            # Before it is held, so that whatever this raises leaves nothing behind.
            PyErr_CheckSignals()


cdef class Guard:
    """A lock that its thread gets again. ``with guard as first:`` tells whether it did not hold it before.

    Parameters
    ----------
    patient : bool, optional
        A thread that waits for it is not interrupted: for a guard that is held for moments, where a change must
        not be left half done.
    """

    def __cinit__(self, bint patient=False):
        zc_guard_begin(&self._place)
        self._patient = patient

    def __dealloc__(self):
        zc_guard_end(&self._place)

    def __enter__(self):
        cdef int64_t depth = zc_guard_take(&self._place, NULL)
        if not depth:
            depth = _wait(&self._place, self._patient)
        return depth == 1

    def __exit__(self, *exc):
        if not zc_guard_leave(&self._place):
            raise RuntimeError("a guard is left by the thread that holds it")

    @property
    def held(self):
        """Whether this thread holds it."""
        return bool(zc_guard_is_held(&self._place))


cdef class Gate:
    """A block that many threads may be in, but none while the process forks. All of these are one gate."""

    def __enter__(self):
        if not zc_guard_take(NULL, NULL):
            _wait(NULL, False)

    def __exit__(self, *exc):
        zc_guard_leave(NULL)


def holding():
    """Return whether this thread holds a guard, is in a gate or about to fork: whatever asks is a handler, or a hook.

    Helpers might wait for what it holds: it has to do its work alone.
    """
    return bool(zc_guards_held())


def shut():
    """Wait until no other thread holds a guard, and let none have one.

    Signal handlers run after the fork. `os.fork` would go ahead, and lose Ctrl-C, if one raised here.
    """
    cdef bint empty = False
    cdef timespec until
    while not empty:
        with nogil:
            until = zc_deadline(_SLICE)
            empty = zc_gate_shut(&until)


def open_again():
    """Let threads have guards again."""
    zc_gate_open()


# ---- values that are being replaced

cdef int64_t[SLOTS] _begun
cdef int64_t[SLOTS] _ended


cdef class Replacing:
    """Context manager: says that a value is being replaced, by the hash of its name. For one use."""

    cdef Py_ssize_t _slot
    cdef bint _inside

    def __init__(self, name):
        self._slot = hash(name) % SLOTS
        if self._slot < 0:
            self._slot += SLOTS

    def __enter__(self):
        if not self._inside:
            self._inside = True
            _begun[self._slot] += 1

    def __exit__(self, *exc):
        if self._inside:
            self._inside = False
            _ended[self._slot] += 1

    def __dealloc__(self):
        if self._inside:
            _ended[self._slot] += 1


def state(name):
    """Return a number that changes when the value `name` is replaced; None while it is being replaced."""
    cdef Py_ssize_t slot = hash(name) % SLOTS
    if slot < 0:
        slot += SLOTS
    return _begun[slot] if _begun[slot] == _ended[slot] else None


def forget_replacements():
    """In a forked child the replacements of other threads never end: say that all have."""
    cdef Py_ssize_t slot
    for slot in range(SLOTS):
        _ended[slot] = _begun[slot]


if zc_guards_setup() != 0:
    raise MemoryError("pthread_atfork failed")
