"""Threads that wait for work outside the GIL."""

from libc.stdint cimport int64_t
from cpython.ref cimport PyObject

from zchunk._ext.threads.waiters cimport Waiters

cdef struct Ticket:
    # Work that one thread of a crew may take up.
    void (*work)(void*) noexcept nogil      # NULL: a task of Python, which the caller of `get` does,
    void* arg                               # and which the ticket owns
    int64_t state
    int64_t thread                          # the one that waits for the work
    int64_t serial                          # and `on_behalf_serial` there
    Ticket* next

cdef struct Desk


cdef class Crew:
    cdef Desk* _desk


cdef class Shared:
    cdef void (*_work)(void*) noexcept nogil
    cdef void* _arg
    cdef int64_t* _stop                     # when it is not 0, the work ends early
    cdef PyObject* _crew
    cdef Desk* _desk
    cdef Ticket* _tickets
    cdef int64_t _offered
    cdef Waiters* _waiters                  # NULL: it does not wait for storage

    cdef bint _wait(self, double seconds) noexcept
    cdef void _settle(self) noexcept
