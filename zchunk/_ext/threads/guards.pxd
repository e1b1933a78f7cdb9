"""Locks of what lies in memory, which their thread gets again, and which a fork waits for."""

from libc.stdint cimport int64_t

cdef extern from "threads/guards.h" nogil:
    ctypedef struct Place "zc_guard":
        pass

cdef int64_t guards_held() noexcept nogil

cdef class Guard:
    cdef Place _place
    cdef bint _patient
