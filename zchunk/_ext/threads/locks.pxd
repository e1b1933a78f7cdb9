"""Striped locks of the process, shared by the native and the generic path."""

from libc.stdint cimport uint64_t

cdef uint64_t hash_key(uint64_t seed, const char* key, size_t n) noexcept nogil
cdef void lock_stripe(uint64_t h) noexcept nogil
cdef void unlock_stripe(uint64_t h) noexcept nogil
