/* Memory straight from the system. */
#ifndef ZCHUNK_PAGES_H
#define ZCHUNK_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ZC_HUGE = 2 << 20 };

/* The size of a page. */
static size_t zc_page(void) {
    static size_t size;
    if (size == 0) size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

/* `n` bytes, rounded up to whole pages. */
static size_t zc_whole(size_t n) { return (n + zc_page() - 1) / zc_page() * zc_page(); }

/* `n` bytes where huge pages begin, with a page before them, or NULL. The system gives huge pages if it has some. */
static void *zc_map(size_t n) {
    size_t page = zc_page(), total = page + n + ZC_HUGE;
    if (total < n) return NULL;
    char *start = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return NULL;
    uintptr_t first = ((uintptr_t)start + page + ZC_HUGE - 1) & ~(uintptr_t)(ZC_HUGE - 1);
    char *data = (char *)first, *end = data + zc_whole(n);
    if (data - page > start) munmap(start, data - page - start);
    if (end < start + total) munmap(end, start + total - end);
#ifdef MADV_HUGEPAGE
    madvise(data, end - data, MADV_HUGEPAGE);
#endif
    return data;
}

/* Give back what `zc_map` returned for `n` bytes. */
static void zc_unmap(void *data, size_t n) { munmap((char *)data - zc_page(), zc_page() + zc_whole(n)); }

/* Let the system take the pages of `n` bytes if it needs some, until they are written again; false: it cannot, or
   addresses are limited, which it does not take. */
static int zc_lend(void *data, size_t n) {
#ifdef MADV_FREE
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return 0;
    if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return 0;
    return madvise(data, n, MADV_FREE) == 0;
#else
    return 0;
#endif
}

#endif
