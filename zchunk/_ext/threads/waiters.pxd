"""Threads that wait for the storage, beside those that compute."""

from libc.stdint cimport int64_t

cdef extern from "threads/waiters.h" nogil:
    ctypedef struct Waiters "zc_waiters":
        void (*work)(void*) noexcept nogil
        void* arg
        int64_t each
        int64_t computing
        int64_t turns
        int64_t thread
        int64_t serial
    # Whether the storage was found to be slow, and threads were called in; not, if there is no `w`.
    bint called_in "zc_called_in"(const Waiters* w)

cdef Waiters* make_waiters(void (*work)(void*) noexcept nogil, void* arg, int64_t each, int64_t turns) noexcept nogil
cdef void free_waiters(Waiters* w) noexcept nogil
cdef bint settle(Waiters* w, double seconds) noexcept nogil
cdef int64_t call_begins(Waiters* w) noexcept nogil
cdef void call_ends(Waiters* w, int64_t began, int64_t nbytes, bint ahead) noexcept nogil
cdef void call_waited(Waiters* w, int64_t began) noexcept nogil
cdef void take_turn(Waiters* w) noexcept nogil
cdef void leave_turn(Waiters* w) noexcept nogil
cdef bint others_work(Waiters* w) noexcept nogil
