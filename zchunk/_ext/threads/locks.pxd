"""Locks by key, shared by the native and the generic path."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "threads/locks.h" nogil:
    ctypedef struct Hold "zc_hold":
        uint64_t key
        int64_t thread, serial

    # What a lock of a synchronizer is for, in the order in which threads take them.
    const int OTHER "ZC_OUTER_OTHER"
    const int METADATA "ZC_OUTER_METADATA"
    const int CHUNK "ZC_OUTER_CHUNK"
    # Whether a thread may wait, if what it holds was taken by the program itself for `AWHILE` seconds.
    const int REFUSED "ZC_REFUSED"
    const int WAIT "ZC_WAIT"
    const double AWHILE "ZC_AWHILE"

cdef uint64_t hash_key(uint64_t seed, const char* key, size_t n) noexcept nogil
cdef bint lock_chunk(Hold* hold, uint64_t key) noexcept nogil
cdef void unlock_chunk(Hold* hold) noexcept nogil
cdef int may_wait_for_lock(int rank, uint64_t number, bint by_program) noexcept nogil
cdef void count_lock(Hold* hold, int rank, uint64_t number, bint by_program) noexcept nogil
cdef void discount_lock(Hold* hold) noexcept nogil
cdef bint is_held_for_us(const Hold* hold) noexcept nogil
cdef int64_t on_behalf() noexcept nogil
cdef int64_t on_behalf_serial() noexcept nogil
cdef void work_for(int64_t thread, int64_t serial) noexcept nogil
