/* Writes past the system's cache. */
#ifndef ZCHUNK_DIRECT_H
#define ZCHUNK_DIRECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

/* File systems of a disk of this machine. Where files are far away many small pieces at a time are faster than
   one large piece after the other, and the system's cache makes them. */
static int zc_is_on_disk(int fd) {
#if defined(__linux__) && defined(O_DIRECT)
    struct statfs st;
    return fstatfs(fd, &st) == 0 && (st.f_type == 0xEF53 /* ext4 */ || st.f_type == 0x58465342 /* XFS */);
#else
    (void)fd;
    return 0;
#endif
}

static int zc_set_direct(int fd, int on) {
#if defined(__linux__) && defined(O_DIRECT)
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
#else
    (void)fd, (void)on;
    return -1;
#endif
}

/* Not of malloc, which would keep as much memory for good once it got this back. */
static unsigned char *zc_take_pages(size_t n) {
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

#endif
