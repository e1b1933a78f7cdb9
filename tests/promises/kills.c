/* To be loaded before the C library (LD_PRELOAD): kills the process at the call that it is told.

   Calls that change files count, in all threads: what opens to create, writes, makes, renames, links, deletes.
   `kill_at(n)` has the process killed before the n-th of them from now on; nothing is killed before that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

static long left = -1;

void kill_at(long n) { __atomic_store_n(&left, n, __ATOMIC_SEQ_CST); }

static void count(void) {
    if (__atomic_load_n(&left, __ATOMIC_SEQ_CST) >= 0 && __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
        kill(getpid(), SIGKILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNTED(name, parameters, ...) \
    int name parameters { \
        count(); \
        return REAL(name)(__VA_ARGS__); \
    }
#define OPEN(name, parameters, ...) \
    int name parameters { \
        va_list rest; \
        va_start(rest, flags); \
        int mode = flags & O_CREAT ? va_arg(rest, int) : 0; \
        va_end(rest); \
        if (flags & (O_CREAT | O_TRUNC)) count(); \
        return REAL(name)(__VA_ARGS__, flags, mode); \
    }

OPEN(open, (const char *path, int flags, ...), path)
OPEN(open64, (const char *path, int flags, ...), path)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, path)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path)
COUNTED(mkdir, (const char *path, mode_t mode), path, mode)
COUNTED(mkdirat, (int folder, const char *path, mode_t mode), folder, path, mode)
COUNTED(rename, (const char *from, const char *to), from, to)
COUNTED(renameat, (int a, const char *from, int b, const char *to), a, from, b, to)
COUNTED(link, (const char *from, const char *to), from, to)
COUNTED(linkat, (int a, const char *from, int b, const char *to, int flags), a, from, b, to, flags)
COUNTED(unlink, (const char *path), path)
COUNTED(unlinkat, (int folder, const char *path, int flags), folder, path, flags)
COUNTED(rmdir, (const char *path), path)
COUNTED(ftruncate, (int fd, off_t size), fd, size)
COUNTED(fsync, (int fd), fd)

ssize_t write(int fd, const void *data, size_t n) {
    /* Not what is printed. */
    if (fd > 2) count();
    return REAL(write)(fd, data, n);
}
