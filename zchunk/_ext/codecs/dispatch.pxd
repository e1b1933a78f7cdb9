"""A native codec with its parameters, and the dispatch over kinds."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from zchunk._ext.codecs.blosc_decode cimport BloscParams
from zchunk._ext.io.files cimport AddToSum
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.status cimport Failure

cdef enum Kind:
    RAW_KIND = 0
    BLOSC_KIND = 1
    LZ4_KIND = 2
    ZSTD_KIND = 3
    ZLIB_KIND = 4
    GZIP_KIND = 5

# The checksum of what is encoded, of four bytes, little-endian.
cdef enum Sum:
    NO_SUM = 0
    CRC32C_BEHIND = 1
    CRC32_BEFORE = 2

cdef struct Spec:
    int kind
    int level        # acceleration for LZ4
    int checksum     # Zstd
    BloscParams blosc
    int crc          # a Sum; not the business of `encode_bytes` and `decode_bytes`

cdef AddToSum summing(int crc) noexcept nogil
cdef int parse_spec(object spec, Spec* out) except -1
cdef size_t encoded_bound(const Spec* c, int64_t nbytes) noexcept nogil
cdef int64_t encoded_limit(const Spec* c, int64_t nbytes) noexcept nogil
cdef int64_t encode_bytes(const Spec* c, const uint8_t* src, int64_t nbytes, uint8_t* dst, Scratch* s) noexcept nogil
cdef int decode_bytes(
    const Spec* c, const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes, Scratch* s, Failure* f
) noexcept nogil
