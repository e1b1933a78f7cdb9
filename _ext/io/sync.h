/* What brings files and names to the disk. */
#ifndef ZCHUNK_SYNC_H
#define ZCHUNK_SYNC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* On macOS fsync ends before the disk has written what it took; not every file system there has the other. */
static int zc_fsync(int fd) {
    int code;
#ifdef F_FULLFSYNC
    do code = fcntl(fd, F_FULLFSYNC); while (code < 0 && errno == EINTR);
    if (code >= 0) return 0;
#endif
    do code = fsync(fd); while (code < 0 && errno == EINTR);
    return code;
}

/* Begin to write what the file holds to the disk, so that several go there at the same time. */
static void zc_start_sync(int fd) {
#ifdef SYNC_FILE_RANGE_WRITE
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd;
#endif
}

static int zc_sync_folder(int folder, const char *path) {
    int fd, code, saved;
    do fd = openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); while (fd < 0 && errno == EINTR);
    if (fd < 0) return -1;
    code = zc_fsync(fd);
    saved = errno;
    close(fd);
    errno = saved;
    return code;
}

#endif
