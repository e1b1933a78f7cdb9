"""The stored bytes of a chunk: in memory, or in a file of which no more is read than is asked for."""

from libc.errno cimport EMFILE, ENFILE

from zchunk._ext.memory.scratch cimport reserve
from zchunk._ext.threads.waiters cimport Waiters, call_begins, call_ends, called_in, others_work
from zchunk._ext.io.files cimport MISSING, RunningSum, close_file, file_size, open_read, read_at, read_start
from zchunk._ext.io.source cimport Source, Whole
from zchunk._ext.memory.status cimport NO_MEMORY, OK, TOO_LARGE, TRUNCATED, fail

cdef extern from "unistd.h" nogil:
    int usleep(unsigned microseconds)

cdef enum:
    # Microseconds between two tries to open a file where too many are open, and how many tries.
    MOMENT = 1000
    MOMENTS = 2000
    # What is summed is read this much at a time, or watched, and what is read for its sum alone.
    PIECE = 131072
    GAP = 16384


cdef int open_fd(int folder, const char* key, Waiters* w, Failure* f) noexcept nogil:
    """Do what `open_read` does. While other threads at the same work will close files, none too many are open."""
    cdef int64_t began
    cdef int fd, tries = 0
    cdef bint others
    if w == NULL:
        return open_read(folder, key, f)
    began = call_begins(w)
    # Asked before each try: those that end after that have closed their files for the next one.
    others = others_work(w)
    fd = open_read(folder, key, f)
    while fd < MISSING and (f.err == EMFILE or f.err == ENFILE) and tries < MOMENTS and others:
        usleep(MOMENT)
        tries += 1
        f.status = OK
        others = others_work(w)
        fd = open_read(folder, key, f)
    call_ends(w, began, 0, False)
    return fd


cdef int size_of(Source* source, Failure* f) noexcept nogil:
    """Do what `file_size` does, for the source."""
    cdef int64_t began
    cdef int status
    if source.waiters == NULL:
        return file_size(source.fd, &source.size, f)
    began = call_begins(source.waiters)
    status = file_size(source.fd, &source.size, f)
    call_ends(source.waiters, began, 0, False)
    return status


cdef int _read_watched(const Source* source, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    cdef int64_t began = call_begins(source.waiters)
    cdef int status = read_at(source.fd, dst, n, offset, f)
    call_ends(source.waiters, began, n, source.forward and source.size >= PIECE)
    return status


cdef int read_source(const Source* source, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    """Do what `read_at` does, from the source's file."""
    cdef int64_t done = 0
    if source.waiters == NULL:
        return read_at(source.fd, dst, n, offset, f)
    # Where the system reads ahead, one call in many waits, and for all of them: more threads would wait for the same
    # disk, and hide from the system that it is read forwards. Where every call waits, they help.
    while source.forward and n - done > PIECE and not called_in(source.waiters):
        if _read_watched(source, dst + done, PIECE, offset + done, f) != OK:
            return f.status
        done += PIECE
    return _read_watched(source, dst + done, n - done, offset + done, f)


cdef int64_t _read_start(const Source* source, uint8_t* dst, int64_t n) noexcept nogil:
    cdef int64_t began, got
    if source.waiters == NULL:
        return read_start(source.fd, dst, n)
    began = call_begins(source.waiters)
    got = read_start(source.fd, dst, n)
    call_ends(source.waiters, began, n, False)
    return got


cdef int open_source(
    int folder, const char* key, int64_t most, Whole whole, int64_t nbytes, Waiters* w, Source* source, Scratch* s,
    Failure* f
) noexcept nogil:
    """Open the file `key`. OK, MISSING, or a failure; to be closed only if OK.

    If `most` is not 0, a file of up to so many bytes is read at once, without asking for its size first, and
    ``whole(data, n, nbytes)`` says whether the `n` bytes that came are all of it, by what stands in them.
    """
    cdef int64_t got
    cdef int status
    source.data, source.size, source.base, source.running = NULL, 0, 0, NULL
    source.waiters, source.forward = w, False
    source.fd = open_fd(folder, key, w, f)
    if source.fd < 0:
        return source.fd
    if most and reserve(&s.encoded, &s.encoded_size, most + 1) != NULL:
        got = _read_start(source, s.encoded, most + 1)
        if 0 < got <= most and whole(s.encoded, got, nbytes):
            source.data = s.encoded
            source.size = f.stored = got
            return OK
    status = size_of(source, f)
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
    if fetch(source, 0, source.size, s.encoded, &source.data, f) != OK:
        source.data = NULL
        return f.status
    return OK


cdef int _sum_until(const Source* source, int64_t end, Failure* f) noexcept nogil:
    """Sum what nobody has asked for before `end`."""
    cdef RunningSum* running = source.running
    cdef uint8_t piece[GAP]
    cdef int64_t n
    while running.at < end:
        n = min(end - running.at, GAP)
        if read_source(source, piece, n, source.base + running.at, f) != OK:
            return f.status
        running.sum = running.add(running.sum, piece, n)
        running.at += n
    return OK


cdef int sum_rest(const Source* source, Failure* f) noexcept nogil:
    """Sum what is behind all that was asked for."""
    return _sum_until(source, source.size, f)


cdef int _read_summed(const Source* source, int64_t offset, int64_t n, uint8_t* buffer, Failure* f) noexcept nogil:
    """Read piece by piece, and sum each while it is in the cache, as far as it was not before."""
    cdef RunningSum* running = source.running
    cdef int64_t done = 0, piece, known
    if _sum_until(source, offset, f) != OK:
        return f.status
    while done < n:
        piece = min(n - done, PIECE)
        if read_source(source, buffer + done, piece, source.base + offset + done, f) != OK:
            return f.status
        known = min(running.at - (offset + done), piece)
        running.sum = running.add(running.sum, buffer + done + known, piece - known)
        running.at += piece - known
        done += piece
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
    if source.running != NULL:
        return _read_summed(source, offset, n, buffer, f)
    return read_source(source, buffer, n, source.base + offset, f)
