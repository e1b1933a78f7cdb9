"""Read, replace, sync and remove files below an open folder.

A file is replaced by a temporary file in the same folder, then rename; with fsync of both when asked. A process
killed at any moment leaves the old file or the new one, and perhaps a temporary file that ends in ``.partial``,
which listings pass over.

A large file that is synced as soon as it is written can go past the system's cache: that takes a tenth of the processor
time, and leaves the cache to others.
"""

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EEXIST, EINTR, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, errno
from libc.stdint cimport uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free
from libc.string cimport memcpy, memset, strlen, strrchr

from zchunk._ext.io.files cimport ATOMIC, FSYNC, HERE, IN_PLACE, MAX_PATH, MISSING, Draft
from zchunk._ext.memory.status cimport OK, SYSTEM, TRUNCATED, Failure, fail
from zchunk._ext.threads.waiters cimport call_begins, call_waited

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/stat.h>
    #include <sys/time.h>
    #include <unistd.h>

    static uint64_t zc_hash(uint64_t h, const void *data, size_t n) {
        const unsigned char *p = data;
        while (n--) h = (h ^ *p++) * 0x100000001B3u;
        return h;
    }
    /* Where a pid means one process: this boot of this machine, and on Linux this namespace of processes. */
    static uint64_t zc_machine(void) {
        char text[256] = "";
        struct stat st;
        uint64_t h = 0xCBF29CE484222325u;
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (read(fd, text, sizeof text) <= 0) text[0] = 0;
            close(fd);
        }
        if (!text[0]) gethostname(text, sizeof text - 1);
        h = zc_hash(h, text, sizeof text);
        if (stat("/proc/self/ns/pid", &st) == 0) h = zc_hash(h, &st.st_ino, sizeof st.st_ino);
        return h ^ h >> 32;
    }
    static uint64_t zc_temp_machine, zc_temp_pid, zc_temp_last;

    /* 50 bits of the machine, 22 of the process, so that others can tell whether it lives; the rest counts. A
       process begins to count at a number of the time, since an earlier one may have had its pid, and has each
       number once in 2^24 calls. The last one is kept with the pid, so that all threads agree where it began,
       and a forked child begins afresh. The upper 32 bits of the machine are given apart: names made before do
       not have them. */
    static uint64_t zc_temp_number(unsigned *above) {
        struct timeval now;
        uint64_t pid = (uint64_t)getpid(), next, machine;
        uint64_t last = __atomic_load_n(&zc_temp_last, __ATOMIC_RELAXED);
        if (__atomic_load_n(&zc_temp_pid, __ATOMIC_ACQUIRE) != pid) {
            __atomic_store_n(&zc_temp_machine, zc_machine(), __ATOMIC_RELAXED);
            __atomic_store_n(&zc_temp_pid, pid, __ATOMIC_RELEASE);
        }
        machine = __atomic_load_n(&zc_temp_machine, __ATOMIC_RELAXED);
        do {
            next = last + 1;
            if (last >> 24 != pid) {
                gettimeofday(&now, NULL);
                next = ((uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_usec) * 0x9E3779B97F4A7C15u >> 40;
            }
            next = pid << 24 | (next & 0xFFFFFF);
        } while (!__atomic_compare_exchange_n(&zc_temp_last, &last, next, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        *above = (unsigned)(machine >> 18);
        return machine << 46 | (next & 0x3FFFFFFFFFFFu);
    }
    /* A signal is no failure. Opening never blocks, for a FIFO that somebody put there; files do not care. */
    static int zc_openat(int folder, const char *path, int flags) {
        int fd;
        do fd = openat(folder, path, flags | O_NONBLOCK | O_CLOEXEC, 0666); while (fd < 0 && errno == EINTR);
        return fd;
    }
    static int zc_open_write(int folder, const char *path, int exclusive) {
        return zc_openat(folder, path, O_WRONLY | O_CREAT | (exclusive ? O_EXCL : O_TRUNC));
    }
    /* To look below a folder it need not be readable. */
    #ifdef O_PATH
    #define ZC_LOOK O_PATH
    #else
    #define ZC_LOOK O_RDONLY
    #endif
    static int zc_open_folder(const char *path) {
        int fd;
        do fd = open(path, ZC_LOOK | O_DIRECTORY | O_CLOEXEC); while (fd < 0 && errno == EINTR);
        return fd;
    }
    static int zc_open_read(int folder, const char *path) { return zc_openat(folder, path, O_RDONLY); }
    /* The descriptor is gone either way. */
    static int zc_close(int fd) {
        int code = close(fd);
        return code < 0 && errno == EINTR ? 0 : code;
    }
    /* 1: a regular file, 0: none, or none by this name, -errno: the system does not say. */
    static int zc_is_file(const char *path) {
        struct stat st;
        if (stat(path, &st) == 0) return S_ISREG(st.st_mode);
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 0 : -errno;
    }
    static int64_t zc_size(int fd, int *regular) {
        struct stat st;
        if (fstat(fd, &st) != 0) return -1;
        *regular = S_ISREG(st.st_mode);
        return (int64_t)st.st_size;
    }
    /* Whether a link that leads nowhere is there. */
    static int zc_dangling(int folder, const char *path) {
        struct stat st;
        return fstatat(folder, path, &st, 0) != 0 && errno == ENOENT
            && fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    }
    """
    uint64_t zc_temp_number(unsigned* above)
    int zc_open_write(int folder, const char* path, int exclusive)
    int zc_open_folder(const char* path)
    int zc_open_read(int folder, const char* path)
    int zc_is_file(const char* path)
    char* realpath(const char* path, char* resolved)
    int64_t zc_size(int fd, int* regular)
    int zc_dangling(int folder, const char* path)
    int mkdirat(int folder, const char* path, unsigned mode)
    int renameat(int old, const char* a, int new, const char* b)
    int linkat(int old, const char* a, int new, const char* b, int flags)
    int unlinkat(int folder, const char* path, int flags)
    int zc_close(int fd)
    int close(int fd)
    ssize_t pread(int fd, void* p, size_t n, int64_t offset)
    ssize_t write(int fd, const void* p, size_t n)
    ssize_t pwrite(int fd, const void* p, size_t n, int64_t offset)

cdef extern from "io/sync.h" nogil:
    int zc_fsync(int fd)
    void zc_start_sync(int fd)
    int zc_sync_folder(int folder, const char* path)

cdef extern from "io/direct.h" nogil:
    int zc_is_on_disk(int fd)
    int zc_set_direct(int fd, int on)
    uint8_t* zc_take_pages(size_t n)
    int munmap(void* p, size_t n)

cdef enum:
    # Some systems take no more in one call than an int can say.
    MAX_CALL = 1 << 30
    # Another process may remove folders as fast as they are made.
    RETRIES = 100
    NAME_MAX = 255
    # Characters of the temporary name's end.
    SUFFIX = 33
    # Files that are open to be synced together.
    SYNCED = 64
    # What goes past the cache at a time: enough to keep a disk busy, and a multiple of what disks write.
    ROOM = 4 << 20
    # The disk begins to write a file that is going to be synced each time that it has grown by so much.
    EARLY = 4 << 20


cdef int _system(Failure* f) noexcept nogil:
    f.status = SYSTEM
    f.err = errno
    return SYSTEM


cdef int open_folder(const char* path) noexcept nogil:
    """Return a descriptor below which files can be opened; -1 and `errno` if there is none."""
    return zc_open_folder(path)


cdef int open_read(int folder, const char* path, Failure* f) noexcept nogil:
    """Return a descriptor, MISSING if there is no such file, or a failure below MISSING."""
    cdef int fd = zc_open_read(folder, path)
    if fd < 0:
        if errno == ENOENT or errno == ENOTDIR:
            return MISSING
        _system(f)
        return MISSING - 1
    return fd


cdef int file_size(int fd, int64_t* size, Failure* f) noexcept nogil:
    """Give the size of a file: OK, MISSING or a failure below MISSING.

    What is no regular file holds no value: a folder may belong to longer keys.
    """
    cdef int regular = 0
    size[0] = zc_size(fd, &regular)
    if size[0] < 0:
        _system(f)
        return MISSING - 1
    return OK if regular else MISSING


cdef int64_t read_start(int fd, uint8_t* dst, int64_t n) noexcept nogil:
    """Read up to `n` bytes from the start; return how many came, which may be fewer than there are, -1 for none."""
    return pread(fd, dst, n, 0)


cdef int read_at(int fd, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    """Fill `dst` with the `n` bytes from `offset`. A file that ends before is TRUNCATED."""
    cdef int64_t done = 0
    cdef ssize_t got
    while done < n:
        got = pread(fd, dst + done, min(n - done, <int64_t>MAX_CALL), offset + done)
        if got < 0:
            if errno == EINTR:
                continue
            return _system(f)
        if got == 0:
            return fail(f, TRUNCATED, offset + done, offset + n)
        done += got
    return OK


cdef void close_file(int fd) noexcept nogil:
    """Close a descriptor that was read from."""
    close(fd)


cdef int _sync_parent(int folder, const char* path, Failure* f) noexcept nogil:
    """Sync the folder that `path` is in."""
    cdef char parent[MAX_PATH]
    cdef const char* slash = strrchr(path, c"/")
    parent[0] = c"."
    parent[1] = 0
    if slash != NULL:
        memcpy(parent, path, slash - path)
        parent[slash - path] = 0
    return OK if zc_sync_folder(folder, parent) == 0 else _system(f)


cdef int _make_above(int folder, const char* path, bint sync, Failure* f) noexcept nogil:
    """Make the folders above `path` that are not there; another process may be removing them."""
    cdef char part[MAX_PATH]
    cdef size_t n = strlen(path), i = n
    cdef int code = ENOENT
    if n == 0:
        return OK
    memcpy(part, path, n + 1)
    # Up to the lowest that is there, or can be made,
    while code == ENOENT:
        i -= 1
        while i > 0 and part[i] != c"/":
            i -= 1
        if i == 0:
            return OK
        part[i] = 0
        code = 0 if mkdirat(folder, part, 0o777) == 0 else errno
    # and down again.
    while True:
        if code == 0:
            if sync and _sync_parent(folder, part, f) != OK:
                return f.status
        elif code == ENOENT:
            return OK
        elif code != EEXIST or zc_dangling(folder, part):
            f.status, f.err = SYSTEM, ENOTDIR if code == EEXIST else code
            return SYSTEM
        part[i] = c"/"
        i = strlen(part)
        if i == n:
            return OK
        code = 0 if mkdirat(folder, part, 0o777) == 0 else errno


cdef int _open_creating(int folder, const char* path, bint exclusive, bint sync, Failure* f) noexcept nogil:
    """Open for writing; make the folders above the file when they are not there. -1 is a failure."""
    cdef int fd, code = 0, _tries
    for _tries in range(RETRIES):
        fd = zc_open_write(folder, path, exclusive)
        code = errno
        if fd >= 0:
            return fd
        if code != ENOENT:
            break
        if _make_above(folder, path, sync, f) != OK:
            return -1
    f.status, f.err = SYSTEM, code
    return -1


cdef int begin_file(int folder, const char* path, int durability, Draft* d, Failure* f) noexcept nogil:
    """Open what is to become the file `path`: itself, or a temporary file beside it.

    Then come `put`, `finish_file` and, if that was OK, `commit_file`.
    """
    cdef int _tries, kept
    cdef unsigned machine
    cdef uint64_t number
    cdef size_t n = strlen(path), above
    cdef const char* slash = strrchr(path, c"/")
    d.folder, d.durability, d.status = folder, durability, OK
    d.running, d.waiters = NULL, NULL
    d.room, d.held, d.direct, d.waiting = NULL, 0, False, 0
    d.fd = -1
    d.temp[0] = 0
    if durability == IN_PLACE:
        d.fd = _open_creating(folder, path, False, False, f)
        return OK if d.fd >= 0 else SYSTEM
    if n + SUFFIX >= MAX_PATH:
        f.status, f.err = SYSTEM, ENAMETOOLONG
        return SYSTEM
    kept = <int>n
    above = 0 if slash == NULL else slash + 1 - path
    if n - above + SUFFIX > NAME_MAX >= n - above:
        # The name of the temporary file would be too long.
        kept = <int>above
    for _tries in range(RETRIES):
        number = zc_temp_number(&machine)
        snprintf(d.temp, MAX_PATH, b"%.*s.%08x%016llx.partial", kept, path, machine, <unsigned long long>number)
        d.fd = _open_creating(folder, d.temp, True, durability == FSYNC, f)
        if d.fd >= 0 or f.err != EEXIST:
            break
    if d.fd < 0:
        return SYSTEM
    f.status = OK
    return OK


cdef void pass_cache(Draft* d) noexcept nogil:
    """Let what is put go past the system's cache, where it can: for a file that is synced when it is complete."""
    # Where that is refused the cache takes what is put.
    if not zc_is_on_disk(d.fd) or zc_set_direct(d.fd, True) != 0:
        return
    d.direct = True
    d.room = zc_take_pages(ROOM)
    if d.room == NULL:
        _use_cache(d)


cdef int _write_all(Draft* d, const uint8_t* src, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    """Write `n` bytes where the last write ended or, if that is not -1, at `offset`."""
    cdef int64_t done = 0, part
    cdef ssize_t got
    while done < n and d.status == OK:
        part = min(n - done, <int64_t>MAX_CALL)
        got = write(d.fd, src + done, part) if offset < 0 else pwrite(d.fd, src + done, part, offset + done)
        if got >= 0:
            done += got
        elif errno == EINVAL and d.direct:
            # The file system wants other sizes, or has written a part that is no multiple of them.
            _use_cache(d)
        elif errno != EINTR:
            d.status = _system(f)
    return d.status


cdef void _use_cache(Draft* d) noexcept nogil:
    if d.direct:
        d.direct = False
        zc_set_direct(d.fd, False)


cdef int _collect(Draft* d, const uint8_t* src, int64_t n, Failure* f) noexcept nogil:
    """Collect bytes in the room, and write it each time that it is full."""
    cdef int64_t part
    while n > 0 and d.status == OK:
        part = min(n, <int64_t>ROOM - d.held)
        memcpy(d.room + d.held, src, part)
        d.held += part
        src += part
        n -= part
        if d.held == ROOM:
            d.held = 0
            _write_all(d, d.room, ROOM, -1, f)
    return d.status


cdef int _empty_room(Draft* d, Failure* f) noexcept nogil:
    """Write what is in the room, and nothing past the cache any more."""
    if d.room == NULL:
        return d.status
    _use_cache(d)
    _write_all(d, d.room, d.held, -1, f)
    munmap(d.room, ROOM)
    d.room = NULL
    return d.status


cdef int put(Draft* d, const uint8_t* src, int64_t n, Failure* f) noexcept nogil:
    """Write `n` bytes more. After a failure `finish_file` only clears up."""
    if d.running != NULL:
        d.running.sum = d.running.add(d.running.sum, src, n)
    if d.room != NULL:
        return _collect(d, src, n, f)
    _write_all(d, src, n, -1, f)
    d.waiting += n
    if d.waiting >= EARLY and d.durability >= FSYNC and d.status == OK:
        d.waiting = 0
        zc_start_sync(d.fd)
    return d.status


cdef int put_at(Draft* d, const uint8_t* src, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    """Overwrite `n` bytes from `offset`, as `put`, but they are not summed. Nothing but this comes after it."""
    _empty_room(d, f)
    return _write_all(d, src, n, offset, f)


cdef int _sync(Draft* d, Failure* f) noexcept nogil:
    cdef int64_t began = 0 if d.waiters == NULL else call_begins(d.waiters)
    if zc_fsync(d.fd) != 0:
        d.status = _system(f)
    if d.waiters != NULL:
        call_waited(d.waiters, began)
    return d.status


cdef int finish_file(Draft* d, Failure* f) noexcept nogil:
    """Close the file; sync it before, if it is to be durable."""
    _empty_room(d, f)
    if d.status == OK and d.durability >= FSYNC:
        _sync(d, f)
    if zc_close(d.fd) != 0 and d.status == OK:
        d.status = _system(f)
    if d.status != OK and d.temp[0]:
        unlinkat(d.folder, d.temp, 0)
    return d.status


cdef int commit_file(Draft* d, const char* path, Failure* f) noexcept nogil:
    """Put a finished file in the place of `path`."""
    if d.temp[0]:
        if renameat(d.folder, d.temp, d.folder, path) != 0:
            _system(f)
            unlinkat(d.folder, d.temp, 0)
            return SYSTEM
        if d.durability == FSYNC:
            return _sync_parent(d.folder, path, f)
    return OK


cdef int _link_file(Draft* d, const char* path, Failure* f) noexcept nogil:
    """Give a finished file the name `path`, which none may have: unlike a rename it fails where there is one."""
    cdef int status = OK if linkat(d.folder, d.temp, d.folder, path, 0) == 0 else _system(f)
    unlinkat(d.folder, d.temp, 0)
    return _sync_parent(d.folder, path, f) if status == OK and d.durability == FSYNC else status


cdef int remove_file(int folder, const char* path, int durability, Failure* f) noexcept nogil:
    """Remove `path`, if it is there."""
    if unlinkat(folder, path, 0) == 0:
        return _sync_parent(folder, path, f) if durability == FSYNC else OK
    return OK if errno == ENOENT or errno == ENOTDIR else _system(f)


cdef int _sync_some(const char** paths, int n, int* failed, Failure* f) noexcept nogil:
    """Sync up to SYNCED files or folders together; `failed` is the number of the one that could not be."""
    cdef int fds[SYNCED]
    cdef int i
    f.status = OK
    for i in range(n):
        fds[i] = zc_open_read(HERE, paths[i])
        if fds[i] >= 0:
            zc_start_sync(fds[i])
        elif errno != ENOENT and errno != ENOTDIR and f.status == OK:
            failed[0] = i
            _system(f)
    for i in range(n):
        if fds[i] < 0:
            continue
        if f.status == OK and zc_fsync(fds[i]) != 0:
            failed[0] = i
            _system(f)
        close(fds[i])
    return f.status


# ---- boundary

def sync_files(list paths not None):
    """Wait until files and folders, by their paths as bytes, are on the disk; those that are gone are passed over.

    Raises
    ------
    OSError
        As the system says, of the first that could not be synced.
    """
    cdef const char* names[SYNCED]
    cdef Failure f
    cdef int n, status, failed = 0
    cdef Py_ssize_t start
    cdef bytes path
    memset(&f, 0, sizeof(f))
    for start in range(0, len(paths), SYNCED):
        n = 0
        some = paths[start:start + SYNCED]
        for path in some:
            names[n] = path
            n += 1
        with nogil:
            status = _sync_some(names, n, &failed, &f)
        if status != OK:
            raise OSError(f.err, os.strerror(f.err), os.fsdecode(some[failed]))


def are_files(list paths not None):
    """Return for each path, as bytes, whether it is a regular file; `OSError` if the system does not say."""
    cdef bytes path
    cdef const char* name
    cdef int found
    cdef list result = []
    for path in paths:
        name = path
        # The answer takes time where the file system is remote.
        with nogil:
            found = zc_is_file(name)
        if found < 0:
            raise OSError(-found, os.strerror(-found), os.fsdecode(path))
        result.append(found == 1)
    return result


def real_path(bytes path not None):
    """Return the path without links, as bytes, where all of it exists; else None."""
    cdef const char* name = path
    cdef char* found
    with nogil:
        found = realpath(name, NULL)
    if found == NULL:
        return None
    try:
        return <bytes>found
    finally:
        free(found)


def temp_number():
    """Return a number for the name of a temporary file: machine (50 bits), pid (22), and what is unique (24)."""
    cdef unsigned machine
    cdef uint64_t number
    # The first call in a process reads what identifies the machine.
    with nogil:
        number = zc_temp_number(&machine)
    return <object>machine << 64 | number


def write_file(bytes path not None, data, int durability, bint new=False):
    """Make `data`, any contiguous buffer, the content of a file, and the folders above it if need be.

    Of several writers of one `new` file, which is never written in place, the first succeeds.

    Raises
    ------
    FileExistsError
        The file is to be `new`, and there is one.
    OSError
        As the system says; then the file is what it was, unless it is written in place.
    """
    cdef Draft draft
    cdef Failure f
    cdef Py_buffer view
    cdef int status
    cdef const char* name = path
    if not path:
        raise ValueError("the path of the file is empty")
    if new and durability == IN_PLACE:
        durability = ATOMIC
    memset(&f, 0, sizeof(f))
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    with nogil:
        status = begin_file(HERE, name, durability, &draft, &f)
        if status == OK:
            put(&draft, <const uint8_t*>view.buf, view.len, &f)
            status = finish_file(&draft, &f)
        if status == OK:
            status = _link_file(&draft, name, &f) if new else commit_file(&draft, name, &f)
    PyBuffer_Release(&view)
    if status != OK:
        raise OSError(f.err, os.strerror(f.err), os.fsdecode(path))
