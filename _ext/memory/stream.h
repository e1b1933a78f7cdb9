/* Copies past the caches, for results that no cache holds: memory that is written whole need not be read first. */
#ifndef ZCHUNK_STREAM_H
#define ZCHUNK_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline void zc_stream_copy(char *dst, const char *src, size_t n) {
#if defined(__SSE2__)
    /* A line that is not written whole costs more than it saves. */
    if (n >= 128) {
        size_t head = (size_t)(-(uintptr_t)dst & 63), i;
        memcpy(dst, src, head);
        for (i = head; i + 64 <= n; i += 64) {
            const __m128i *from = (const __m128i *)(src + i);
            __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
            __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
            __m128i *to = (__m128i *)(dst + i);
            _mm_stream_si128(to, a);
            _mm_stream_si128(to + 1, b);
            _mm_stream_si128(to + 2, c);
            _mm_stream_si128(to + 3, d);
        }
        dst += i, src += i, n -= i;
    }
#endif
    memcpy(dst, src, n);
}

/* memcpy, without a call for the rows of small chunks and boxes. */
static inline void zc_copy_row(char *dst, const char *src, size_t n) {
    size_t i = 0;
    if (n < 16 || n > 256) {
        memcpy(dst, src, n);
        return;
    }
    for (; i + 16 < n; i += 16) memcpy(dst + i, src + i, 16);
    memcpy(dst + n - 16, src + n - 16, 16);
}

/* What was written past the caches is there for other threads. */
static inline void zc_stream_done(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

#endif
