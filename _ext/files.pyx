"""Read, replace and remove files below an open folder.

A file is replaced as `DirectoryStore` does it: a temporary file in the same folder, then rename; with fsync of
both when asked. A process killed at any moment leaves the old file or the new one, and perhaps a temporary
file that ends in ``.partial``, which listings pass over.
"""

from libc.errno cimport EEXIST, EINTR, ENAMETOOLONG, ENOENT, ENOTDIR, errno
from libc.stdint cimport uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen, strrchr

from zchunk._ext.files cimport FSYNC, IN_PLACE, MISSING
from zchunk._ext.status cimport OK, SYSTEM, TRUNCATED, Failure, fail

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <sys/stat.h>
    #include <sys/time.h>
    #include <unistd.h>

    static uint64_t zc_temp_counter;

    /* Unique among threads by the counter, among processes by pid and time; O_EXCL settles the rest. */
    static uint64_t zc_temp_number(void) {
        struct timeval now;
        gettimeofday(&now, NULL);
        uint64_t n = __atomic_add_fetch(&zc_temp_counter, 1, __ATOMIC_RELAXED);
        uint64_t h = (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_usec;
        h = (h ^ ((uint64_t)getpid() << 32)) * 0x9E3779B97F4A7C15u;
        return h + n * 0xD1B54A32D192ED03u;
    }
    static int zc_open_write(int folder, const char *path, int exclusive) {
        return openat(folder, path, O_WRONLY | O_CREAT | O_CLOEXEC | (exclusive ? O_EXCL : O_TRUNC), 0666);
    }
    /* Not blocking, for a FIFO that somebody put there; files do not care. */
    static int zc_open_read(int folder, const char *path) {
        return openat(folder, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    static int64_t zc_size(int fd, int *regular) {
        struct stat st;
        if (fstat(fd, &st) != 0) return -1;
        *regular = S_ISREG(st.st_mode);
        return (int64_t)st.st_size;
    }
    static int zc_sync_folder(int folder, const char *path) {
        int fd = openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return -1;
        int code = fsync(fd);
        int saved = errno;
        close(fd);
        errno = saved;
        return code;
    }
    """
    uint64_t zc_temp_number()
    int zc_open_write(int folder, const char* path, int exclusive)
    int zc_open_read(int folder, const char* path)
    int64_t zc_size(int fd, int* regular)
    int zc_sync_folder(int folder, const char* path)
    int mkdirat(int folder, const char* path, unsigned mode)
    int renameat(int old, const char* a, int new, const char* b)
    int unlinkat(int folder, const char* path, int flags)
    int fsync(int fd)
    int close(int fd)
    ssize_t pread(int fd, void* p, size_t n, int64_t offset)
    ssize_t write(int fd, const void* p, size_t n)

cdef enum:
    MAX_PATH = 2048


cdef int _system(Failure* f) noexcept nogil:
    f.status = SYSTEM
    f.err = errno
    return SYSTEM


cdef int open_read(int folder, const char* path, int64_t* size, Failure* f) noexcept nogil:
    """Return a descriptor and the file's size, MISSING if there is no such file, or a failure below MISSING.

    What is no regular file holds no value: a folder may belong to longer keys.
    """
    cdef int fd = zc_open_read(folder, path), regular = 0
    if fd < 0:
        if errno == ENOENT or errno == ENOTDIR:
            return MISSING
        _system(f)
        return MISSING - 1
    size[0] = zc_size(fd, &regular)
    if size[0] < 0:
        _system(f)
        close(fd)
        return MISSING - 1
    if not regular:
        close(fd)
        return MISSING
    return fd


cdef int read_at(int fd, uint8_t* dst, int64_t n, int64_t offset, Failure* f) noexcept nogil:
    """Fill `dst` with the `n` bytes from `offset`. A file that ends before is TRUNCATED."""
    cdef int64_t done = 0
    cdef ssize_t got
    while done < n:
        got = pread(fd, dst + done, n - done, offset + done)
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


cdef int _open_creating(int folder, const char* path, bint exclusive) noexcept nogil:
    """Open for writing; make the folders above the file when they are not there."""
    cdef char part[MAX_PATH]
    cdef size_t i, n = strlen(path)
    cdef int fd = zc_open_write(folder, path, exclusive)
    if fd >= 0 or errno != ENOENT:
        return fd
    for i in range(1, n):
        if path[i] == c"/":
            memcpy(part, path, i)
            part[i] = 0
            if mkdirat(folder, part, 0o777) != 0 and errno != EEXIST:
                return -1
    return zc_open_write(folder, path, exclusive)


cdef int _write_all(int fd, const uint8_t* src, int64_t n, bint sync, Failure* f) noexcept nogil:
    cdef int64_t done = 0
    cdef ssize_t put
    while done < n:
        put = write(fd, src + done, n - done)
        if put < 0:
            if errno == EINTR:
                continue
            _system(f)
            close(fd)
            return SYSTEM
        done += put
    if sync and fsync(fd) != 0:
        _system(f)
        close(fd)
        return SYSTEM
    if close(fd) != 0:
        return _system(f)
    return OK


cdef int write_file(
    int folder, const char* path, const uint8_t* src, int64_t n, int durability, Failure* f
) noexcept nogil:
    """Make `path` hold the `n` bytes at `src`, replacing what was there."""
    cdef char temp[MAX_PATH]
    cdef const char* slash
    cdef int fd = -1, _tries
    cdef size_t length = strlen(path)
    if length + 32 > MAX_PATH:
        f.status, f.err = SYSTEM, ENAMETOOLONG
        return SYSTEM
    if durability == IN_PLACE:
        fd = _open_creating(folder, path, False)
        return _system(f) if fd < 0 else _write_all(fd, src, n, False, f)
    for _tries in range(100):
        snprintf(temp, MAX_PATH, b"%s.%016llx.partial", path, <unsigned long long>zc_temp_number())
        fd = _open_creating(folder, temp, True)
        if fd >= 0 or errno != EEXIST:
            break
    if fd < 0:
        return _system(f)
    if _write_all(fd, src, n, durability == FSYNC, f) != OK:
        unlinkat(folder, temp, 0)
        return SYSTEM
    if renameat(folder, temp, folder, path) != 0:
        _system(f)
        unlinkat(folder, temp, 0)
        return SYSTEM
    if durability == FSYNC:
        slash = strrchr(path, c"/")
        if slash == NULL:
            temp[0] = c"."
            temp[1] = 0
        else:
            memcpy(temp, path, slash - path)
            temp[slash - path] = 0
        if zc_sync_folder(folder, temp) != 0:
            return _system(f)
    return OK


cdef int remove_file(int folder, const char* path, Failure* f) noexcept nogil:
    """Remove `path`; that it was not there is fine."""
    if unlinkat(folder, path, 0) != 0 and errno != ENOENT and errno != ENOTDIR:
        return _system(f)
    return OK
