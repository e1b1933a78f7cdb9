"""LZ4, Zstd, zlib, gzip and the shuffles on plain memory, without the GIL.

Encoders return the size of the result, 0 when it does not fit `cap` (the data does not compress), or minus a
`Status`. Decoders fill exactly `nbytes` and return a `Status`; `Failure` says what was shorter, longer or
corrupt. The destination's size always comes from the metadata, never from the bytes, so that hostile bytes can
neither overrun it nor cause an allocation.

Other extension modules call these kernels; Python reaches them through `_ext.codecs.dispatch` and
`_ext.codecs.blosc_decode`.
"""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from zchunk._ext.codecs.blosclz cimport BLOSCLZ_TABLE, blosclz_decode, blosclz_encode
from zchunk._ext.codecs.clib cimport *
from zchunk._ext.codecs.crc_fold cimport ZC_FOLD_LEAST, zc_fold, zc_fold_hardware, zc_fold_init, zc_fold_table
from zchunk._ext.codecs.libraries cimport BLOSCLZ, LZ4, LZ4HC, ZLIB, ZSTD
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.status cimport (
    CORRUPT, NO_MEMORY, OK, TOO_LARGE, TRAILING, TRUNCATED, UNSUPPORTED, WRONG_SIZE, fail,
)

cdef extern from "memory/scratch.h" nogil:
    void* zc_scratch(size_t size, void (*end)(void*) noexcept nogil)

cdef uint32_t CRC32_POLY = 0xEDB88320

cdef enum:
    Z_FINISH = 4
    Z_STREAM_END = 1
    Z_BUF_ERROR = -5
    Z_MEM_ERROR = -4
    ZLIB_WINDOW = 15
    GZIP_WINDOW = 31
    LZ4_MAX_INPUT = 0x7E000000
    # Bytes of scratch that a thread keeps from one call to the next.
    KEEP = 4 << 20
    INT32_LIMIT = 0x7FFFFFFF


# ---- scratch

cdef void release(Scratch* s) noexcept nogil:
    """Free everything that `s` holds."""
    free(s.encoded)
    free(s.stored)
    free(s.chunk)
    free(s.block)
    free(s.planes)
    free(s.blosclz)
    free(s.lz4)
    free(s.lz4hc)
    if s.zstd_encoder != NULL:
        ZSTD_freeCCtx(<ZSTD_CCtx*>s.zstd_encoder)
    if s.zstd_decoder != NULL:
        ZSTD_freeDCtx(<ZSTD_DCtx*>s.zstd_decoder)
    memset(s, 0, sizeof(Scratch))


cdef void _end_of_thread(void* scratch) noexcept nogil:
    release(<Scratch*>scratch)
    free(scratch)


cdef Scratch* thread_scratch() noexcept nogil:
    """Return the scratch of the calling thread; NULL: no memory."""
    return <Scratch*>zc_scratch(sizeof(Scratch), _end_of_thread)


cdef void trim(Scratch* s) noexcept nogil:
    """Free too large a scratch. Others are kept: new memory costs a page fault every 4 KiB, more than a small read."""
    cdef size_t size = s.encoded_size + s.stored_size + s.chunk_size + s.block_size + s.planes_size
    if s.zstd_encoder != NULL:
        size += ZSTD_sizeof_CCtx(<ZSTD_CCtx*>s.zstd_encoder)
    if s.zstd_decoder != NULL:
        size += ZSTD_sizeof_DCtx(<ZSTD_DCtx*>s.zstd_decoder)
    if size > KEEP:
        release(s)


# ---- LZ4 blocks

cdef int64_t lz4_encode(
    Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int acceleration
) noexcept nogil:
    if n > LZ4_MAX_INPUT:
        return -TOO_LARGE
    if s.lz4 == NULL:
        s.lz4 = calloc(1, LZ4_sizeofState())
        if s.lz4 == NULL:
            return -NO_MEMORY
    cap = min(cap, <size_t>INT32_LIMIT)
    return lz4_encode_block(s.lz4, <const char*>src, <char*>dst, <int>n, <int>cap, acceleration)


cdef int64_t _lz4hc_encode(
    Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int level
) noexcept nogil:
    if n > LZ4_MAX_INPUT:
        return -TOO_LARGE
    if s.lz4hc == NULL:
        s.lz4hc = malloc(LZ4_sizeofStateHC())
        if s.lz4hc == NULL:
            return -NO_MEMORY
    cap = min(cap, <size_t>INT32_LIMIT)
    return LZ4_compress_HC_extStateHC(s.lz4hc, <const char*>src, <char*>dst, <int>n, <int>cap, level)


cdef int lz4_decode(const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f) noexcept nogil:
    cdef int got
    if n > INT32_LIMIT:
        return fail(f, TOO_LARGE, n, INT32_LIMIT)
    if nbytes > INT32_LIMIT:
        return fail(f, TOO_LARGE, nbytes, INT32_LIMIT)
    got = LZ4_decompress_safe(<const char*>src, <char*>dst, <int>n, <int>nbytes)
    if got < 0:
        return fail(f, CORRUPT, n, nbytes)
    if <size_t>got != nbytes:
        return fail(f, WRONG_SIZE, got, nbytes)
    return OK


cdef int _lz4_decode_head(
    const uint8_t* src, size_t n, uint8_t* dst, size_t wanted, Failure* f
) noexcept nogil:
    """Decode the first `wanted` bytes; what comes after them is not looked at."""
    cdef int got
    if n > INT32_LIMIT or wanted > INT32_LIMIT:
        return fail(f, TOO_LARGE, max(n, wanted), INT32_LIMIT)
    got = LZ4_decompress_safe_partial(<const char*>src, <char*>dst, <int>n, <int>wanted, <int>wanted)
    if got < 0:
        return fail(f, CORRUPT, n, wanted)
    if <size_t>got != wanted:
        return fail(f, WRONG_SIZE, got, wanted)
    return OK


# ---- BloscLZ

cdef int64_t _blosclz_encode(Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap) noexcept nogil:
    if s.blosclz == NULL:
        s.blosclz = malloc(BLOSCLZ_TABLE)
        if s.blosclz == NULL:
            return -NO_MEMORY
    return blosclz_encode(<uint32_t*>s.blosclz, src, n, dst, cap)


# ---- Zstd

cdef size_t zstd_bound(size_t n) noexcept nogil:
    return ZSTD_compressBound(n)


cdef int64_t zstd_encode(
    Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int level, bint checksum
) noexcept nogil:
    cdef size_t got
    cdef int code
    if s.zstd_encoder == NULL:
        s.zstd_encoder = ZSTD_createCCtx()
        if s.zstd_encoder == NULL:
            return -NO_MEMORY
        # Blocks are not split by content (Zstd 1.5.7): 2 % less at best, a tenth more to encode, a quarter to decode.
        ZSTD_CCtx_setParameter(<ZSTD_CCtx*>s.zstd_encoder, ZC_ZSTD_C_SPLIT_LEVEL, 1)
    ZSTD_CCtx_setParameter(<ZSTD_CCtx*>s.zstd_encoder, ZC_ZSTD_C_LEVEL, level)
    ZSTD_CCtx_setParameter(<ZSTD_CCtx*>s.zstd_encoder, ZC_ZSTD_C_CHECKSUM, checksum)
    got = ZSTD_compress2(<ZSTD_CCtx*>s.zstd_encoder, dst, cap, src, n)
    if ZSTD_isError(got):
        code = ZSTD_getErrorCode(got)
        if code == ZC_ZSTD_E_NO_MEMORY:
            return -NO_MEMORY
        return 0 if code == ZC_ZSTD_E_DST_TOO_SMALL else -CORRUPT
    return <int64_t>got


cdef int zstd_decode(Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f) noexcept nogil:
    cdef size_t got
    cdef int64_t size
    cdef int code
    if n == 0:
        # Zstd accepts that no frames decode to no bytes.
        return fail(f, TRUNCATED, n, -1)
    if s.zstd_decoder == NULL:
        s.zstd_decoder = ZSTD_createDCtx()
        if s.zstd_decoder == NULL:
            return fail(f, NO_MEMORY, nbytes, 0)
    got = ZSTD_decompressDCtx(<ZSTD_DCtx*>s.zstd_decoder, dst, nbytes, src, n)
    if ZSTD_isError(got):
        code = ZSTD_getErrorCode(got)
        if code == ZC_ZSTD_E_NO_MEMORY:
            return fail(f, NO_MEMORY, nbytes, 0)
        if code == ZC_ZSTD_E_DST_TOO_SMALL:
            # The frame may not tell its size, or be one of several: only a larger one is worth telling.
            size = zstd_content_size(src, n)
            if size <= <int64_t>nbytes:
                size = -1
            return fail(f, WRONG_SIZE, size, nbytes)
        if code == ZC_ZSTD_E_SRC_WRONG:
            return fail(f, TRUNCATED, n, -1)
        return fail(f, CORRUPT, n, nbytes)
    if got != nbytes:
        return fail(f, WRONG_SIZE, got, nbytes)
    return OK


cdef int64_t zstd_content_size(const uint8_t* src, size_t n) noexcept nogil:
    """Return what the frames say of their decoded size together, -1 if one of them says nothing (or nonsense)."""
    cdef unsigned long long size, total = 0
    cdef size_t used
    while True:
        size = ZSTD_getFrameContentSize(src, n)
        if size > <unsigned long long>0x7FFFFFFFFFFFFFFF - total:
            # This includes the two values that mean "unknown" and "error".
            return -1
        total += size
        used = ZSTD_findFrameCompressedSize(src, n)
        if ZSTD_isError(used) or used >= n:
            return <int64_t>total
        src += used
        n -= used


cdef int64_t zstd_size_bound(const uint8_t* src, size_t n) noexcept nogil:
    """Return the most bytes that the frames can decode to, by the number of their blocks; -1 for no frames."""
    cdef unsigned long long size = ZSTD_decompressBound(src, n)
    return <int64_t>size if size <= <unsigned long long>0x7FFFFFFFFFFFFFFF else -1


# ---- zlib and gzip: RFC 1950 and 1952 around RFC 1951

cdef size_t deflate_bound(size_t n) noexcept nogil:
    # Stored blocks, at most 5 bytes for 8 KiB, and either wrapper; with room to spare.
    return n + (n >> 8) + 64


cdef int64_t deflate_encode(
    const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int level, bint gzip
) noexcept nogil:
    """Compress about as far as zlib does at the same level (`deflate.h` says how)."""
    cdef zc_stream z
    cdef int code
    if n > <size_t>0xFFFFFFFF:
        return -TOO_LARGE
    memset(&z, 0, sizeof(z))
    if zc_deflate_init(&z, level, GZIP_WINDOW if gzip else ZLIB_WINDOW) != 0:
        return -NO_MEMORY
    z.next_in = src
    z.avail_in = <uint32_t>n
    z.next_out = dst
    z.avail_out = <uint32_t>(cap if cap < <size_t>0xFFFFFFFF else <size_t>0xFFFFFFFF)
    code = zc_deflate(&z, Z_FINISH)
    zc_deflate_end(&z)
    return <int64_t>z.total_out if code == Z_STREAM_END else 0


cdef int deflate_decode(
    const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, bint gzip, Failure* f
) noexcept nogil:
    cdef zc_stream z
    cdef size_t used = 0, done = 0
    cdef int code
    cdef uint8_t spare
    if n > <size_t>0xFFFFFFFF:
        return fail(f, TOO_LARGE, n, 0xFFFFFFFF)
    if nbytes > <size_t>0xFFFFFFFF:
        return fail(f, TOO_LARGE, nbytes, 0xFFFFFFFF)
    memset(&z, 0, sizeof(z))
    if zc_inflate_init(&z, GZIP_WINDOW if gzip else ZLIB_WINDOW) != 0:
        return fail(f, NO_MEMORY, nbytes, 0)
    while True:
        z.next_in = src + used
        z.avail_in = <uint32_t>(n - used)
        # inflate wants a place to write to even when nothing is left to come
        z.next_out = dst + done if nbytes else &spare
        z.avail_out = <uint32_t>(nbytes - done)
        z.total_in = 0
        z.total_out = 0
        code = zc_inflate(&z, Z_FINISH)
        used += z.total_in
        done += z.total_out
        if code != Z_STREAM_END or not gzip or used == n:
            break
        # RFC 1952: a gzip file is a series of members.
        zc_inflate_reset(&z)
    zc_inflate_end(&z)
    if code == Z_STREAM_END:
        if used != n:
            return fail(f, TRAILING, n, used)
        if done != nbytes:
            return fail(f, WRONG_SIZE, done, nbytes)
        return OK
    if code == Z_BUF_ERROR or code == 0:
        if used < n and done == nbytes:
            return fail(f, WRONG_SIZE, -1, nbytes)
        return fail(f, TRUNCATED, n, -1)
    if code == Z_MEM_ERROR:
        return fail(f, NO_MEMORY, nbytes, 0)
    return fail(f, CORRUPT, n, nbytes)


# ---- streams of Blosc frames: the level of the frame, the parameters that C-Blosc gives each library

cdef int64_t stream_encode(
    Scratch* s, int stream, int clevel, const uint8_t* src, size_t n, uint8_t* dst, size_t cap
) noexcept nogil:
    if stream == LZ4:
        return lz4_encode(s, src, n, dst, cap, 10 - clevel)
    if stream == ZSTD:
        return zstd_encode(s, src, n, dst, cap, clevel * 2 - 1 if clevel < 9 else ZSTD_maxCLevel(), False)
    if stream == LZ4HC:
        return _lz4hc_encode(s, src, n, dst, cap, clevel)
    if stream == ZLIB:
        return deflate_encode(src, n, dst, cap, clevel, False)
    if stream == BLOSCLZ:
        return _blosclz_encode(s, src, n, dst, cap)
    return -UNSUPPORTED


cdef int stream_decode(
    Scratch* s, int format, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f
) noexcept nogil:
    """Decode a stream of the format that bits 5-7 of a frame's flags name."""
    cdef int64_t got
    if format == 1:
        return lz4_decode(src, n, dst, nbytes, f)
    if format == 4:
        return zstd_decode(s, src, n, dst, nbytes, f)
    if format == 3:
        return deflate_decode(src, n, dst, nbytes, False, f)
    if format == 0:
        got = blosclz_decode(src, n, dst, nbytes)
        if got < 0:
            return fail(f, CORRUPT, n, nbytes)
        return OK if <size_t>got == nbytes else fail(f, WRONG_SIZE, got, nbytes)
    return fail(f, UNSUPPORTED, format, 0)


cdef int stream_decode_head(
    Scratch* s, int format, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, size_t wanted, Failure* f
) noexcept nogil:
    """Decode at least the first `wanted` of the `nbytes` that a stream holds; none but LZ4 can stop there."""
    if format == 1:
        return _lz4_decode_head(src, n, dst, wanted, f)
    return stream_decode(s, format, src, n, dst, nbytes, f)


# ---- shuffles; those of bits take memory of their own, which may not be there

cdef void shuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil:
    blosc2_shuffle(typesize, n, src, dst)


cdef void unshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil:
    blosc2_unshuffle(typesize, n, src, dst)


cdef int bitshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil:
    # C-Blosc 1 shuffles whole groups of eight items or nothing.
    if (n // typesize) % 8:
        memcpy(dst, src, n)
        return OK
    return OK if blosc2_bitshuffle(typesize, n, src, dst) >= 0 else NO_MEMORY


cdef int bitunshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil:
    if (n // typesize) % 8:
        memcpy(dst, src, n)
        return OK
    return OK if blosc2_bitunshuffle(typesize, n, src, dst) >= 0 else NO_MEMORY


cdef zc_fold_table _crc32_table
zc_fold_init(&_crc32_table, CRC32_POLY)
cdef bint _folds = zc_fold_hardware()


cdef uint32_t crc32_more(uint32_t sum, const uint8_t* src, size_t n) noexcept nogil:
    """Return the CRC-32 of zip and gzip. zlib-ng folds, too, but a quarter as much at a time."""
    cdef uint8_t rest[16]
    cdef size_t done
    if _folds and n >= ZC_FOLD_LEAST:
        done = zc_fold(&_crc32_table, ~sum, src, n, rest)
        # It inverts the sum at both ends.
        sum = zc_crc32(~<uint32_t>0, rest, 16)
        src += done
        n -= done
    return zc_crc32(sum, src, n) if n else sum


# ---- boundary

def versions():
    """Return ``{"zstd": (least level, greatest level)}``: what the linked library takes."""
    return {"zstd": (ZSTD_minCLevel(), ZSTD_maxCLevel())}
