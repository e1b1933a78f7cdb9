"""A selection of a chunked array, as the engine takes it."""

from libc.stdint cimport int64_t, uint64_t
cimport numpy as cnp

from zchunk._ext.selection.axis cimport Axis, Picks


cdef class Plan:
    cdef int ndim
    # As many as there are dimensions; `axis_init` is done.
    cdef Axis* at
    # Bit d: an integer selects axis d, the result does not have it; the result has axis d backwards.
    cdef uint64_t dropped, backward
    # Axes along which `points` are selected, for each of which there is the product of the others; or NULL.
    cdef uint64_t pointed
    cdef const Picks* points
    # Every axis is selected by an integer and no Ellipsis was given: the result is no array.
    cdef readonly bint scalar

    cdef int reserve(self, Py_ssize_t ndim) except -1
    cdef int result_shape(self, cnp.npy_intp* shape) noexcept nogil
    cdef bint fits(self, cnp.ndarray memory)
    cdef int begin(self, tuple shape, tuple chunks) except -1
    cdef char* place(self, cnp.ndarray memory, int64_t* strides) except? NULL
    cdef int64_t place_axis(self, int d, cnp.ndarray memory, int* i, int64_t* stride) noexcept


cdef class ChunkPart:
    cdef readonly tuple coords, inner, outer
    cdef readonly bint full


cdef inline bint has_bit(uint64_t bits, int d) noexcept nogil:
    return bits >> d & 1


cdef bint take_integer(Axis* a, entry) except -1
cdef bint take_slice(Axis* a, slice entry, bint* backward) except -1
cdef cnp.ndarray view_memory(
    cnp.ndarray memory, int ndim, cnp.npy_intp* shape, int64_t* strides, char* first, int flags
)
