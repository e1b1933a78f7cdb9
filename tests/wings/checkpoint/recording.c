/* To be loaded before the C library (LD_PRELOAD): notes every change of files in a folder, for a replay.

   ROOT=PATH  the folder, as an absolute path without links
   LOG=PATH   a line for every change that was made: its name and fields, separated by tabs; bytes in hex

   A change is noted when it has been made and before the caller knows, so what one process has told another is
   in the order of the lines. Of a sync both begin and end are noted: what is changed meanwhile may be lost.
   Calls that change files and are not here would go unseen; the replay compares its end with the real files. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* One write, so that lines of processes and threads do not mix. */
static void note(const char *line, size_t n) {
    const char *log = getenv("LOG");
    if (log == NULL) abort();
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || syscall(SYS_write, fd, line, n) != (long)n) abort();
    syscall(SYS_close, fd);
}

static void note_names(const char *call, const char *a, const char *b) {
    char line[2 * PATH_MAX + 64];
    note(line, snprintf(line, sizeof line, "%s\t%s\t%s\n", call, a, b));
}

static void of_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
}

/* The absolute path of a name. */
static void resolve(int dirfd, const char *name, char *path) {
    char folder[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (dirfd == AT_FDCWD) {
        if (getcwd(folder, sizeof folder) == NULL) abort();
    } else {
        of_fd(dirfd, folder);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) abort();
}

static int is_inside(const char *path) {
    const char *root = getenv("ROOT");
    size_t n = root == NULL ? 0 : strlen(root);
    return n && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static int two(int code, const char *call, int from_fd, const char *from, int to_fd, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    int error = errno;
    resolve(from_fd, from, a);
    resolve(to_fd, to, b);
    if (code == 0 && (is_inside(a) || is_inside(b))) note_names(call, a, b);
    errno = error;
    return code;
}

static int one(int code, const char *call, int dirfd, const char *name) {
    char path[PATH_MAX];
    int error = errno;
    resolve(dirfd, name, path);
    if (code == 0 && is_inside(path)) note_names(call, path, "");
    errno = error;
    return code;
}

static int opened(int dirfd, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat found;
    resolve(dirfd, name, path);
    int inside = is_inside(path);
    int there = inside && lstat(path, &found) == 0;
    int fd = syscall(SYS_openat, dirfd, name, flags, mode);
    int error = errno;
    if (inside && fd >= 0) {
        if ((flags & O_CREAT) && !there) note_names("create", path, "");
        else if ((flags & O_TRUNC) && found.st_size) note_names("empty", path, "");
    }
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, mode_t) : 0; }

#define OPEN(name)                                       \
    int name(const char *path, int flags, ...) {         \
        va_list more;                                    \
        va_start(more, flags);                           \
        mode_t mode = mode_of(flags, more);              \
        va_end(more);                                    \
        return opened(AT_FDCWD, path, flags, mode);      \
    }
#define OPENAT(name)                                     \
    int name(int dirfd, const char *path, int flags, ...) { \
        va_list more;                                    \
        va_start(more, flags);                           \
        mode_t mode = mode_of(flags, more);              \
        va_end(more);                                    \
        return opened(dirfd, path, flags, mode);         \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    char path[PATH_MAX];
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, size);
    int error = errno;
    of_fd(fd, path);
    if (done > 0 && is_inside(path)) {
        char *line = malloc(sizeof path + 64 + 2 * done);
        if (line == NULL) abort();
        int n = sprintf(line, "write\t%s\t%lld\t", path, (long long)at);
        for (ssize_t i = 0; i < done; i++) {
            line[n++] = digits[((const unsigned char *)data)[i] >> 4];
            line[n++] = digits[((const unsigned char *)data)[i] & 15];
        }
        line[n++] = '\n';
        note(line, n);
        free(line);
    }
    errno = error;
    return done;
}

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX], id[32];
    static int count;
    of_fd(fd, path);
    if (!is_inside(path)) return real(fd);
    snprintf(id, sizeof id, "%d-%d", (int)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
    note_names("sync begins", path, id);
    int code = real(fd), error = errno;
    if (code == 0) note_names("sync ends", path, id);
    errno = error;
    return code;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int rename(const char *from, const char *to) {
    return two(REAL(rename)(from, to), "rename", AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int old, const char *from, int new, const char *to) {
    return two(REAL(renameat)(old, from, new, to), "rename", old, from, new, to);
}
int link(const char *from, const char *to) {
    return two(REAL(link)(from, to), "link", AT_FDCWD, from, AT_FDCWD, to);
}
int linkat(int old, const char *from, int new, const char *to, int flags) {
    return two(REAL(linkat)(old, from, new, to, flags), "link", old, from, new, to);
}
int unlink(const char *path) { return one(REAL(unlink)(path), "remove", AT_FDCWD, path); }
int unlinkat(int dirfd, const char *path, int flags) {
    return one(REAL(unlinkat)(dirfd, path, flags), "remove", dirfd, path);
}
int rmdir(const char *path) { return one(REAL(rmdir)(path), "remove", AT_FDCWD, path); }
int mkdir(const char *path, mode_t mode) { return one(REAL(mkdir)(path, mode), "mkdir", AT_FDCWD, path); }
int mkdirat(int dirfd, const char *path, mode_t mode) {
    return one(REAL(mkdirat)(dirfd, path, mode), "mkdir", dirfd, path);
}
