"""The stored bytes of a chunk: in memory, or in a file of which no more is read than is asked for."""

from zchunk._ext.memory.scratch cimport reserve
from zchunk._ext.io.files cimport close_file, file_size, open_read, read_at, read_start
from zchunk._ext.io.source cimport Source, Whole
from zchunk._ext.memory.status cimport NO_MEMORY, OK, TOO_LARGE, TRUNCATED, fail


cdef int open_source(
    int folder, const char* key, int64_t most, Whole whole, int64_t nbytes, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    """Open the file `key`. OK, MISSING, or a failure; to be closed only if OK.

    If `most` is not 0, a file of up to so many bytes is read at once, without asking for its size first, and
    ``whole(data, n, nbytes)`` says whether the `n` bytes that came are all of it, by what stands in them.
    """
    cdef int64_t got
    cdef int status
    source.data, source.size, source.base = NULL, 0, 0
    source.fd = open_read(folder, key, f)
    if source.fd < 0:
        return source.fd
    if most and reserve(&s.encoded, &s.encoded_size, most + 1) != NULL:
        got = read_start(source.fd, s.encoded, most + 1)
        if 0 < got <= most and whole(s.encoded, got, nbytes):
            source.data = s.encoded
            source.size = f.stored = got
            return OK
    status = file_size(source.fd, &source.size, f)
    if status != OK:
        close_file(source.fd)
    f.stored = source.size
    return status


cdef void close_source(Source* source) noexcept nogil:
    if source.fd >= 0:
        close_file(source.fd)


cdef int load_source(Source* source, int64_t limit, Scratch* s, Failure* f) noexcept nogil:
    """Have all bytes in memory, unless they are more than `limit`."""
    if source.size > limit:
        return fail(f, TOO_LARGE, source.size, limit)
    if source.data != NULL:
        return OK
    if reserve(&s.encoded, &s.encoded_size, source.size) == NULL:
        return fail(f, NO_MEMORY, source.size, 0)
    if read_at(source.fd, s.encoded, source.size, source.base, f) != OK:
        return f.status
    source.data = s.encoded
    return OK


cdef int fetch(
    const Source* source, int64_t offset, int64_t n, uint8_t* buffer, const uint8_t** at, Failure* f
) noexcept nogil:
    """Give the `n` bytes from `offset`: where they are, or read into `buffer`."""
    if offset < 0 or n < 0 or offset > source.size - n:
        return fail(f, TRUNCATED, source.size, offset + n)
    if source.data != NULL:
        at[0] = source.data + offset
        return OK
    at[0] = buffer
    return read_at(source.fd, buffer, n, source.base + offset, f)
