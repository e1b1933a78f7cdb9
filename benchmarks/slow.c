/* A file system that is far away: to be loaded before the C library (LD_PRELOAD).

   slow_calls(FOLDER, NS)   from now on every open, read and fsync of files below a folder takes so much longer
   slow_most()              how many of these calls waited at the same time, at most, since then

   Files are told by the path that they are opened by: absolute, or below a folder that was opened so. What is mapped
   is not delayed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 16 };

static char below[4096];
static size_t length;
static long nanoseconds, waiting, most;
static unsigned char watched[MOST];

void slow_calls(const char *folder, long ns) {
    __atomic_store_n(&nanoseconds, 0, __ATOMIC_SEQ_CST);
    strncpy(below, folder, sizeof below - 1);
    length = strlen(below);
    if (ns) __atomic_store_n(&most, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&nanoseconds, ns, __ATOMIC_SEQ_CST);
}

/* Threads do not survive a fork, nor do their calls. */
static void after_fork(void) { __atomic_store_n(&waiting, 0, __ATOMIC_SEQ_CST); }
__attribute__((constructor)) static void begin(void) { pthread_atfork(NULL, NULL, after_fork); }

long slow_most(void) { return __atomic_load_n(&most, __ATOMIC_SEQ_CST); }

static void wait_for_it(void) {
    long ns = __atomic_load_n(&nanoseconds, __ATOMIC_SEQ_CST), before;
    int error = errno;
    if (!ns) return;
    long now = __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    while ((before = __atomic_load_n(&most, __ATOMIC_SEQ_CST)) < now
           && !__atomic_compare_exchange_n(&most, &before, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
    struct timespec left = {ns / 1000000000, ns % 1000000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
    __atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    errno = error;
}

static int is_below(int folder, const char *path) {
    if (path[0] != '/') return folder >= 0 && folder < MOST && watched[folder];
    return length && strncmp(path, below, length) == 0;
}

static int opened(int fd, int ours) {
    if (fd >= 0 && fd < MOST) watched[fd] = (unsigned char)ours;
    return fd;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name, arguments, folder, call)                                   \
    int name arguments {                                                      \
        static __typeof__(&name) real;                                        \
        int mode = 0, ours = is_below(folder, path);                          \
        if (!real) real = REAL(name);                                         \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                \
            va_list rest;                                                     \
            va_start(rest, flags);                                            \
            mode = va_arg(rest, int);                                         \
            va_end(rest);                                                     \
        }                                                                     \
        if (ours) wait_for_it();                                              \
        return opened(real call, ours);                                       \
    }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), at, (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), at, (at, path, flags, mode))

#define READ(name, arguments, call)                                           \
    ssize_t name arguments {                                                  \
        static __typeof__(&name) real;                                        \
        if (!real) real = REAL(name);                                         \
        if (fd >= 0 && fd < MOST && watched[fd]) wait_for_it();               \
        return real call;                                                     \
    }

READ(read, (int fd, void *to, size_t n), (fd, to, n))
READ(pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at))
READ(pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at))
READ(readv, (int fd, const struct iovec *to, int n), (fd, to, n))
READ(preadv, (int fd, const struct iovec *to, int n, off_t at), (fd, to, n, at))
READ(preadv64, (int fd, const struct iovec *to, int n, off64_t at), (fd, to, n, at))

int fsync(int fd) {
    static __typeof__(&fsync) real;
    if (!real) real = REAL(fsync);
    if (fd >= 0 && fd < MOST && watched[fd]) wait_for_it();
    return real(fd);
}

int close(int fd) {
    static __typeof__(&close) real;
    if (!real) real = REAL(close);
    if (fd >= 0 && fd < MOST) watched[fd] = 0;
    return real(fd);
}
