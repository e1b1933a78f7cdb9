"""Descriptors of files that are closed when no object holds them.

Python runs signal handlers between its instructions, so Ctrl-C may come when `os.open` has returned and nothing
holds the number yet. Here the object holds it before that.
"""

import os

from libc.errno cimport EINTR, errno
from libc.string cimport strlen

cdef extern from "<fcntl.h>" nogil:
    int c_openat "openat"(int folder, const char* path, int flags, ...)
    int AT_FDCWD

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int fd)
    int c_dup "dup"(int fd)


cdef class Descriptor:
    """An open file: its number is `fd`, -1 once it is closed."""

    cdef readonly int fd

    def __cinit__(self):
        self.fd = -1

    def __init__(self, bytes path not None, int flags, int mode=0o666, int dir_fd=AT_FDCWD):
        cdef const char* name = path
        cdef int fd = -1, err = EINTR
        if strlen(name) != <size_t>len(path):
            raise ValueError("embedded null byte")
        with nogil:
            while fd < 0 and err == EINTR:
                fd = c_openat(dir_fd, name, flags, mode)
                err = errno
        if fd < 0:
            raise OSError(err, os.strerror(err), os.fsdecode(path))
        self.fd = fd

    @staticmethod
    def duplicate(int fd):
        """Return a descriptor of the same open file."""
        cdef Descriptor made = Descriptor.__new__(Descriptor)
        made.fd = c_dup(fd)
        if made.fd < 0:
            raise OSError(errno, os.strerror(errno))
        return made

    def close(self):
        """Close the file. May be repeated."""
        cdef int fd = self.fd
        self.fd = -1
        if fd >= 0:
            with nogil:
                c_close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __dealloc__(self):
        cdef int fd = self.fd
        if fd >= 0:
            with nogil:
                c_close(fd)
