"""Locks by key, shared by the native and the generic path."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "threads/locks.h" nogil:
    ctypedef struct Hold "zc_hold":
        uint64_t key

cdef uint64_t hash_key(uint64_t seed, const char* key, size_t n) noexcept nogil
cdef bint lock_chunk(Hold* hold, uint64_t key) noexcept nogil
cdef void unlock_chunk(Hold* hold) noexcept nogil
cdef bint may_wait_for_lock(int64_t owner, int64_t serial) noexcept nogil
cdef (int64_t, int64_t) taken() noexcept nogil
cdef int64_t on_behalf() noexcept nogil
cdef int64_t on_behalf_serial() noexcept nogil
cdef void work_for(int64_t thread, int64_t serial) noexcept nogil
