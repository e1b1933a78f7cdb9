"""Striped in-process locks by (store, key).

Threads that write parts of one chunk read, merge and replace it under its stripe, so no update is lost,
whichever path or `Array` object each of them uses. Two keys may share a stripe; nobody ever holds two.
A forked child finds all stripes free: whoever held one in the parent does not exist in the child.
"""

from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <pthread.h>
    #include <stdint.h>

    #define ZC_STRIPES 1024
    static pthread_mutex_t zc_stripes[ZC_STRIPES];

    static void zc_stripes_reset(void) {
        for (int i = 0; i < ZC_STRIPES; i++) pthread_mutex_init(&zc_stripes[i], NULL);
    }
    static int zc_stripes_setup(void) {
        zc_stripes_reset();
        return pthread_atfork(NULL, NULL, zc_stripes_reset);
    }
    static void zc_stripe_lock(uint64_t h) { pthread_mutex_lock(&zc_stripes[h % ZC_STRIPES]); }
    static void zc_stripe_unlock(uint64_t h) { pthread_mutex_unlock(&zc_stripes[h % ZC_STRIPES]); }
    """
    int zc_stripes_setup()
    void zc_stripe_lock(uint64_t h)
    void zc_stripe_unlock(uint64_t h)


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
    zc_stripe_lock(h)


cdef void unlock_stripe(uint64_t h) noexcept nogil:
    zc_stripe_unlock(h)


cdef class Stripe:
    """Context manager that holds the lock of `key` in the store whose identity hashes to `seed`."""

    cdef uint64_t h

    def __init__(self, uint64_t seed, str key):
        cdef bytes raw = key.encode()
        self.h = hash_key(seed, raw, len(raw))

    def __enter__(self):
        cdef uint64_t h = self.h
        with nogil:
            zc_stripe_lock(h)
        return self

    def __exit__(self, *exc):
        zc_stripe_unlock(self.h)


if zc_stripes_setup() != 0:
    raise MemoryError("pthread_atfork failed")
