"""What a kernel can return. The boundary turns it into an exception; see `describe` in `_ext/codecs/dispatch.pyx`."""

from libc.stdint cimport int64_t

cdef extern from "errno.h" nogil:
    const int EDEADLK, ENOENT

cdef enum Status:
    OK = 0
    NO_MEMORY = 1    # malloc said no
    SYSTEM = 2       # a system call failed, Failure.err holds errno
    TRUNCATED = 3    # the bytes end before what they announce
    TRAILING = 4     # bytes after the end
    WRONG_SIZE = 5   # decodes to another size than the metadata says
    CORRUPT = 6      # the codec cannot make sense of the bytes
    UNSUPPORTED = 7  # a format or version that is not handled here
    WRONG_SUM = 9    # a checksum says that the bytes are not what was written
    TOO_LARGE = 8    # above the codec's limit, or more bytes than such a chunk can have
    NOT_STORED = 10  # a chunk is not there, and that is an error


cdef struct Failure:
    int status
    int err
    int64_t found
    int64_t expected
    int64_t stored   # size of the file, where there is one


cdef inline int fail(Failure* f, int status, int64_t found, int64_t expected) noexcept nogil:
    """Record and return `status`."""
    f.status = status
    f.err = 0
    f.found = found
    f.expected = expected
    return status


cdef inline int fail_reentry(Failure* f) noexcept nogil:
    """Record and return that a signal handler changes what its thread is changing."""
    fail(f, SYSTEM, 0, 0)
    f.err = EDEADLK
    return SYSTEM


cdef inline int fail_missing(Failure* f) noexcept nogil:
    """Record and return that the folder of the chunks is not there."""
    fail(f, SYSTEM, 0, 0)
    f.err = ENOENT
    return SYSTEM
