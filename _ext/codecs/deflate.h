/* zlib-ng by its native API, or the system's zlib (ZCHUNK_ZLIB), by one set of names. */
#ifndef ZCHUNK_DEFLATE_H
#define ZCHUNK_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef ZCHUNK_ZLIB

#define ZLIB_CONST
#include <zlib.h>

typedef z_stream zc_stream;

static inline int zc_deflate_init(zc_stream *z, int level, int window) {
    return deflateInit2(z, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
}
static inline int zc_deflate(zc_stream *z, int flush) { return deflate(z, flush); }
static inline int zc_deflate_end(zc_stream *z) { return deflateEnd(z); }
static inline int zc_inflate_init(zc_stream *z, int window) { return inflateInit2(z, window); }
static inline int zc_inflate(zc_stream *z, int flush) { return inflate(z, flush); }
static inline int zc_inflate_reset(zc_stream *z) { return inflateReset(z); }
static inline int zc_inflate_end(zc_stream *z) { return inflateEnd(z); }
static inline uint32_t zc_crc32(uint32_t crc, const uint8_t *p, size_t n) { return (uint32_t)crc32_z(crc, p, n); }

#else

/* zlib-ng.h of 2.x */
typedef struct {
    const uint8_t *next_in;
    uint32_t avail_in;
    size_t total_in;
    uint8_t *next_out;
    uint32_t avail_out;
    size_t total_out;
    const char *msg;
    void *state;
    void *zalloc;
    void *zfree;
    void *opaque;
    int data_type;
    uint32_t adler;
    unsigned long reserved;
} zc_stream;
extern int32_t zng_deflateInit2(zc_stream *, int32_t level, int32_t method, int32_t window, int32_t memory, int32_t strategy);
extern int32_t zng_deflateTune(zc_stream *, int32_t good, int32_t lazy, int32_t nice, int32_t chain);
extern int32_t zng_deflate(zc_stream *, int32_t flush);
extern int32_t zng_deflateEnd(zc_stream *);
extern int32_t zng_inflateInit2(zc_stream *, int32_t window);
extern int32_t zng_inflate(zc_stream *, int32_t flush);
extern int32_t zng_inflateReset(zc_stream *);
extern int32_t zng_inflateEnd(zc_stream *);
extern uint32_t zng_crc32_z(uint32_t crc, const uint8_t *p, size_t n);

/* zlib's search parameters by level: good length, lazy length, nice length, chain length. Levels 1 and 2 look further,
   as stopping at a match of 8 or 16 bytes made bit-shuffled text 9 to 18 % larger and unshuffled items of odd sizes
   6 %. */
static const int ZC_EFFORT[10][4] = {
    {0, 0, 0, 0}, {4, 4, 32, 16}, {4, 6, 32, 32}, {4, 6, 32, 32}, {4, 4, 16, 16}, {8, 16, 32, 32},
    {8, 16, 128, 128}, {8, 32, 128, 256}, {32, 128, 258, 1024}, {32, 258, 258, 4096},
};

/* zlib-ng's levels 1 to 8 look for matches of four bytes, zlib's for three: on unshuffled float32 and small integers
   that made 12 to 20 % larger results at levels 2 to 8 and 64 % at level 1, on constants up to 3.6 times. Level 9 looks
   for three; with zlib's search parameters of level n it takes zlib's time (0.8 to 1.2 of it) and gave 0.22 to 1.031 of
   zlib's size, with a memory level of 7, that is smaller blocks, up to 1.014. */
static inline int zc_deflate_init(zc_stream *z, int level, int window) {
    const int *effort = ZC_EFFORT[level > 0 ? level : 6];
    int code = zng_deflateInit2(z, level ? 9 : 0, /* deflate */ 8, window, 7, 0);
    if (code == 0 && level) zng_deflateTune(z, effort[0], effort[1], effort[2], effort[3]);
    return code;
}
static inline int zc_deflate(zc_stream *z, int flush) { return zng_deflate(z, flush); }
static inline int zc_deflate_end(zc_stream *z) { return zng_deflateEnd(z); }
static inline int zc_inflate_init(zc_stream *z, int window) { return zng_inflateInit2(z, window); }
static inline int zc_inflate(zc_stream *z, int flush) { return zng_inflate(z, flush); }
static inline int zc_inflate_reset(zc_stream *z) { return zng_inflateReset(z); }
static inline int zc_inflate_end(zc_stream *z) { return zng_inflateEnd(z); }
static inline uint32_t zc_crc32(uint32_t crc, const uint8_t *p, size_t n) { return zng_crc32_z(crc, p, n); }

#endif
#endif
