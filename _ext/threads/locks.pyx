"""Striped in-process locks by (store, key): one table for chunks, one for metadata.

Threads that write parts of one chunk read, merge and replace it under its stripe, so no update is lost,
whichever path or `Array` object each of them uses; the same holds for attributes and shapes. Two keys may
share a stripe. A thread holds one stripe of each table, that of the metadata first, or several of chunks that
it took in their order; a thread that comes again, from a signal handler or a store that is itself made of
arrays, gets in. A forked child finds all stripes free: a thread that held one in the parent does not exist in the
child.
"""

from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <pthread.h>
    #include <stdint.h>

    #define ZC_STRIPES 1024
    static pthread_mutex_t zc_stripes[2][ZC_STRIPES];

    static void zc_stripes_reset(void) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
        for (int table = 0; table < 2; table++)
            for (int i = 0; i < ZC_STRIPES; i++) pthread_mutex_init(&zc_stripes[table][i], &attr);
        pthread_mutexattr_destroy(&attr);
    }
    static int zc_stripes_setup(void) {
        zc_stripes_reset();
        return pthread_atfork(NULL, NULL, zc_stripes_reset);
    }
    static void zc_stripe_lock(int table, uint64_t h) { pthread_mutex_lock(&zc_stripes[table][h % ZC_STRIPES]); }
    static void zc_stripe_unlock(int table, uint64_t h) { pthread_mutex_unlock(&zc_stripes[table][h % ZC_STRIPES]); }
    """
    const uint64_t ZC_STRIPES
    int zc_stripes_setup()
    void zc_stripe_lock(int table, uint64_t h)
    void zc_stripe_unlock(int table, uint64_t h)


cdef uint64_t hash_key(uint64_t seed, const char* key, size_t n) noexcept nogil:
    """FNV-1a, begun at `seed`, mixed at the end so that the low bits depend on everything."""
    cdef uint64_t h = seed ^ <uint64_t>0xcbf29ce484222325
    cdef size_t i
    for i in range(n):
        h = (h ^ <unsigned char>key[i]) * <uint64_t>0x100000001b3
    h ^= h >> 32
    h *= <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 29)


cdef void lock_stripe(uint64_t h) noexcept nogil:
    zc_stripe_lock(0, h)


cdef void unlock_stripe(uint64_t h) noexcept nogil:
    zc_stripe_unlock(0, h)


cdef class Stripe:
    """Context manager that holds the lock of `key` in the store whose identity hashes to `seed`.

    Parameters
    ----------
    seed : int
        Hash of the store and, for chunks, of the array's path.
    key : str
        What is locked.
    metadata : bool, optional
        Of the table for metadata, not of that for chunks.
    """

    cdef uint64_t h
    cdef int table

    def __init__(self, uint64_t seed, str key, bint metadata=False):
        cdef bytes raw = key.encode()
        self.h = hash_key(seed, raw, len(raw))
        self.table = metadata

    def __enter__(self):
        cdef uint64_t h = self.h
        with nogil:
            zc_stripe_lock(self.table, h)
        return self

    def __exit__(self, *exc):
        zc_stripe_unlock(self.table, self.h)


class Stripes:
    """Context manager that holds the locks of several chunks, the parameters being those of `Stripe`."""

    def __init__(self, uint64_t seed, keys):
        cdef set numbers = set()
        cdef bytes raw
        for key in keys:
            raw = key.encode()
            numbers.add(hash_key(seed, raw, len(raw)) % ZC_STRIPES)
        # All threads take them in this order, so that none waits for one that waits for it.
        self._numbers = sorted(numbers)

    def __enter__(self):
        cdef uint64_t h
        for h in self._numbers:
            with nogil:
                zc_stripe_lock(0, h)
        return self

    def __exit__(self, *exc):
        for number in self._numbers:
            zc_stripe_unlock(0, number)


if zc_stripes_setup() != 0:
    raise MemoryError("pthread_atfork failed")
