/* To be loaded before the C library (LD_PRELOAD): notes what is done to files, and has calls fail.

   LOG=PATH   a line for every fsync and rename, with the names of the files
   FAULT=CALL fsync, renameat, write or close fails with ENOSPC
   SHORT=1    write takes 999 bytes at most */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fails(const char *call) {
    const char *fault = getenv("FAULT");
    if (fault == NULL || strcmp(fault, call) != 0) return 0;
    errno = ENOSPC;
    return 1;
}

static void note(const char *call, const char *a, const char *b) {
    const char *log = getenv("LOG");
    char line[9000];
    if (log == NULL) return;
    int n = snprintf(line, sizeof line, "%s %s %s\n", call, a, b);
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (REAL(write)(fd, line, n) != n) abort();
    REAL(close)(fd);
}

int fsync(int fd) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0) abort();
    note("fsync", path, "");
    return fails("fsync") ? -1 : REAL(fsync)(fd);
}

int renameat(int old, const char *from, int new, const char *to) {
    note("rename", from, to);
    return fails("renameat") ? -1 : REAL(renameat)(old, from, new, to);
}

ssize_t write(int fd, const void *data, size_t n) {
    if (fails("write")) return -1;
    return REAL(write)(fd, data, getenv("SHORT") != NULL && n > 999 ? 999 : n);
}

int close(int fd) {
    int code = REAL(close)(fd);
    return fails("close") ? -1 : code;
}
