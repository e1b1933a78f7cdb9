"""Native codecs by their parameters: one dispatch for the engine and for the codec classes.

A spec is the tuple ``(kind, level, checksum, stream, shuffle, typesize, blocksize)``; `kind` is one of
`KINDS`, the last four members matter to Blosc only. `zchunk.codecs` makes it from a codec and a dtype. For the
engine an eighth member may say which checksum what is encoded has; it is one of `SUMS`.
"""

from libc.stdint cimport INT64_MAX
from libc.string cimport memcpy, memset
from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS, PyBUF_WRITABLE, PyObject_GetBuffer, PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from zchunk._ext.codecs.blosc_decode cimport HEADER, MAX_BLOSC, decode_frame
from zchunk._ext.codecs.blosc_encode cimport encode_frame
from zchunk._ext.codecs.dispatch cimport (
    BLOSC_KIND, CRC32_BEFORE, CRC32C_BEHIND, GZIP_KIND, LZ4_KIND, NO_SUM, RAW_KIND, ZLIB_KIND, ZSTD_KIND, Spec,
)
from zchunk._ext.codecs.crc32c cimport crc32c_more
from zchunk._ext.codecs.libraries cimport (
    crc32_more, deflate_bound, deflate_decode, deflate_encode, lz4_bound, lz4_decode, lz4_encode, release, zstd_bound,
    zstd_content_size, zstd_decode, zstd_encode, zstd_size_bound,
)
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.codecs.items cimport Items, memory_items
from zchunk._ext.memory.status cimport (
    CORRUPT, NO_MEMORY, OK, TOO_LARGE, TRAILING, TRUNCATED, UNSUPPORTED, WRONG_SIZE, WRONG_SUM, Failure, fail,
)

# A CRC-32C behind the bytes is what format 3 has, a CRC-32 before them what numcodecs has had from the beginning.
SUMS = {"none": NO_SUM, "crc32c": CRC32C_BEHIND, "crc32": CRC32_BEFORE}
KINDS = {"raw": RAW_KIND, "blosc": BLOSC_KIND, "lz4": LZ4_KIND, "zstd": ZSTD_KIND, "zlib": ZLIB_KIND, "gzip": GZIP_KIND}

# zlib-ng counts in 32 bits what goes in and what comes out, see `deflate_bound`.
MAX_DEFLATE = 0xFFFFFFFF - (0xFFFFFFFF >> 8) - 64
# Most bytes that can be encoded at once.
_LIMITS = {BLOSC_KIND: MAX_BLOSC, LZ4_KIND: 0x7E000000, ZLIB_KIND: MAX_DEFLATE, GZIP_KIND: MAX_DEFLATE}


# ---- kernels

cdef AddToSum summing(int crc) noexcept nogil:
    """Return what computes a `Sum`."""
    return crc32_more if crc == CRC32_BEFORE else crc32c_more


cdef size_t encoded_bound(const Spec* c, int64_t nbytes) noexcept nogil:
    """Return the most bytes that encoding `nbytes` can give."""
    cdef size_t crc = 4 if c.crc else 0
    if c.kind == BLOSC_KIND:
        return nbytes + HEADER + crc
    if c.kind == LZ4_KIND:
        return 4 + lz4_bound(nbytes) + crc
    if c.kind == ZSTD_KIND:
        return zstd_bound(nbytes) + crc
    if c.kind == ZLIB_KIND or c.kind == GZIP_KIND:
        return deflate_bound(nbytes) + crc
    return nbytes + crc


cdef int64_t encoded_limit(const Spec* c, int64_t nbytes) noexcept nogil:
    """Return how large a stored chunk may be: what other encoders may need more than ours is allowed for."""
    # Unsigned: Zstd's bound for what is too large is the greatest numbers.
    cdef size_t bound = encoded_bound(c, nbytes)
    return <int64_t>(bound + bound // 2 + 65536) if bound <= <size_t>INT64_MAX // 2 else INT64_MAX


cdef int64_t encode_bytes(const Spec* c, const uint8_t* src, int64_t nbytes, uint8_t* dst, Scratch* s) noexcept nogil:
    """Encode into `dst`, which has room for `encoded_bound`; return the size or minus a Status."""
    cdef int64_t got
    cdef Items items
    if c.kind == BLOSC_KIND:
        memory_items(&items, src, nbytes)
        return encode_frame(&c.blosc, &items, nbytes, dst, s)
    if c.kind == ZSTD_KIND:
        got = zstd_encode(s, src, nbytes, dst, zstd_bound(nbytes), c.level, c.checksum)
    elif c.kind == LZ4_KIND:
        # numcodecs' LZ4: the decoded size as int32 LE, then one block.
        dst[0], dst[1] = <uint8_t>nbytes, <uint8_t>(nbytes >> 8)
        dst[2], dst[3] = <uint8_t>(nbytes >> 16), <uint8_t>(nbytes >> 24)
        got = lz4_encode(s, src, nbytes, dst + 4, lz4_bound(nbytes), c.level)
        if got > 0:
            got += 4
    elif c.kind == ZLIB_KIND or c.kind == GZIP_KIND:
        got = deflate_encode(src, nbytes, dst, deflate_bound(nbytes), c.level, c.kind == GZIP_KIND)
    else:
        memcpy(dst, src, nbytes)
        return nbytes
    # The destination holds every legal result, so "does not fit" is a fault of ours or of the library.
    return got if got else -CORRUPT


cdef inline int64_t _lz4_size(const uint8_t* src) noexcept nogil:
    return src[0] | <int64_t>src[1] << 8 | <int64_t>src[2] << 16 | <int64_t>src[3] << 24


cdef int decode_bytes(
    const Spec* c, const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes, Scratch* s, Failure* f
) noexcept nogil:
    """Decode the `n` bytes at `src` to exactly `nbytes` at `dst`."""
    if c.kind == BLOSC_KIND:
        return decode_frame(src, n, dst, nbytes, s, f)
    if c.kind == ZSTD_KIND:
        return zstd_decode(s, src, n, dst, nbytes, f)
    if c.kind == LZ4_KIND:
        if n < 4:
            return fail(f, TRUNCATED, n, 4)
        if _lz4_size(src) != nbytes:
            return fail(f, WRONG_SIZE, _lz4_size(src), nbytes)
        return lz4_decode(src + 4, n - 4, dst, nbytes, f)
    if c.kind == ZLIB_KIND or c.kind == GZIP_KIND:
        return deflate_decode(src, n, dst, nbytes, c.kind == GZIP_KIND, f)
    if n != nbytes:
        return fail(f, TRUNCATED if n < nbytes else TRAILING, n, nbytes)
    memcpy(dst, src, nbytes)
    return OK


# ---- boundary

cdef int parse_spec(object spec, Spec* out) except -1:
    """Fill `out` from the tuple that the module's docstring describes."""
    memset(out, 0, sizeof(Spec))
    (out.kind, out.level, out.checksum, out.blosc.stream, out.blosc.shuffle, out.blosc.typesize,
     out.blosc.blocksize) = spec[:7]
    out.crc = spec[7] if len(spec) > 7 else NO_SUM
    out.blosc.clevel = out.level
    if out.kind < 0 or out.kind > GZIP_KIND:
        raise ValueError(f"there is no native codec of kind {out.kind}")
    if out.crc < NO_SUM or out.crc > CRC32_BEFORE:
        raise ValueError(f"there is no native checksum of kind {out.crc}")
    if (out.kind == ZLIB_KIND or out.kind == GZIP_KIND) and not -1 <= out.level <= 9:
        raise ValueError(f"zlib and gzip take levels -1 to 9, not {out.level}")
    if out.kind == BLOSC_KIND and not (
        0 <= out.level <= 9 and 0 <= out.blosc.shuffle <= 2 and out.blosc.blocksize >= 0
    ):
        raise ValueError(f"Blosc takes clevel 0 to 9, shuffle 0 to 2 and a blocksize >= 0, not {spec}")
    return 0


def describe(int status, int64_t found, int64_t expected):
    """Return in words what a Status of a decoder or encoder means."""
    if status == TRUNCATED and expected < 0:
        return f"truncated, or followed by something else: {found} bytes are not a whole number of frames"
    if status == TRUNCATED:
        return f"truncated: {found} bytes are there, {expected} are needed"
    if status == TRAILING:
        return f"{found} bytes are stored where {expected} make a whole chunk"
    if status == WRONG_SIZE:
        if found < 0:
            return f"it decodes to another size than the expected {expected} bytes"
        return f"it decodes to {found} bytes, expected {expected}"
    if status == UNSUPPORTED:
        return f"format {found} is not supported"
    if status == TOO_LARGE:
        return f"{found} bytes are more than the {expected} that are possible"
    if status == NO_MEMORY:
        return "out of memory"
    if status == WRONG_SUM:
        return f"its checksum is {found:#010x}, stored is {expected:#010x}: it is not what was written"
    return f"corrupt: the codec cannot make sense of the {found} stored bytes ({expected} bytes expected)"


def encode(spec, data):
    """Return `data`, any contiguous buffer, encoded.

    Raises
    ------
    ValueError
        The data is larger than the codec can take.
    RuntimeError
        The codec failed.
    """
    cdef Spec c
    cdef Py_buffer v
    cdef Scratch s
    cdef int64_t got
    cdef size_t bound
    parse_spec(spec, &c)
    memset(&s, 0, sizeof(s))
    PyObject_GetBuffer(data, &v, PyBUF_ANY_CONTIGUOUS)
    try:
        limit = _LIMITS.get(c.kind)
        if limit is not None and v.len > limit:
            raise ValueError(f"{v.len} bytes are more than the {limit} that this codec can take at once")
        bound = encoded_bound(&c, v.len)
        with nogil:
            if reserve(&s.encoded, &s.encoded_size, bound) == NULL:
                got = -NO_MEMORY
            else:
                got = encode_bytes(&c, <const uint8_t*>v.buf, v.len, s.encoded, &s)
        if got == -NO_MEMORY:
            raise MemoryError(f"no memory to encode {v.len} bytes")
        if got < 0:
            raise RuntimeError(describe(<int>-got, v.len, bound))
        return PyBytes_FromStringAndSize(<char*>s.encoded, got)
    finally:
        release(&s)
        PyBuffer_Release(&v)


cdef int64_t _decode(Spec* c, Py_buffer* v, uint8_t* dst, int64_t nbytes, bint exact) except -1:
    """Decode and return the number of bytes: `nbytes`, or fewer if not `exact`."""
    cdef Failure f
    cdef Scratch s
    cdef int status
    memset(&s, 0, sizeof(s))
    memset(&f, 0, sizeof(f))
    with nogil:
        status = decode_bytes(c, <const uint8_t*>v.buf, v.len, dst, nbytes, &s, &f)
        release(&s)
    if status == NO_MEMORY:
        raise MemoryError(f"no memory to decode {nbytes} bytes")
    if status == WRONG_SIZE and not exact and c.kind == ZSTD_KIND and 0 <= f.found < nbytes:
        return f.found
    if status != OK:
        raise RuntimeError(describe(status, f.found, f.expected))
    return nbytes


def decode(spec, data, int64_t nbytes, *, bint exact=True):
    """Return `data` decoded to exactly `nbytes` bytes; to at most so many if not `exact` (Zstd only).

    Raises
    ------
    RuntimeError
        The codec cannot decode the data: the message says what is wrong, with sizes.
    """
    cdef Spec c
    cdef Py_buffer v
    parse_spec(spec, &c)
    if nbytes < 0:
        raise ValueError(f"nbytes is {nbytes}, not a size of at least 0")
    PyObject_GetBuffer(data, &v, PyBUF_ANY_CONTIGUOUS)
    try:
        out = PyBytes_FromStringAndSize(NULL, nbytes)
        got = _decode(&c, &v, <uint8_t*>PyBytes_AS_STRING(out), nbytes, exact)
        return out if got == nbytes else out[:got]
    finally:
        PyBuffer_Release(&v)


def decode_into(spec, data, out):
    """Decode `data` to fill the contiguous writable buffer `out` exactly. Raises as `decode` does."""
    cdef Spec c
    cdef Py_buffer v, w
    parse_spec(spec, &c)
    PyObject_GetBuffer(data, &v, PyBUF_ANY_CONTIGUOUS)
    try:
        PyObject_GetBuffer(out, &w, PyBUF_ANY_CONTIGUOUS | PyBUF_WRITABLE)
        try:
            _decode(&c, &v, <uint8_t*>w.buf, w.len, True)
        finally:
            PyBuffer_Release(&w)
    finally:
        PyBuffer_Release(&v)


def limit(spec, int64_t nbytes):
    """Return how many bytes a stored chunk of `nbytes` may have."""
    cdef Spec c
    parse_spec(spec, &c)
    return encoded_limit(&c, nbytes)


def zstd_decoded_bound(data):
    """Return the most bytes that Zstd frames can decode to, -1 if these are none."""
    cdef Py_buffer v
    PyObject_GetBuffer(data, &v, PyBUF_ANY_CONTIGUOUS)
    try:
        return zstd_size_bound(<const uint8_t*>v.buf, v.len)
    finally:
        PyBuffer_Release(&v)


def decoded_size(spec, data):
    """Return what the bytes say of their decoded size, -1 if the format does not tell."""
    cdef Spec c
    cdef Py_buffer v
    cdef const uint8_t* p
    parse_spec(spec, &c)
    PyObject_GetBuffer(data, &v, PyBUF_ANY_CONTIGUOUS)
    try:
        p = <const uint8_t*>v.buf
        if c.kind == RAW_KIND:
            return v.len
        if c.kind == BLOSC_KIND and v.len >= HEADER:
            return _lz4_size(p + 4)
        if c.kind == LZ4_KIND and v.len >= 4:
            return _lz4_size(p)
        if c.kind == ZSTD_KIND:
            return zstd_content_size(p, v.len)
        return -1
    finally:
        PyBuffer_Release(&v)
