"""Prototypes of the C libraries that libblosc2.a carries beside its own public header.

The blosc2 wheel ships the header of C-Blosc2 only. LZ4's, Zstd's and zlib-ng's functions are their public API,
repeated here and in deflate.h; `ZSTD_decompressBound` is the one that Zstd does not promise to keep in shared
libraries, which have it all the same.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t

cdef extern from "blosc2.h" nogil:
    int32_t blosc2_shuffle(int32_t typesize, int32_t blocksize, const void* src, void* dest)
    int32_t blosc2_unshuffle(int32_t typesize, int32_t blocksize, const void* src, void* dest)
    int32_t blosc2_bitshuffle(int32_t typesize, int32_t blocksize, const void* src, void* dest)
    int32_t blosc2_bitunshuffle(int32_t typesize, int32_t blocksize, const void* src, void* dest)


cdef extern from "codecs/lz4_small.h" nogil:
    int LZ4_sizeofState()
    int lz4_encode_block "zc_lz4_encode"(void* state, const char* src, char* dst, int n, int cap, int acceleration)


cdef extern from * nogil:
    """
    #include <stddef.h>
    #include <stdint.h>

    /* LZ4 1.x, lz4.h and lz4hc.h */
    int LZ4_sizeofStateHC(void);
    int LZ4_compress_HC_extStateHC(void* state, const char* src, char* dst, int srcSize, int maxDstSize, int level);
    int LZ4_decompress_safe(const char* src, char* dst, int compressedSize, int dstCapacity);
    int LZ4_decompress_safe_partial(const char* src, char* dst, int srcSize, int targetOutputSize, int dstCapacity);

    /* Zstandard 1.x, zstd.h */
    typedef struct ZSTD_CCtx_s ZSTD_CCtx;
    typedef struct ZSTD_DCtx_s ZSTD_DCtx;
    ZSTD_CCtx* ZSTD_createCCtx(void);
    size_t ZSTD_freeCCtx(ZSTD_CCtx*);
    size_t ZSTD_CCtx_setParameter(ZSTD_CCtx*, int param, int value);
    size_t ZSTD_compress2(ZSTD_CCtx*, void* dst, size_t dstCapacity, const void* src, size_t srcSize);
    size_t ZSTD_compressBound(size_t srcSize);
    int ZSTD_maxCLevel(void);
    int ZSTD_minCLevel(void);
    ZSTD_DCtx* ZSTD_createDCtx(void);
    size_t ZSTD_freeDCtx(ZSTD_DCtx*);
    size_t ZSTD_sizeof_CCtx(const ZSTD_CCtx*);
    size_t ZSTD_sizeof_DCtx(const ZSTD_DCtx*);
    size_t ZSTD_decompressDCtx(ZSTD_DCtx*, void* dst, size_t dstCapacity, const void* src, size_t srcSize);
    unsigned long long ZSTD_getFrameContentSize(const void* src, size_t srcSize);
    size_t ZSTD_findFrameCompressedSize(const void* src, size_t srcSize);
    unsigned long long ZSTD_decompressBound(const void* src, size_t srcSize);
    unsigned ZSTD_isError(size_t code);
    int ZSTD_getErrorCode(size_t code);
    #define ZC_ZSTD_C_LEVEL 100
    #define ZC_ZSTD_C_CHECKSUM 201
    #define ZC_ZSTD_C_SPLIT_LEVEL 1017 /* not stable: versions without it refuse it, and do not split */
    #define ZC_ZSTD_E_NO_MEMORY 64
    #define ZC_ZSTD_E_DST_TOO_SMALL 70
    #define ZC_ZSTD_E_SRC_WRONG 72
    """
    int LZ4_sizeofStateHC()
    int LZ4_compress_HC_extStateHC(void* state, const char* src, char* dst, int n, int cap, int level)
    int LZ4_decompress_safe(const char* src, char* dst, int n, int cap)
    int LZ4_decompress_safe_partial(const char* src, char* dst, int n, int wanted, int cap)

    ctypedef struct ZSTD_CCtx:
        pass
    ctypedef struct ZSTD_DCtx:
        pass
    ZSTD_CCtx* ZSTD_createCCtx()
    size_t ZSTD_freeCCtx(ZSTD_CCtx*)
    size_t ZSTD_CCtx_setParameter(ZSTD_CCtx*, int param, int value)
    size_t ZSTD_compress2(ZSTD_CCtx*, void* dst, size_t cap, const void* src, size_t n)
    size_t ZSTD_compressBound(size_t n)
    int ZSTD_maxCLevel()
    int ZSTD_minCLevel()
    ZSTD_DCtx* ZSTD_createDCtx()
    size_t ZSTD_freeDCtx(ZSTD_DCtx*)
    size_t ZSTD_decompressDCtx(ZSTD_DCtx*, void* dst, size_t cap, const void* src, size_t n)
    unsigned long long ZSTD_getFrameContentSize(const void* src, size_t n)
    size_t ZSTD_findFrameCompressedSize(const void* src, size_t n)
    unsigned long long ZSTD_decompressBound(const void* src, size_t n)
    unsigned ZSTD_isError(size_t code)
    int ZSTD_getErrorCode(size_t code)
    int ZC_ZSTD_C_LEVEL
    int ZC_ZSTD_C_CHECKSUM
    int ZC_ZSTD_C_SPLIT_LEVEL
    int ZC_ZSTD_E_NO_MEMORY
    int ZC_ZSTD_E_DST_TOO_SMALL
    int ZC_ZSTD_E_SRC_WRONG
    size_t ZSTD_sizeof_CCtx(const ZSTD_CCtx* c)
    size_t ZSTD_sizeof_DCtx(const ZSTD_DCtx* c)


cdef extern from "codecs/deflate.h" nogil:
    ctypedef struct zc_stream:
        const uint8_t* next_in
        uint32_t avail_in
        size_t total_in
        uint8_t* next_out
        uint32_t avail_out
        size_t total_out
    int zc_deflate_init(zc_stream*, int level, int window)
    int zc_deflate(zc_stream*, int flush)
    int zc_deflate_end(zc_stream*)
    int zc_inflate_init(zc_stream*, int window)
    int zc_inflate(zc_stream*, int flush)
    int zc_inflate_reset(zc_stream*)
    int zc_inflate_end(zc_stream*)
    uint32_t zc_crc32(uint32_t crc, const uint8_t* data, size_t n)
