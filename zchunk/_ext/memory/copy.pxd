"""N-d strided copy and comparison of plain bytes."""

from libc.stdint cimport int64_t

cdef enum:
    # NumPy's own limit.
    MAX_NDIM = 64

cdef struct Block:
    # Two arrays of one shape in memory, strides in bytes.
    int ndim
    int64_t shape[MAX_NDIM]
    int64_t dst[MAX_NDIM]
    int64_t src[MAX_NDIM]

cdef void coalesce(Block* b) noexcept nogil
cdef void copy_run(char* dst, int64_t ds, const char* src, int64_t ss, int64_t n, size_t itemsize) noexcept nogil
cdef void copy_block(const Block* b, char* dst, const char* src, size_t itemsize) noexcept nogil
cdef void fill_block(const Block* b, char* dst, const char* item, size_t itemsize) noexcept nogil
cdef bint is_fill(const char* data, size_t nbytes, const char* item, size_t itemsize) noexcept nogil
