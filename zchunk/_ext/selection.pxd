"""A basic selection of a chunked array, as the engine takes it."""

from libc.stdint cimport int64_t, uint64_t
cimport numpy as cnp

from zchunk._ext.projection cimport Axis


cdef class Plan:
    cdef int ndim
    # As many as there are dimensions; `axis_init` is done.
    cdef Axis* at
    # Bit d: an integer selects axis d, the result does not have it; the result has axis d backwards.
    cdef uint64_t dropped, backward
    # Every axis is selected by an integer and no Ellipsis was given: the result is no array.
    cdef readonly bint scalar

    cdef int reserve(self, Py_ssize_t ndim) except -1
    cdef int result_shape(self, cnp.npy_intp* shape) noexcept nogil
    cdef bint fits(self, cnp.ndarray memory)
    cdef char* place(self, cnp.ndarray memory, int64_t* strides) except? NULL
