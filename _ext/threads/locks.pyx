"""Locks by key, in three tables: of chunks, of metadata, of what a store keeps in one value.

Threads that write parts of one chunk read, merge and replace it while they hold its key, so no update is lost,
whichever path or `Array` object each of them uses; the same holds for attributes and shapes.

**The order.** A thread waits for a key only if all that it holds comes before that key: metadata, values of stores,
chunks by their numbers, and behind all keys the guards (`zchunk._ext.threads.guards`), under which nothing waits for
a key, a helper or the disk lock of another thread. Locks of synchronizers count as well: those of metadata come before
metadata, those of chunks before values. So no threads wait in a circle. Code that keeps to the order by
itself always waits. A signal handler begins in the middle of code that holds something: it gets a key that is free,
and what is held by another thread is refused if that thread might be waiting for the interrupted code. Helpers work
on behalf of the thread that waits for them, and are bound by what that one holds. Python runs handlers in the main
thread. Other threads always wait: there, a store or a codec that writes to arrays itself may hold one key and want
another in any order.

A thread that comes again, from a signal handler, gets in to read. A change inside a change of the same would be
lost when the code that was interrupted goes on with what it had read, and is refused.

A forked child finds all keys free.
"""

import threading

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc

from zchunk._ext.threads.guards cimport guards_held
from zchunk._ext.threads.locks cimport Hold

cdef extern from "threads/locks.h" nogil:
    int zc_locks_setup(size_t main)
    int64_t zc_on_behalf()
    int64_t zc_self()
    int zc_is_own(int64_t thread, int64_t serial)
    int64_t zc_on_behalf_serial()
    void zc_work_for(int64_t thread, int64_t serial)
    int zc_may_wait(int rank, uint64_t key, int by_program, int guards)
    void zc_count(Hold* hold, int rank, uint64_t key, int by_program)
    int zc_hold_key(int table, Hold* hold, uint64_t key, int changes, int guards)
    void zc_let_go(int table, Hold* hold)

cdef enum:
    OF_CHUNKS = 0
    OF_METADATA = 1
    OF_VALUES = 2


cdef uint64_t hash_key(uint64_t seed, const char* key, size_t n) noexcept nogil:
    """FNV-1a, begun at `seed`, mixed at the end so that the low bits depend on everything."""
    cdef uint64_t h = seed ^ <uint64_t>0xcbf29ce484222325
    cdef size_t i
    for i in range(n):
        h = (h ^ <unsigned char>key[i]) * <uint64_t>0x100000001b3
    h ^= h >> 32
    h *= <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 29)


cdef bint lock_chunk(Hold* hold, uint64_t key) noexcept nogil:
    """Hold the key of a chunk to change it; false if that would be in a change of it, or out of order."""
    return zc_hold_key(OF_CHUNKS, hold, key, 1, guards_held() != 0)


cdef void unlock_chunk(Hold* hold) noexcept nogil:
    zc_let_go(OF_CHUNKS, hold)


cdef int may_wait_for_lock(int rank, uint64_t number, bint by_program) noexcept nogil:
    """Whether the thread may wait for a lock of a synchronizer, by its place in the order: `WAIT` or another.

    Parameters
    ----------
    rank, number
        What the lock is for, and its place among those.
    by_program
        The program takes it, rather than zchunk.
    """
    return zc_may_wait(rank, number, by_program, guards_held() != 0)


cdef void count_lock(Hold* hold, int rank, uint64_t number, bint by_program) noexcept nogil:
    """Count a lock of a synchronizer among what the thread holds, until `discount_lock`."""
    zc_count(hold, rank, number, by_program)


cdef void discount_lock(Hold* hold) noexcept nogil:
    zc_let_go(OF_VALUES, hold)


cdef bint is_held_for_us(const Hold* hold) noexcept nogil:
    """Whether another thread has what is held, and waits for what this one does."""
    return hold.thread != zc_self() and zc_is_own(hold.thread, hold.serial)


cdef int64_t on_behalf() noexcept nogil:
    """The thread that waits for what this one does, or this one."""
    return zc_on_behalf()


cdef int64_t on_behalf_serial() noexcept nogil:
    """What tells the keys that this thread holds now, while it waits for its helpers, from those of its own work."""
    return zc_on_behalf_serial()


cdef void work_for(int64_t thread, int64_t serial) noexcept nogil:
    """Say which thread waits for what this one does from now on, and what `on_behalf_serial` was there."""
    zc_work_for(thread, serial)


cdef class KeyLock:
    """Context manager that holds a key of the store whose identity hashes to `seed`. For use by one thread, once.

    Parameters
    ----------
    seed : int
        Hash of the store and, for chunks, of the array's path.
    key : str
        What is locked.
    refused : callable
        Is given the key, and returns the exception to raise for a change inside a change, or out of order.
    table : int, optional
        0 for chunks, 1 for metadata, 2 for what a store keeps in one value.
    changes : bool, optional
        What is under the key is to be changed. A reader out of order goes on without the key.

    Attributes
    ----------
    held : bool
        Whether the key is held.
    """

    cdef uint64_t number
    cdef Hold hold
    cdef int table
    cdef bint changes
    cdef readonly bint held
    cdef str key
    cdef object refused

    def __init__(self, uint64_t seed, str key, refused, int table=0, bint changes=True):
        cdef bytes raw = key.encode("utf-8", "surrogatepass")
        if not 0 <= table <= 2 or self.held:
            raise ValueError(f"table {table}, or a lock that is held")
        self.number = hash_key(seed, raw, len(raw))
        self.table, self.changes, self.key, self.refused = table, changes, key, refused

    def __enter__(self):
        cdef bint held
        if self.held:
            raise ValueError("a lock is for one use")
        with nogil:
            held = zc_hold_key(self.table, &self.hold, self.number, self.changes, guards_held() != 0)
        if not held and self.changes:
            raise self.refused(self.key)
        self.held = held
        return self

    def __exit__(self, *exc):
        if self.held:
            self.held = False
            zc_let_go(self.table, &self.hold)

    def __dealloc__(self):
        if self.held:
            zc_let_go(self.table, &self.hold)


cdef class ChunkLocks:
    """Context manager that holds the keys of several chunks to change them. For use by one thread, once.

    Parameters
    ----------
    seed : int
        Hash of the store and the array's path.
    keys : iterable of str
        Of the chunks.
    refused : callable
        Is given a key, and returns the exception to raise for a change inside a change, or out of order.
    """

    cdef list numbers
    cdef Hold* holds
    cdef size_t held
    cdef object refused

    def __init__(self, uint64_t seed, keys, refused):
        cdef bytes raw
        cdef dict found = {}
        if self.holds != NULL:
            raise ValueError("locks that are held")
        for key in keys:
            raw = key.encode("utf-8", "surrogatepass")
            found[hash_key(seed, raw, len(raw))] = key
        # All threads take them in this order, so that none waits for one that waits for it.
        self.numbers = sorted(found.items())
        self.refused = refused

    def __enter__(self):
        cdef uint64_t number
        cdef bint held
        cdef Hold* hold
        if self.holds != NULL:
            raise ValueError("locks are for one use")
        self.holds = <Hold*>malloc((len(self.numbers) + 1) * sizeof(Hold))
        if self.holds == NULL:
            raise MemoryError
        for number, key in self.numbers:
            hold = &self.holds[self.held]
            with nogil:
                held = zc_hold_key(OF_CHUNKS, hold, number, 1, guards_held() != 0)
            if not held:
                self._release()
                raise self.refused(key)
            self.held += 1
        return self

    cdef void _release(self) noexcept:
        while self.held:
            self.held -= 1
            zc_let_go(OF_CHUNKS, &self.holds[self.held])

    def __exit__(self, *exc):
        self._release()

    def __dealloc__(self):
        self._release()
        free(self.holds)


if zc_locks_setup(threading.main_thread().ident) != 0:
    raise MemoryError("pthread_atfork failed")
