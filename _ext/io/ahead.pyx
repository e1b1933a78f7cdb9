"""Small files that are about to be read one by one: read ahead, by several threads where the storage is slow.

A disk answers many requests in the time of one. What is read is thrown away: the system keeps it in memory. There the
caller finds out what is wrong with a file, and sees what another process has stored meanwhile.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from zchunk._ext.threads.waiters cimport (
    Waiters, call_begins, call_ends, free_waiters, leave_turn, make_waiters, settle, take_turn,
)

cdef extern from "threads/atomics.h" nogil:
    int64_t zc_take(int64_t* p, int64_t n)

cdef extern from * nogil:
    """
    #include <fcntl.h>
    #include <unistd.h>

    enum { ZC_PAGE = 4096 };

    static void zc_read_beginning(const char *path) {
        char page[ZC_PAGE];
        /* A pipe is not waited for. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) return;
        if (read(fd, page, sizeof(page)) < 0) { /* The caller will find out. */ }
        close(fd);
    }
    """
    void zc_read_beginning(const char* path)

cdef enum:
    # Memory of a thread: its stack.
    EACH = 1 << 20
    # None computes, so each has a turn.
    TURNS = 64

cdef struct Ahead:
    const char** paths
    int64_t n
    int64_t next            # the first path that no thread has taken
    Waiters* waiters


# ---- kernels

cdef void _read_some(void* arg) noexcept nogil:
    cdef Ahead* ahead = <Ahead*>arg
    cdef int64_t i, began
    while True:
        take_turn(ahead.waiters)
        i = zc_take(&ahead.next, 1)
        if i >= ahead.n:
            break
        began = call_begins(ahead.waiters)
        zc_read_beginning(ahead.paths[i])
        call_ends(ahead.waiters, began, 0, False)
    leave_turn(ahead.waiters)


# ---- boundary

def read_ahead(list paths not None):
    """Have the system read the beginnings of files, by their paths as bytes. Nothing is said of errors."""
    cdef Ahead ahead
    cdef bytes path
    # A list of this call's own, which keeps the paths: another thread may change the caller's meanwhile.
    paths = paths[:]
    ahead.n, ahead.next = len(paths), 0
    ahead.paths = <const char**>malloc(max(ahead.n, 1) * sizeof(char*))
    ahead.waiters = make_waiters(_read_some, &ahead, EACH, TURNS)
    try:
        if ahead.paths == NULL or ahead.waiters == NULL:
            raise MemoryError
        for i, path in enumerate(paths):
            ahead.paths[i] = path
        with nogil:
            _read_some(&ahead)
            while not settle(ahead.waiters, 1.0):
                pass
    finally:
        free_waiters(ahead.waiters)
        free(ahead.paths)
