"""The drain loop."""

from libc.stdint cimport int64_t
from cpython.ref cimport PyObject

from zchunk._ext.threads.crew cimport Shared
from zchunk._ext.engine.plan cimport Plan

cdef int64_t now_ns() noexcept nogil


cdef class Layout:
    cdef Plan plan
    cdef bytes _fill, _folder, _root


cdef class Job(Shared):
    cdef Plan plan
    cdef object _array, _layout, _selection
    # Of the values of a batch, those that are read, and those that have room to be written.
    cdef Py_buffer* _views
    cdef int64_t _viewed
    cdef PyObject** _rooms
    cdef int64_t _count

    cdef void _expect_waits(self, int threads) noexcept
    cdef void _split(self, int threads) noexcept
    cdef void _forget(self) noexcept
    cdef int _batch(self, int64_t first, int64_t n) except -1
