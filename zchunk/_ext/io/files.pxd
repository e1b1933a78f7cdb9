"""Whole files below a folder descriptor, without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from zchunk._ext.memory.status cimport Failure
from zchunk._ext.threads.waiters cimport Waiters

cdef enum Durability:
    IN_PLACE = 0
    ATOMIC = 1
    FSYNC = 2
    # The same, but the caller syncs the folders above, those of many files together.
    FSYNC_FILE = 3

cdef enum:
    MISSING = -1
    MAX_PATH = 4096

cdef extern from "fcntl.h":
    # In the place of a folder's descriptor: paths are whole.
    int HERE "AT_FDCWD"

# Returns the checksum of bytes whose first part has the checksum `sum`.
ctypedef uint32_t (*AddToSum)(uint32_t sum, const uint8_t* data, size_t n) noexcept nogil

cdef struct RunningSum:
    # Of the bytes that pass: each piece is summed while it is in the cache.
    AddToSum add
    uint32_t sum
    int64_t at              # so many bytes were summed: what is read again is not summed again

cdef struct Draft:
    # A file that is being written.
    int fd
    int folder
    int durability
    int status
    RunningSum* running     # NULL, or sums what `put` writes
    uint8_t* room           # NULL, or what was put and not written
    int64_t held            # so many bytes of it
    int64_t waiting         # so many bytes were put since the disk began to write what there was
    bint direct             # whether writes go past the system's cache
    Waiters* waiters        # NULL, or wait for the disk out of turn
    char temp[MAX_PATH]     # its name until it is complete; empty if it is written in place

cdef int open_folder(const char* path) noexcept nogil
cdef int open_read(int folder, const char* path, Failure* f) noexcept nogil
cdef int file_size(int fd, int64_t* size, Failure* f) noexcept nogil
cdef int64_t read_start(int fd, uint8_t* dst, int64_t n) noexcept nogil
cdef int read_at(int fd, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil
cdef void close_file(int fd) noexcept nogil
cdef int begin_file(int folder, const char* path, int durability, Draft* d, Failure* f) noexcept nogil
cdef void pass_cache(Draft* d) noexcept nogil
cdef int put(Draft* d, const uint8_t* src, int64_t n, Failure* f) noexcept nogil
cdef int put_at(Draft* d, const uint8_t* src, int64_t n, int64_t offset, Failure* f) noexcept nogil
cdef int finish_file(Draft* d, Failure* f) noexcept nogil
cdef int commit_file(Draft* d, const char* path, Failure* f) noexcept nogil
cdef int remove_file(int folder, const char* path, int durability, Failure* f) noexcept nogil
