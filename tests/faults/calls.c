/* To be loaded before the C library (LD_PRELOAD): what becomes of calls on the files below a folder.

   calls_watch(FOLDER, KINDS)      calls of these kinds count from now on, in all threads
   calls_count()                   how many there were
   calls_strike(AT, UNTIL, HOW, E) what befalls those from the AT-th to the UNTIL-th: KILL ends the process before
                                   the call, TEAR after half of a write, FAIL has it fail with the errno E, SHORT
                                   reads or writes less than was asked for, SIGNAL sends the signal E before it
   calls_list(PATH)                writes a line with the name and the path of every call that counts to a file

   calls_record(FOLDER, LOG)       notes every change of files in the folder, for a replay: a line with its name and
                                   fields, separated by tabs, bytes in hex

   A program that is started with ROOT=FOLDER and LOG=PATH in its environment is recorded from the beginning. A
   change is noted when it has been made and before the caller knows, so what one process has told another is in the
   order of the lines; and so is a name that another process has seen. Of a sync both begin and end are noted: what is changed meanwhile may be lost. Calls that
   change files and are not here would go unseen; the replay compares its end with the real files.

   Python opens folders by calls inside of the C library, which cannot be seen here; `opendir` can. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { MAKE = 1, NAME = 2, WRITE = 4, SYNC = 8, SIZE = 16, OPEN = 32, READ = 64, STAT = 128, CLOSE = 256, MAP = 512, LIST = 1024 };
enum { NOTHING, KILL, TEAR, FAIL, SHORT, SIGNAL };

static struct {
    char folder[PATH_MAX];
    size_t length;
    int kinds, how, error, list;
    long count, at, until;
} watch = {.list = -1};

void calls_watch(const char *folder, int kinds) {
    watch.kinds = 0;
    watch.length = strlen(folder);
    memcpy(watch.folder, folder, watch.length + 1);
    watch.count = 0, watch.how = NOTHING;
    __atomic_store_n(&watch.kinds, kinds, __ATOMIC_SEQ_CST);
}

long calls_count(void) { return __atomic_load_n(&watch.count, __ATOMIC_SEQ_CST); }

void calls_strike(long at, long until, int how, int error) {
    watch.at = at, watch.until = until, watch.error = error;
    __atomic_store_n(&watch.how, how, __ATOMIC_SEQ_CST);
}

void calls_list(const char *path) {
    watch.list = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

/* ---- paths */

static void of_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
}

/* The absolute path of a name; of a descriptor if there is none. */
static void resolve(int dirfd, const char *name, char *path) {
    char folder[PATH_MAX];
    if (name == NULL || name[0] == 0) {
        of_fd(dirfd, path);
        return;
    }
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (dirfd == AT_FDCWD) {
        if (getcwd(folder, sizeof folder) == NULL) folder[0] = 0;
    } else {
        of_fd(dirfd, folder);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) abort();
}

static int is_below(const char *path, const char *folder, size_t n) {
    return n && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* ---- counting */

/* What is to become of a call: NOTHING, FAIL with errno set, SHORT or TEAR. Does not return if it is KILL. */
static int befalls(int kind, const char *call, int dirfd, const char *name) {
    char path[PATH_MAX];
    int error = errno;
    if (!(__atomic_load_n(&watch.kinds, __ATOMIC_SEQ_CST) & kind)) return NOTHING;
    resolve(dirfd, name, path);
    errno = error;
    if (!is_below(path, watch.folder, watch.length)) return NOTHING;
    long number = __atomic_add_fetch(&watch.count, 1, __ATOMIC_SEQ_CST);
    if (watch.list >= 0) {
        char line[PATH_MAX + 64];
        int n = snprintf(line, sizeof line, "%s\t%s\n", call, path);
        if (syscall(SYS_write, watch.list, line, n) != n) abort();
    }
    int how = __atomic_load_n(&watch.how, __ATOMIC_SEQ_CST);
    if (how == NOTHING || number < watch.at || number > watch.until) return NOTHING;
    if (how == KILL || (how == TEAR && kind != WRITE)) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (how == SIGNAL) {
        /* One that ends nothing: the call is done as ever. */
        kill(getpid(), watch.error);
        return NOTHING;
    }
    if (how == FAIL) errno = watch.error;
    return how;
}

static size_t less(int how, size_t n) { return (how == SHORT || how == TEAR) && n > 1 ? n / 2 : n; }

static void end_torn(int how) {
    if (how != TEAR) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* ---- recording */

static char recorded[PATH_MAX], record[PATH_MAX];

void calls_record(const char *folder, const char *log) {
    snprintf(recorded, sizeof recorded, "%s", folder);
    snprintf(record, sizeof record, "%s", log);
}

__attribute__((constructor)) static void begin(void) {
    if (getenv("ROOT") != NULL && getenv("LOG") != NULL) calls_record(getenv("ROOT"), getenv("LOG"));
}

static const char *root(void) { return recorded[0] ? recorded : NULL; }

/* Nobody notes anything while a thread holds the record. */
static __thread int held = -1;

static void hold(void) {
    if (root() == NULL) return;
    held = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (held < 0) abort();
    while (syscall(SYS_flock, held, LOCK_EX) != 0)
        if (errno != EINTR) abort();
}

static void let_go(void) {
    int error = errno;
    if (held < 0) return;
    /* A process that was forked meanwhile has it, too. */
    syscall(SYS_flock, held, LOCK_UN);
    syscall(SYS_close, held);
    held = -1;
    errno = error;
}

/* One write, so that lines of processes and threads do not mix. */
static void note(const char *line, size_t n) {
    int alone = held < 0;
    if (alone) hold();
    if (syscall(SYS_write, held, line, n) != (long)n) abort();
    if (alone) let_go();
}

static void note_names(const char *call, const char *a, const char *b) {
    char line[2 * PATH_MAX + 64];
    note(line, snprintf(line, sizeof line, "%s\t%s\t%s\n", call, a, b));
}

static int is_inside(const char *path) { return root() != NULL && is_below(path, root(), strlen(root())); }

static int noted(int code, const char *call, int from_fd, const char *from, int to_fd, const char *to) {
    char a[PATH_MAX], b[PATH_MAX] = "";
    int error = errno;
    if (code == 0 && root() != NULL) {
        resolve(from_fd, from, a);
        if (to != NULL) resolve(to_fd, to, b);
        if (is_inside(a) || is_inside(b)) note_names(call, a, b);
    }
    errno = error;
    return code;
}

static void note_bytes(int fd, const void *data, ssize_t size, off_t at) {
    static const char digits[] = "0123456789abcdef";
    char path[PATH_MAX];
    int error = errno;
    if (size <= 0 || root() == NULL) return;
    of_fd(fd, path);
    if (is_inside(path)) {
        char *line = malloc(sizeof path + 64 + 2 * size);
        if (line == NULL) abort();
        int n = sprintf(line, "write\t%s\t%lld\t", path, (long long)at);
        for (ssize_t i = 0; i < size; i++) {
            line[n++] = digits[((const unsigned char *)data)[i] >> 4];
            line[n++] = digits[((const unsigned char *)data)[i] & 15];
        }
        line[n++] = '\n';
        note(line, n);
        free(line);
    }
    errno = error;
}

static int note_size(int code, int fd, off_t size) {
    char path[PATH_MAX], text[32];
    int error = errno;
    if (code == 0 && root() != NULL) {
        of_fd(fd, path);
        snprintf(text, sizeof text, "%lld", (long long)size);
        if (is_inside(path)) note_names("truncate", path, text);
    }
    errno = error;
    return code;
}

/* What copies inside of the kernel is noted as if it were written. */
static void note_copy(int fd, ssize_t size, off_t at) {
    if (size <= 0 || root() == NULL) return;
    char *data = malloc(size), path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reading = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (data == NULL || reading < 0 || syscall(SYS_pread64, reading, data, size, at) != size) abort();
    syscall(SYS_close, reading);
    note_bytes(fd, data, size, at);
    free(data);
}

/* ---- the calls */

static int opened(const char *call, int dirfd, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat found;
    if (befalls(flags & (O_CREAT | O_TRUNC) ? MAKE : OPEN, call, dirfd, name) == FAIL) return -1;
    int inside = 0, there = 0;
    if (root() != NULL) {
        resolve(dirfd, name, path);
        inside = is_inside(path);
        there = inside && syscall(SYS_newfstatat, AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
    }
    int fd = syscall(SYS_openat, dirfd, name, flags, mode);
    int error = errno;
    if (inside && fd >= 0) {
        if ((flags & O_CREAT) && !there) note_names("create", path, "");
        else if ((flags & O_TRUNC) && found.st_size) note_names("truncate", path, "0");
    }
    errno = error;
    return fd;
}

#define MODE                                             \
    va_list more;                                        \
    va_start(more, flags);                               \
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
    va_end(more);
int open(const char *path, int flags, ...) { MODE return opened("open", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened("open", AT_FDCWD, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE return opened("open", dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE return opened("open", dirfd, path, flags, mode); }

DIR *opendir(const char *path) {
    return befalls(LIST, "opendir", AT_FDCWD, path) == FAIL ? NULL : REAL(opendir)(path);
}

ssize_t write(int fd, const void *data, size_t size) {
    int how = befalls(WRITE, "write", fd, NULL);
    if (how == FAIL) return -1;
    off_t at = root() == NULL ? 0 : lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, less(how, size));
    end_torn(how);
    note_bytes(fd, data, done, at);
    return done;
}

#define PWRITE(name, type)                                                \
    ssize_t name(int fd, const void *data, size_t size, type at) {        \
        int how = befalls(WRITE, "pwrite", fd, NULL);                     \
        if (how == FAIL) return -1;                                       \
        ssize_t done = REAL(name)(fd, data, less(how, size), at);         \
        end_torn(how);                                                    \
        note_bytes(fd, data, done, at);                                   \
        return done;                                                      \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int how = befalls(WRITE, "writev", fd, NULL);
    if (how == FAIL) return -1;
    off_t at = root() == NULL ? 0 : lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(writev)(fd, parts, how == NOTHING || count < 2 ? count : count / 2), left = done;
    end_torn(how);
    for (int i = 0; i < count && left > 0; i++) {
        ssize_t n = (ssize_t)parts[i].iov_len < left ? (ssize_t)parts[i].iov_len : left;
        note_bytes(fd, parts[i].iov_base, n, at);
        at += n, left -= n;
    }
    return done;
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    int how = befalls(WRITE, "copy_file_range", out, NULL);
    if (how == FAIL) return -1;
    off64_t at = to != NULL ? *to : lseek(out, 0, SEEK_CUR);
    ssize_t done = REAL(copy_file_range)(in, from, out, to, less(how, size), flags);
    end_torn(how);
    note_copy(out, done, at);
    return done;
}

#define SENDFILE(name, type)                                              \
    ssize_t name(int out, int in, type *from, size_t size) {              \
        int how = befalls(WRITE, "sendfile", out, NULL);                  \
        if (how == FAIL) return -1;                                       \
        off_t at = lseek(out, 0, SEEK_CUR);                               \
        ssize_t done = REAL(name)(out, in, from, less(how, size));        \
        end_torn(how);                                                    \
        note_copy(out, done, at);                                         \
        return done;                                                      \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define TRUNCATE(name, type)                                              \
    int name(int fd, type size) {                                         \
        if (befalls(SIZE, "ftruncate", fd, NULL) == FAIL) return -1;      \
        return note_size(REAL(name)(fd, size), fd, size);                 \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

ssize_t read(int fd, void *data, size_t size) {
    int how = befalls(READ, "read", fd, NULL);
    return how == FAIL ? -1 : REAL(read)(fd, data, less(how, size));
}
ssize_t pread(int fd, void *data, size_t size, off_t at) {
    int how = befalls(READ, "pread", fd, NULL);
    return how == FAIL ? -1 : REAL(pread)(fd, data, less(how, size), at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    int how = befalls(READ, "pread", fd, NULL);
    return how == FAIL ? -1 : REAL(pread64)(fd, data, less(how, size), at);
}

#define MMAP(name, type)                                                             \
    void *name(void *where, size_t size, int protection, int flags, int fd, type at) { \
        if (fd >= 0 && befalls(MAP, "mmap", fd, NULL) == FAIL) return MAP_FAILED;    \
        return REAL(name)(where, size, protection, flags, fd, at);                   \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

static int synced(const char *call, int fd, int (*real)(int)) {
    char path[PATH_MAX], id[32];
    static int count;
    if (befalls(SYNC, call, fd, NULL) == FAIL) return -1;
    if (root() == NULL) return real(fd);
    of_fd(fd, path);
    if (!is_inside(path)) return real(fd);
    snprintf(id, sizeof id, "%d-%d", (int)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
    note_names("sync begins", path, id);
    int code = real(fd), error = errno;
    if (code == 0) note_names("sync ends", path, id);
    errno = error;
    return code;
}
int fsync(int fd) { return synced("fsync", fd, REAL(fsync)); }
int fdatasync(int fd) { return synced("fdatasync", fd, REAL(fdatasync)); }

int close(int fd) {
    if (befalls(CLOSE, "close", fd, NULL) != FAIL) return REAL(close)(fd);
    int error = errno;
    REAL(close)(fd);
    errno = error;
    return -1;
}

#define NAMED(name, noun, kind, parameters, arguments, from_fd, from, to_fd, to) \
    int name parameters {                                                        \
        if (befalls(kind, #name, from_fd, from) == FAIL) return -1;              \
        hold();                                                                  \
        int code = noted(REAL(name) arguments, noun, from_fd, from, to_fd, to);  \
        let_go();                                                                \
        return code;                                                             \
    }
NAMED(mkdir, "mkdir", NAME, (const char *p, mode_t mode), (p, mode), AT_FDCWD, p, 0, NULL)
NAMED(mkdirat, "mkdir", NAME, (int d, const char *p, mode_t mode), (d, p, mode), d, p, 0, NULL)
NAMED(rmdir, "remove", NAME, (const char *p), (p), AT_FDCWD, p, 0, NULL)
NAMED(unlink, "remove", NAME, (const char *p), (p), AT_FDCWD, p, 0, NULL)
NAMED(unlinkat, "remove", NAME, (int d, const char *p, int flags), (d, p, flags), d, p, 0, NULL)
NAMED(rename, "rename", NAME, (const char *p, const char *q), (p, q), AT_FDCWD, p, AT_FDCWD, q)
NAMED(renameat, "rename", NAME, (int d, const char *p, int e, const char *q), (d, p, e, q), d, p, e, q)
NAMED(link, "link", NAME, (const char *p, const char *q), (p, q), AT_FDCWD, p, AT_FDCWD, q)
NAMED(linkat, "link", NAME, (int d, const char *p, int e, const char *q, int flags), (d, p, e, q, flags), d, p, e, q)

#define STATUS(name, parameters, arguments, dirfd, path)               \
    int name parameters {                                                    \
        return befalls(STAT, #name, dirfd, path) == FAIL ? -1 : REAL(name) arguments; \
    }
STATUS(stat, (const char *p, struct stat *s), (p, s), AT_FDCWD, p)
STATUS(stat64, (const char *p, struct stat64 *s), (p, s), AT_FDCWD, p)
STATUS(lstat, (const char *p, struct stat *s), (p, s), AT_FDCWD, p)
STATUS(lstat64, (const char *p, struct stat64 *s), (p, s), AT_FDCWD, p)
STATUS(fstat, (int fd, struct stat *s), (fd, s), fd, NULL)
STATUS(fstat64, (int fd, struct stat64 *s), (fd, s), fd, NULL)
STATUS(fstatat, (int d, const char *p, struct stat *s, int flags), (d, p, s, flags), d, p)
STATUS(fstatat64, (int d, const char *p, struct stat64 *s, int flags), (d, p, s, flags), d, p)
