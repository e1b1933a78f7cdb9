"""The stored bytes of a chunk: in memory, or in a file of which no more is read than is asked for."""

from libc.stdint cimport int64_t, uint8_t

from zchunk._ext.io.files cimport RunningSum
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.status cimport Failure
from zchunk._ext.threads.waiters cimport Waiters

cdef struct Source:
    const uint8_t* data     # NULL: in the file
    int64_t size
    int fd
    int64_t base            # where in the file the bytes begin
    Waiters* waiters        # NULL, or look how long calls take
    bint forward            # other threads read on behind these bytes: the system sees it, and reads ahead
    RunningSum* running     # NULL, or sums all bytes, in their order, when `fetch` comes to them

# Whether `n` bytes are all that is stored of a chunk of `nbytes`.
ctypedef bint (*Whole)(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil

cdef int open_fd(int folder, const char* key, Waiters* w, Failure* f) noexcept nogil
cdef int size_of(Source* source, Failure* f) noexcept nogil
cdef int read_source(const Source* source, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil
cdef int open_source(
    int folder, const char* key, int64_t most, Whole whole, int64_t nbytes, Waiters* w, Source* source, Scratch* s,
    Failure* f
) noexcept nogil
cdef void close_source(Source* source) noexcept nogil
cdef int load_source(Source* source, int64_t limit, Scratch* s, Failure* f) noexcept nogil
cdef int sum_rest(const Source* source, Failure* f) noexcept nogil
cdef int fetch(
    const Source* source, int64_t offset, int64_t n, uint8_t* buffer, const uint8_t** at, Failure* f
) noexcept nogil
