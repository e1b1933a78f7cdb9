/* Items from the byte planes of a shuffled block: item i is plane[0][i], plane[1][i], ...

   Planes may lie anywhere, so that one that is stored raw is used where it is. SSE2 belongs to every x86-64 and
   NEON to every AArch64 processor, hence no dispatch; stores are unaligned. Other machines take the plain loop,
   which is the definition. */
#ifndef ZCHUNK_PLANES_H
#define ZCHUNK_PLANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* The plain loop: items first, first + step, ... to dst, dst + stride, ... */
static inline void zc_planes_plain(const uint8_t *const *plane, int typesize, int64_t first, int64_t step, int64_t n,
                                   char *dst, int64_t stride) {
    for (int64_t i = 0; i < n; i++)
        for (int b = 0; b < typesize; b++) dst[i * stride + b] = (char)plane[b][first + i * step];
}

/* With a constant typesize the bytes of an item are put together in a register. */
static inline void zc_planes_strided(const uint8_t *const *plane, int typesize, int64_t first, int64_t step, int64_t n,
                                     char *dst, int64_t stride) {
    switch (typesize) {
        case 2: zc_planes_plain(plane, 2, first, step, n, dst, stride); break;
        case 4: zc_planes_plain(plane, 4, first, step, n, dst, stride); break;
        case 8: zc_planes_plain(plane, 8, first, step, n, dst, stride); break;
        default: zc_planes_plain(plane, typesize, first, step, n, dst, stride);
    }
}

#if defined(__SSE2__)
#define ZC_LOAD(b) _mm_loadu_si128((const __m128i *)(plane[b] + i))
/* Past the caches: memory that is written whole need not be read first. `stream` is a constant where it counts. */
#define ZC_STORE(k, v)                                                                      \
    do {                                                                                    \
        __m128i *to = (__m128i *)(dst + i * TYPESIZE) + (k);                                \
        if (stream) _mm_stream_si128(to, v);                                                \
        else _mm_storeu_si128(to, v);                                                       \
    } while (0)

static inline int64_t zc_planes_2(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    enum { TYPESIZE = 2 };
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i a = ZC_LOAD(0), b = ZC_LOAD(1);
        ZC_STORE(0, _mm_unpacklo_epi8(a, b));
        ZC_STORE(1, _mm_unpackhi_epi8(a, b));
    }
    return i;
}

static inline int64_t zc_planes_4(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    enum { TYPESIZE = 4 };
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i a = ZC_LOAD(0), b = ZC_LOAD(1), c = ZC_LOAD(2), d = ZC_LOAD(3);
        __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
        __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
        ZC_STORE(0, _mm_unpacklo_epi16(ab0, cd0));
        ZC_STORE(1, _mm_unpackhi_epi16(ab0, cd0));
        ZC_STORE(2, _mm_unpacklo_epi16(ab1, cd1));
        ZC_STORE(3, _mm_unpackhi_epi16(ab1, cd1));
    }
    return i;
}

static inline int64_t zc_planes_8(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    enum { TYPESIZE = 8 };
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i p[8], q[8];
        for (int b = 0; b < 8; b += 2) {
            __m128i x = ZC_LOAD(b), y = ZC_LOAD(b + 1);
            p[b] = _mm_unpacklo_epi8(x, y);
            p[b + 1] = _mm_unpackhi_epi8(x, y);
        }
        for (int half = 0; half < 2; half++)
            for (int b = 0; b < 8; b += 4) {
                q[b + 2 * half] = _mm_unpacklo_epi16(p[b + half], p[b + 2 + half]);
                q[b + 2 * half + 1] = _mm_unpackhi_epi16(p[b + half], p[b + 2 + half]);
            }
        for (int k = 0; k < 4; k++) {
            ZC_STORE(2 * k, _mm_unpacklo_epi32(q[k], q[4 + k]));
            ZC_STORE(2 * k + 1, _mm_unpackhi_epi32(q[k], q[4 + k]));
        }
    }
    return i;
}
#elif defined(__ARM_NEON)
static inline int64_t zc_planes_2(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    int64_t i = 0;
    (void)stream;
    for (; i + 16 <= n; i += 16) {
        uint8x16x2_t v = {{vld1q_u8(plane[0] + i), vld1q_u8(plane[1] + i)}};
        vst2q_u8((uint8_t *)dst + i * 2, v);
    }
    return i;
}

static inline int64_t zc_planes_4(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    int64_t i = 0;
    (void)stream;
    for (; i + 16 <= n; i += 16) {
        uint8x16x4_t v = {{vld1q_u8(plane[0] + i), vld1q_u8(plane[1] + i), vld1q_u8(plane[2] + i),
                           vld1q_u8(plane[3] + i)}};
        vst4q_u8((uint8_t *)dst + i * 4, v);
    }
    return i;
}

/* Pairs of planes are zipped to 16-bit parts of items, which the store interleaves. */
static inline int64_t zc_planes_8(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    int64_t i = 0;
    (void)stream;
    for (; i + 16 <= n; i += 16) {
        uint16x8x4_t low, high;
        for (int k = 0; k < 4; k++) {
            uint8x16_t a = vld1q_u8(plane[2 * k] + i), b = vld1q_u8(plane[2 * k + 1] + i);
            uint8x16x2_t v = vzipq_u8(a, b);
            low.val[k] = vreinterpretq_u16_u8(v.val[0]);
            high.val[k] = vreinterpretq_u16_u8(v.val[1]);
        }
        vst4q_u16((uint16_t *)(dst + i * 8), low);
        vst4q_u16((uint16_t *)(dst + i * 8 + 64), high);
    }
    return i;
}
#else
static inline int64_t zc_planes_2(const uint8_t *const *plane, int64_t n, char *dst, int stream) {
    (void)plane, (void)n, (void)dst, (void)stream;
    return 0;
}
#define zc_planes_4 zc_planes_2
#define zc_planes_8 zc_planes_2
#endif

static inline int64_t zc_planes_simd(const uint8_t *const *at, int typesize, int64_t n, char *dst, int stream) {
    switch (typesize) {
        case 2: return zc_planes_2(at, n, dst, stream);
        case 4: return zc_planes_4(at, n, dst, stream);
        case 8: return zc_planes_8(at, n, dst, stream);
        default: return 0;
    }
}

/* `rows` rows of `n` items: the first from item `first` on, each `skip` items after the one before, to `dst` and
   `stride` bytes further each time; at most 16 planes. Items of a row lie `step` apart, and `gap` bytes apart at
   their destination. With `stream` a contiguous destination is written past the caches, for results that no cache
   holds; `zc_stream_done` comes before other threads may look. */
static inline void zc_planes_gather(const uint8_t *const *plane, int typesize, int64_t first, int64_t step, int64_t n,
                                    char *dst, int64_t gap, int64_t rows, int64_t skip, int64_t stride, int stream) {
    const uint8_t *at[16];
    const int simd = step == 1 && gap == typesize;
    if (stream && (((uintptr_t)dst | (uintptr_t)stride) & 15)) stream = 0;
    for (int64_t r = 0; r < rows; r++, first += skip, dst += stride) {
        int64_t done = 0;
        for (int b = 0; b < typesize; b++) at[b] = plane[b] + first;
        if (simd) done = stream ? zc_planes_simd(at, typesize, n, dst, 1) : zc_planes_simd(at, typesize, n, dst, 0);
        if (done < n) zc_planes_strided(at, typesize, done * step, step, n - done, dst + done * gap, gap);
    }
}

#endif
