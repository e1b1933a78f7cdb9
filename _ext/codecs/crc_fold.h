/* A CRC of 32 bits, of any polynomial, by products without carries (VPCLMULQDQ) of 512 bits at a time.

   A CRC is the remainder of a polynomial. What lies D bits before the end of a buffer can be put on what lies there,
   multiplied by the remainder of x^D, without a change of the sum of the whole. So 256 bytes are folded onto the next 256
   until few are left: about four times as fast as the crc32 instruction, which takes a cycle for eight bytes. All is in
   reversed order of bits, as both CRC-32 and CRC-32C are; for that the exponents are 31 more and 33 less. */
#ifndef ZCHUNK_CRC_FOLD_H
#define ZCHUNK_CRC_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* Shorter buffers are not folded. */
#define ZC_FOLD_LEAST 256

/* Remainders of x^(D + 31) and x^(D - 33) for each distance D that is folded over, in bits. */
enum { ZC_FOLD_FAR, ZC_FOLD_NEAR, ZC_FOLD_LANES, ZC_FOLD_DISTANCES = 5 };
static const int zc_fold_bits[ZC_FOLD_DISTANCES] = {2048, 512, 384, 256, 128};
typedef struct { uint32_t low[ZC_FOLD_DISTANCES], high[ZC_FOLD_DISTANCES]; } zc_fold_table;

/* `poly` is reversed. */
static inline void zc_fold_init(zc_fold_table *t, uint32_t poly) {
    uint32_t power = 0x80000000u;
    for (int n = 0; n <= zc_fold_bits[ZC_FOLD_FAR] + 31; n++) {
        for (int i = 0; i < ZC_FOLD_DISTANCES; i++) {
            if (n == zc_fold_bits[i] + 31) t->low[i] = power;
            if (n == zc_fold_bits[i] - 33) t->high[i] = power;
        }
        power = power & 1 ? power >> 1 ^ poly : power >> 1;
    }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define ZC_FOLD __attribute__((target("avx512f,vpclmulqdq,pclmul")))

static inline int zc_fold_hardware(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}

ZC_FOLD static inline __m512i zc_fold_by(const zc_fold_table *t, int i) {
    return _mm512_broadcast_i32x4(_mm_setr_epi32((int)t->low[i], 0, (int)t->high[i], 0));
}

/* Put four lanes of 128 bits on what lies the distance of `k` behind them. */
ZC_FOLD static inline __m512i zc_fold_onto(__m512i x, __m512i k, __m512i next) {
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00), _mm512_clmulepi64_epi128(x, k, 0x11), next, 0x96);
}

/* Leave 16 bytes, `rest`, that have the sum, begun at 0, that `crc` and the first bytes have; return how many those are.
   `n` is ZC_FOLD_LEAST or more; fewer than 64 are left over. `crc` is without the inversion at either end. */
ZC_FOLD static size_t zc_fold(const zc_fold_table *t, uint32_t crc, const uint8_t *p, size_t n, uint8_t *rest) {
    const uint8_t *start = p;
    __m512i k = zc_fold_by(t, ZC_FOLD_FAR);
    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
    __m512i c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
    a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
        a = zc_fold_onto(a, k, _mm512_loadu_si512(p));
        b = zc_fold_onto(b, k, _mm512_loadu_si512(p + 64));
        c = zc_fold_onto(c, k, _mm512_loadu_si512(p + 128));
        d = zc_fold_onto(d, k, _mm512_loadu_si512(p + 192));
    }
    k = zc_fold_by(t, ZC_FOLD_NEAR);
    a = zc_fold_onto(zc_fold_onto(zc_fold_onto(a, k, b), k, c), k, d);
    for (; n >= 64; p += 64, n -= 64) a = zc_fold_onto(a, k, _mm512_loadu_si512(p));
    __m128i sum = _mm512_extracti32x4_epi32(a, 3);
    __m128i lanes[3] = {_mm512_castsi512_si128(a), _mm512_extracti32x4_epi32(a, 1), _mm512_extracti32x4_epi32(a, 2)};
    for (int i = 0; i < 3; i++) {
        __m128i by = _mm512_castsi512_si128(zc_fold_by(t, ZC_FOLD_LANES + i));
        sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(lanes[i], by, 0x00));
        sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(lanes[i], by, 0x11));
    }
    _mm_storeu_si128((__m128i *)rest, sum);
    return (size_t)(p - start);
}
#else
static inline int zc_fold_hardware(void) { return 0; }
static inline size_t zc_fold(const zc_fold_table *t, uint32_t crc, const uint8_t *p, size_t n, uint8_t *rest) {
    (void)t, (void)crc, (void)p, (void)n, (void)rest;
    return 0;
}
#endif

#endif
