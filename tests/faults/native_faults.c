/* To be loaded before the C library (LD_PRELOAD), for what zchunk's extension modules do; needs glibc.

   fail_allocation(N)  the N-th allocation that they make from now on fails, 0: none; returns how many there were
   LOG=PATH            a line with the name of every system call on files that they make while they hold the GIL */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALLER __builtin_return_address(0)

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_memalign(size_t, size_t);

static long wanted, count;

static int from_zchunk(void *caller) {
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname != NULL && strstr(info.dli_fname, "/zchunk/_ext/") != NULL;
}

static int fails(void *caller) { return wanted && from_zchunk(caller) && ++count == wanted; }

long fail_allocation(long number) {
    long before = count;
    wanted = number, count = 0;
    return before;
}

void *malloc(size_t n) { return fails(CALLER) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(CALLER) ? NULL : __libc_calloc(n, size); }
int posix_memalign(void **p, size_t step, size_t n) {
    *p = fails(CALLER) ? NULL : __libc_memalign(step, n);
    return *p == NULL ? ENOMEM : 0;
}

static void note(const char *call, void *caller) {
    const char *log = getenv("LOG");
    int (*holds)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Check");
    if (log == NULL || !from_zchunk(caller) || holds == NULL || !holds()) return;
    int fd = REAL(open)(log, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (dprintf(fd, "%s\n", call) < 0) abort();
    REAL(close)(fd);
}

#define NOTED(type, name, parameters, arguments) \
    type name parameters {                       \
        note(#name, CALLER);                     \
        return REAL(name) arguments;             \
    }
NOTED(int, fsync, (int fd), (fd))
NOTED(int, close, (int fd), (fd))
NOTED(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
NOTED(ssize_t, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
NOTED(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
NOTED(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
NOTED(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
NOTED(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
NOTED(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
NOTED(int, fstat64, (int fd, struct stat64 *s), (fd, s))
NOTED(int, stat64, (const char *path, struct stat64 *s), (path, s))
NOTED(int, fstatat64, (int fd, const char *path, struct stat64 *s, int flags), (fd, path, s, flags))

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    note("open64", CALLER);
    return REAL(open64)(path, flags, mode);
}

int openat64(int fd, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    note("openat64", CALLER);
    return REAL(openat64)(fd, path, flags, mode);
}
