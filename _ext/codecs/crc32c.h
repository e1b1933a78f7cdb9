/* CRC-32C (Castagnoli), the checksum of shards: the processor's instruction where there is one, tables elsewhere.

   Longer buffers are folded, see crc_fold.h, where the processor can. The instruction takes three cycles for eight
   bytes, but a new one can start in every cycle. So three stretches of a buffer go side by side; their sums are put
   together by tables that move a sum over a stretch of zeros. All ways have the same results, which tests hold. */
#ifndef ZCHUNK_CRC32C_H
#define ZCHUNK_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The reversed polynomial. */
#define ZC_CRC_POLY 0x82F63B78u
/* Bytes of a stretch: long enough that the tables count for little, short enough for three in the L1 cache. */
#define ZC_CRC_STRETCH 1024

/* Sums of one byte with 0 to 7 bytes of zeros behind it. */
static uint32_t zc_crc_bytes[8][256];
/* What becomes of a sum, byte by byte of it, over a stretch of zeros. */
static uint32_t zc_crc_moved[4][256];

static inline uint64_t zc_crc_load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* `crc` is without the inversion at either end, here and below. */
static inline uint32_t zc_crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = zc_crc_load(p) ^ crc;
        crc = zc_crc_bytes[7][v & 255] ^ zc_crc_bytes[6][v >> 8 & 255] ^ zc_crc_bytes[5][v >> 16 & 255] ^
              zc_crc_bytes[4][v >> 24 & 255] ^ zc_crc_bytes[3][v >> 32 & 255] ^ zc_crc_bytes[2][v >> 40 & 255] ^
              zc_crc_bytes[1][v >> 48 & 255] ^ zc_crc_bytes[0][v >> 56];
    }
    for (; n; n--, p++) crc = crc >> 8 ^ zc_crc_bytes[0][(crc ^ *p) & 255];
    return crc;
}

/* To be called once, before anything else. */
static inline void zc_crc_init(void) {
    static const uint8_t zeros[ZC_CRC_STRETCH];
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ ZC_CRC_POLY : crc >> 1;
        zc_crc_bytes[0][b] = crc;
    }
    for (int z = 1; z < 8; z++)
        for (uint32_t b = 0; b < 256; b++)
            zc_crc_bytes[z][b] = zc_crc_bytes[z - 1][b] >> 8 ^ zc_crc_bytes[0][zc_crc_bytes[z - 1][b] & 255];
    /* Sums are linear: that of each bit, then of each byte. */
    for (int k = 0; k < 4; k++) {
        for (uint32_t bit = 1; bit < 256; bit <<= 1) {
            uint32_t moved = zc_crc_table(bit << 8 * k, zeros, ZC_CRC_STRETCH);
            for (uint32_t b = 0; b < bit; b++) zc_crc_moved[k][bit | b] = moved ^ zc_crc_moved[k][b];
        }
    }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <nmmintrin.h>
#define ZC_CRC_FAST __attribute__((target("sse4.2")))
#define ZC_CRC_8(crc, v) ((uint32_t)_mm_crc32_u64(crc, v))
#define ZC_CRC_1(crc, v) _mm_crc32_u8(crc, v)
static inline int zc_crc_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
/* Compilers offer the instruction only where every processor of the target has it; the processor is asked here. */
#define ZC_CRC_FAST
static inline uint32_t ZC_CRC_8(uint32_t crc, uint64_t v) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(v));
    return crc;
}
static inline uint32_t ZC_CRC_1(uint32_t crc, uint8_t v) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)v));
    return crc;
}
#if defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
static inline int zc_crc_hardware(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#elif defined(__APPLE__) || defined(__ARM_FEATURE_CRC32)
static inline int zc_crc_hardware(void) { return 1; }
#else
static inline int zc_crc_hardware(void) { return 0; }
#endif
#endif

#ifdef ZC_CRC_FAST
static inline uint32_t zc_crc_move(uint32_t crc) {
    return zc_crc_moved[0][crc & 255] ^ zc_crc_moved[1][crc >> 8 & 255] ^ zc_crc_moved[2][crc >> 16 & 255] ^
           zc_crc_moved[3][crc >> 24];
}

ZC_CRC_FAST static uint32_t zc_crc_fast(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n >= 3 * ZC_CRC_STRETCH; n -= 3 * ZC_CRC_STRETCH, p += 3 * ZC_CRC_STRETCH) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < ZC_CRC_STRETCH; i += 8) {
            crc = ZC_CRC_8(crc, zc_crc_load(p + i));
            second = ZC_CRC_8(second, zc_crc_load(p + ZC_CRC_STRETCH + i));
            third = ZC_CRC_8(third, zc_crc_load(p + 2 * ZC_CRC_STRETCH + i));
        }
        crc = zc_crc_move(zc_crc_move(crc) ^ second) ^ third;
    }
    for (; n >= 8; n -= 8, p += 8) crc = ZC_CRC_8(crc, zc_crc_load(p));
    for (; n; n--, p++) crc = ZC_CRC_1(crc, *p);
    return crc;
}
#else
static inline int zc_crc_hardware(void) { return 0; }
static inline uint32_t zc_crc_fast(uint32_t crc, const uint8_t *p, size_t n) { return zc_crc_table(crc, p, n); }
#endif

#endif
