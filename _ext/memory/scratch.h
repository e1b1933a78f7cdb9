/* The memory that threads work in. */
#ifndef ZCHUNK_SCRATCH_H
#define ZCHUNK_SCRATCH_H

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Memory for `free`. What is large comes in huge pages where the system has them: less to fault in. */
static void *zc_allocate(size_t n) {
#ifdef MADV_HUGEPAGE
    enum { HUGE = 2 << 20 };
    void *p = NULL;
    if (n >= 2 * (size_t)HUGE && posix_memalign(&p, HUGE, n) == 0) {
        madvise(p, n, MADV_HUGEPAGE);
        return p;
    }
#endif
    return malloc(n);
}

static pthread_key_t zc_scratch_key;
static pthread_once_t zc_scratch_once = PTHREAD_ONCE_INIT;
static int zc_scratch_error;
static void (*zc_scratch_end)(void *);
static void zc_scratch_make(void) {
    zc_scratch_error = pthread_key_create(&zc_scratch_key, __atomic_load_n(&zc_scratch_end, __ATOMIC_RELAXED));
}

/* Memory of the calling thread, zero at first; `end` gets it when the thread ends. NULL: no memory. */
static void *zc_scratch(size_t size, void (*end)(void *)) {
    /* Every thread has the same. */
    __atomic_store_n(&zc_scratch_end, end, __ATOMIC_RELAXED);
    pthread_once(&zc_scratch_once, zc_scratch_make);
    if (zc_scratch_error) return NULL;
    void *p = pthread_getspecific(zc_scratch_key);
    if (p == NULL && (p = calloc(1, size)) != NULL && pthread_setspecific(zc_scratch_key, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

#endif
