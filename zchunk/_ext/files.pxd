"""Whole files below a folder descriptor, without the GIL."""

from libc.stdint cimport int64_t, uint8_t

from zchunk._ext.status cimport Failure

cdef enum Durability:
    IN_PLACE = 0
    ATOMIC = 1
    FSYNC = 2

cdef enum:
    MISSING = -1

cdef int open_read(int folder, const char* path, int64_t* size, Failure* f) noexcept nogil
cdef int read_at(int fd, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil
cdef void close_file(int fd) noexcept nogil
cdef int write_file(
    int folder, const char* path, const uint8_t* src, int64_t n, int durability, Failure* f
) noexcept nogil
cdef int remove_file(int folder, const char* path, int durability, Failure* f) noexcept nogil
