/* What threads share without a lock. */
#ifndef ZCHUNK_ATOMICS_H
#define ZCHUNK_ATOMICS_H

#include <stdint.h>

/* The next `n` numbers: the first of them. */
static inline int64_t zc_take(int64_t *p, int64_t n) { return __atomic_fetch_add(p, n, __ATOMIC_RELAXED); }

static inline int64_t zc_load(const int64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

static inline void zc_store(int64_t *p, int64_t value) { __atomic_store_n(p, value, __ATOMIC_RELEASE); }

/* While looking again and again. */
static inline void zc_pause(void) {
#if defined(__SSE2__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Put `value` in the place of `old`, unless somebody did before; return what is there then. */
static inline int64_t zc_store_first(int64_t *p, int64_t old, int64_t value) {
    return __atomic_compare_exchange_n(p, &old, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ? value : old;
}

/* Set a flag; true for the one caller that does. */
static inline int zc_claim(int64_t *p) {
    int64_t zero = 0;
    return __atomic_compare_exchange_n(p, &zero, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

#endif
