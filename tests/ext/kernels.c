/* The kernels of _ext/ that are written for a processor, beside what defines them: compiled alone, so that they run
   wherever a compiler and QEMU take them. Prints what failed, and which ways were taken. */
#include <stdio.h>
#include <stdlib.h>

#include "codecs/crc32c.h"
#include "codecs/planes.h"
#include "memory/stream.h"
#include "threads/atomics.h"

enum { N = 300, ROOM = 1 << 13 };
static uint8_t planes[16][4 * N];
static char wanted[ROOM], found[ROOM];
static int failures, checks;

static uint32_t next(void) {
    static uint32_t state = 20261201;
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state;
}

static void check(int right, const char *what, long a, long b, long c) {
    checks++;
    if (!right && failures++ < 20) printf("wrong: %s (%ld, %ld, %ld)\n", what, a, b, c);
}

/* Rows of items, contiguous and apart, from any place, to any place. */
static void check_planes(void) {
    const uint8_t *at[16];
    for (int b = 0; b < 16; b++) {
        at[b] = planes[b] + b;
        for (size_t i = 0; i < sizeof planes[b]; i++) planes[b][i] = (uint8_t)next();
    }
    for (int typesize = 1; typesize <= 16; typesize++)
        for (int n = 0; n < N / 3; n++)
            for (int way = 0; way < 12; way++) {
                const int step = 1 + way % 2, gap = typesize + 3 * (way / 2 % 2), from = way / 4, offset = 16 * (way % 3) + way / 6;
                const int64_t stride = ((int64_t)n * gap + 31) / 16 * 16;
                for (int stream = 0; stream < 2; stream++) {
                    memset(wanted, 7, sizeof wanted), memset(found, 7, sizeof found);
                    for (int r = 0; r < 2; r++)
                        zc_planes_plain((const uint8_t *const *)at, typesize, from + r * N, step, n,
                                        wanted + offset + r * stride, gap);
                    zc_planes_gather((const uint8_t *const *)at, typesize, from, step, n, found + offset, gap, 2, N,
                                     stride, stream);
                    zc_stream_done();
                    check(memcmp(wanted, found, sizeof found) == 0, "planes", typesize, n, way);
                }
            }
}

/* Bit by bit, as the checksum is defined. */
static uint32_t crc_bits(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n; n--, p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ ZC_CRC_POLY : crc >> 1;
    }
    return crc;
}

static void check_crc(void) {
    static uint8_t bytes[4 * 3 * ZC_CRC_STRETCH];
    const int hardware = zc_crc_hardware();
    zc_crc_init();
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)next();
    check(~zc_crc_table(~0u, (const uint8_t *)"123456789", 9) == 0xE3069283u, "crc of the standard", 0, 0, 0);
    for (size_t n = 0; n < sizeof bytes - 16; n += n < 70 ? 1 : 997)
        for (int offset = 0; offset < 9; offset++) {
            uint32_t right = crc_bits(~0u, bytes + offset, n);
            check(zc_crc_table(~0u, bytes + offset, n) == right, "crc by tables", (long)n, offset, 0);
            if (hardware) check(zc_crc_fast(~0u, bytes + offset, n) == right, "crc by instructions", (long)n, offset, 0);
        }
}

static void check_copies(void) {
    for (size_t i = 0; i < sizeof planes; i++) ((char *)wanted)[i % ROOM] = (char)next();
    for (int n = 0; n < 700; n++)
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 65; to += 13) {
                memset(found, 0, 1024);
                zc_stream_copy(found + to, wanted + from, n);
                zc_stream_done();
                check(memcmp(found + to, wanted + from, n) == 0 && found[to + n] == 0, "copy past the caches", n, from, to);
                memset(found, 0, 1024);
                zc_copy_row(found + to, wanted + from, n);
                check(memcmp(found + to, wanted + from, n) == 0 && found[to + n] == 0, "copy of a row", n, from, to);
            }
}

static void check_atomics(void) {
    int64_t number = 5;
    check(zc_take(&number, 3) == 5 && zc_load(&number) == 8, "take", 0, 0, 0);
    check(zc_store_first(&number, 7, 9) == 8 && zc_store_first(&number, 8, 9) == 9, "store first", 0, 0, 0);
    zc_store(&number, 0), zc_pause();
    check(zc_claim(&number) && !zc_claim(&number), "claim", 0, 0, 0);
}

int main(void) {
    check_planes(), check_crc(), check_copies(), check_atomics();
#if defined(__SSE2__)
    const char *vectors = "SSE2";
#elif defined(__ARM_NEON)
    const char *vectors = "NEON";
#else
    const char *vectors = "none";
#endif
    printf("%d checks, %d wrong; vectors: %s, CRC-32C by %s\n", checks, failures, vectors,
           zc_crc_hardware() ? "instructions" : "tables");
    return failures != 0;
}
