"""Byte codecs of the static libraries. This module is the only one that links them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.status cimport Failure

cdef enum Stream:
    # The compressors that a Blosc frame can name, numbered as C-Blosc numbers them for users.
    BLOSCLZ = 0
    LZ4 = 1
    LZ4HC = 2
    ZLIB = 4
    ZSTD = 5

cdef void release(Scratch* s) noexcept nogil
cdef Scratch* thread_scratch() noexcept nogil
cdef void trim(Scratch* s) noexcept nogil

cdef inline size_t lz4_bound(size_t n) noexcept nogil:
    return n + n // 255 + 16

cdef size_t zstd_bound(size_t n) noexcept nogil
cdef size_t deflate_bound(size_t n) noexcept nogil

cdef int64_t lz4_encode(
    Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int acceleration
) noexcept nogil
cdef int64_t zstd_encode(
    Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int level, bint checksum
) noexcept nogil
cdef int64_t deflate_encode(const uint8_t* src, size_t n, uint8_t* dst, size_t cap, int level, bint gzip) noexcept nogil
cdef int lz4_decode(const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f) noexcept nogil
cdef int zstd_decode(Scratch* s, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f) noexcept nogil
cdef int deflate_decode(const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, bint gzip, Failure* f) noexcept nogil
cdef int64_t zstd_content_size(const uint8_t* src, size_t n) noexcept nogil
cdef int64_t zstd_size_bound(const uint8_t* src, size_t n) noexcept nogil

cdef int64_t stream_encode(
    Scratch* s, int stream, int clevel, const uint8_t* src, size_t n, uint8_t* dst, size_t cap
) noexcept nogil
cdef int stream_decode(
    Scratch* s, int format, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, Failure* f
) noexcept nogil
cdef int stream_decode_head(
    Scratch* s, int format, const uint8_t* src, size_t n, uint8_t* dst, size_t nbytes, size_t wanted, Failure* f
) noexcept nogil

cdef void shuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil
cdef void unshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil
cdef int bitshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil
cdef int bitunshuffle(int32_t typesize, int32_t n, const uint8_t* src, uint8_t* dst) noexcept nogil
# The CRC-32 of zip and gzip, of bytes whose first part has the checksum `sum`; 0 if there is none.
cdef uint32_t crc32_more(uint32_t sum, const uint8_t* src, size_t n) noexcept nogil
