"""Blosc 1 frames, compatible with C-Blosc 1.21 both ways.

A frame is a 16-byte header (version, stream version, flags, typesize; nbytes, blocksize, cbytes as uint32 LE),
one int32 LE offset per block, and the blocks. A block is one stream, or `typesize` streams when the frame is
split and the block is a full one; a stream is an int32 LE length and its bytes, which are raw when the length
is that of the decoded bytes. Flags: 1 byte shuffle, 2 the whole frame is raw, 4 bit shuffle, 0x10 not split,
bits 5-7 the compressor. The frame code of C-Blosc2 takes a process-wide lock to write this format, and neither
library decodes single blocks into the caller's memory; hence this module.

Block sizes and the split rule are C-Blosc 1.21's, so that other readers meet the frames they know.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer, PyBuffer_Release

from zchunk._ext.blosc cimport HEADER, MAX_BLOSC, MAX_SPLITS, BloscParams, Frame, Planes, block_nbytes, gather_planes
from zchunk._ext.codecs cimport (
    BLOSCLZ, LZ4, LZ4HC, ZLIB, ZSTD, Scratch, bitshuffle, bitunshuffle, reserve, shuffle, stream_decode,
    stream_encode, unshuffle,
)
from zchunk._ext.status cimport (
    CORRUPT, NO_MEMORY, OK, TOO_LARGE, TRAILING, TRUNCATED, UNSUPPORTED, WRONG_SIZE, Failure, fail,
)

cdef enum:
    VERSION = 2
    BYTE_SHUFFLE = 0x1
    RAW = 0x2
    BIT_SHUFFLE = 0x4
    DELTA = 0x8
    NOT_SPLIT = 0x10
    MIN_BUFFER = 128
    L1 = 32 * 1024
    MAX_BLOCKSIZE = (0x7FFFFFFF - 255 * 4) // 3


cdef inline uint32_t _load(const uint8_t* p) noexcept nogil:
    return p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16 | <uint32_t>p[3] << 24


cdef inline void _store(uint8_t* p, uint32_t v) noexcept nogil:
    p[0] = <uint8_t>v
    p[1] = <uint8_t>(v >> 8)
    p[2] = <uint8_t>(v >> 16)
    p[3] = <uint8_t>(v >> 24)


# ---- decoding

cdef int parse_header(const uint8_t* header, int64_t total, int64_t nbytes, Frame* frame, Failure* f) noexcept nogil:
    """Read the first 16 of `total` bytes of a frame that must decode to `nbytes`; every field is checked."""
    if total < HEADER:
        return fail(f, TRUNCATED, total, HEADER)
    # From here on all sizes fit an int32.
    if nbytes > MAX_BLOSC:
        return fail(f, TOO_LARGE, nbytes, MAX_BLOSC)
    if total > MAX_BLOSC + HEADER:
        return fail(f, TOO_LARGE, total, MAX_BLOSC + HEADER)
    frame.flags = header[2]
    # Blosc 2 sets both shuffle bits to announce its longer header.
    if header[0] != VERSION:
        return fail(f, UNSUPPORTED, header[0], nbytes)
    if frame.flags & DELTA or frame.flags & 5 == 5:
        return fail(f, UNSUPPORTED, frame.flags, nbytes)
    frame.format = frame.flags >> 5
    frame.typesize = header[3]
    frame.nbytes = _load(header + 4)
    frame.blocksize = _load(header + 8)
    frame.cbytes = _load(header + 12)
    if frame.nbytes != nbytes:
        return fail(f, WRONG_SIZE, frame.nbytes, nbytes)
    if frame.cbytes != total:
        return fail(f, TRUNCATED if frame.cbytes > total else TRAILING, total, frame.cbytes)
    if frame.typesize == 0:
        return fail(f, CORRUPT, 0, 1)
    frame.raw = frame.flags & RAW != 0
    frame.nblocks = 0
    if frame.raw:
        frame.table_end = HEADER
        if frame.cbytes != HEADER + nbytes:
            return fail(f, WRONG_SIZE, frame.cbytes - HEADER, nbytes)
        if nbytes == 0:
            return OK
    if frame.blocksize == 0 or frame.blocksize > nbytes:
        # C-Blosc stores blocksize 1 for buffers below the typesize.
        return fail(f, CORRUPT, frame.blocksize, nbytes)
    frame.nblocks = (nbytes + frame.blocksize - 1) // frame.blocksize
    if frame.raw:
        return OK
    frame.table_end = HEADER + 4 * frame.nblocks
    if frame.table_end > total:
        return fail(f, TRUNCATED, total, frame.table_end)
    # Before the flag existed C-Blosc split by this rule alone.
    frame.split = (not frame.flags & NOT_SPLIT and frame.typesize <= MAX_SPLITS
                   and frame.blocksize // frame.typesize >= MIN_BUFFER)
    return OK


cdef int64_t block_start(const Frame* frame, const uint8_t* table, int64_t b) noexcept nogil:
    """Return where block `b` begins in the frame, -1 if the table says nonsense. `table` follows the header."""
    cdef int64_t start
    if frame.raw:
        return HEADER + b * frame.blocksize
    start = _load(table + 4 * b)
    if start < frame.table_end or start > frame.cbytes - 4:
        return -1
    return start


cdef int _open_streams(
    const Frame* frame, int64_t b, const uint8_t* src, int64_t avail, uint8_t* target, const uint8_t** at, Scratch* s,
    Failure* f,
) noexcept nogil:
    """Decode the streams of block `b` to `target`, one after the other.

    ``at[i]`` is where stream i is then: there, or in `src` if it is stored raw.
    """
    cdef int64_t nbytes = block_nbytes(frame, b), length, plane
    cdef int nstreams = 1, i
    if frame.split and nbytes == frame.blocksize:
        nstreams = frame.typesize
    plane = nbytes // nstreams
    if plane * nstreams != nbytes:
        # A split block holds whole items: C-Blosc makes the block size a multiple of the typesize.
        return fail(f, CORRUPT, plane * nstreams, nbytes)
    for i in range(nstreams):
        if avail < 4:
            return fail(f, TRUNCATED, avail, 4)
        length = _load(src)
        src += 4
        avail -= 4
        if length > avail:
            return fail(f, TRUNCATED, avail, length)
        if length > plane:
            # C-Blosc stores such a stream raw.
            return fail(f, CORRUPT, length, plane)
        if length == plane:
            at[i] = src
        else:
            at[i] = target + i * plane
            if stream_decode(s, frame.format, src, length, target + i * plane, plane, f) != OK:
                return f.status
        src += length
        avail -= length
    if nstreams == 1 and frame.flags & BYTE_SHUFFLE:
        # One stream holds all planes.
        plane = nbytes // frame.typesize
        for i in range(1, frame.typesize if frame.typesize <= MAX_SPLITS else 1):
            at[i] = at[0] + i * plane
    return OK


cdef bint is_planar(const Frame* frame, int64_t itemsize) noexcept nogil:
    """Whether every block is byte planes of whole items of `itemsize`, so that `open_planes` can serve."""
    return (
        not frame.raw and frame.flags & BYTE_SHUFFLE and 2 <= frame.typesize <= MAX_SPLITS
        and frame.typesize == itemsize and frame.blocksize % itemsize == 0 and frame.nbytes % itemsize == 0
    )


cdef int open_planes(
    const Frame* frame, int64_t b, const uint8_t* src, int64_t avail, Planes* planes, Scratch* s, Failure* f
) noexcept nogil:
    """Decode block `b` of a planar frame as far as its byte planes, for `gather_planes` to take items from.

    They lie in `src` and in `s.planes`.
    """
    cdef uint8_t* target = reserve(&s.planes, &s.planes_size, frame.blocksize)
    if target == NULL:
        return fail(f, NO_MEMORY, frame.blocksize, 0)
    return _open_streams(frame, b, src, avail, target, planes.at, s, f)


cdef int decode_block(
    const Frame* frame, int64_t b, const uint8_t* src, int64_t avail, uint8_t* dst, Scratch* s, Failure* f
) noexcept nogil:
    """Decode block `b`, whose stored bytes are the first of the `avail` at `src`, to `dst`."""
    cdef int64_t nbytes = block_nbytes(frame, b), plane
    cdef int32_t typesize = frame.typesize
    cdef Planes planes
    cdef int i
    cdef bint bytewise = frame.flags & BYTE_SHUFFLE and typesize > 1
    cdef bint bitwise = frame.flags & BIT_SHUFFLE and nbytes >= typesize
    cdef uint8_t* target = dst
    if frame.raw:
        if avail < nbytes:
            return fail(f, TRUNCATED, avail, nbytes)
        memcpy(dst, src, nbytes)
        return OK
    if is_planar(frame, typesize):
        if open_planes(frame, b, src, avail, &planes, s, f) != OK:
            return f.status
        gather_planes(planes.at, typesize, 0, 1, nbytes // typesize, <char*>dst, typesize, False)
        return OK
    if bytewise or bitwise:
        target = reserve(&s.planes, &s.planes_size, frame.blocksize)
        if target == NULL:
            return fail(f, NO_MEMORY, frame.blocksize, 0)
    if _open_streams(frame, b, src, avail, target, planes.at, s, f) != OK:
        return f.status
    plane = nbytes
    if frame.split and nbytes == frame.blocksize:
        plane = nbytes // typesize
    for i in range(<int>(nbytes // plane)):
        if planes.at[i] != target + i * plane:
            memcpy(target + i * plane, planes.at[i], plane)
    if bytewise:
        unshuffle(typesize, <int32_t>nbytes, target, dst)
    elif bitwise and bitunshuffle(typesize, <int32_t>nbytes, target, dst) != OK:
        return fail(f, NO_MEMORY, nbytes, 0)
    return OK


cdef int decode_frame(
    const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes, Scratch* s, Failure* f
) noexcept nogil:
    """Decode the frame of `n` bytes at `src` to exactly `nbytes` at `dst`."""
    cdef Frame frame
    cdef int64_t b, start
    if parse_header(src, n, nbytes, &frame, f) != OK:
        return f.status
    if frame.raw:
        memcpy(dst, src + HEADER, nbytes)
        return OK
    for b in range(frame.nblocks):
        start = block_start(&frame, src + HEADER, b)
        if start < 0:
            return fail(f, CORRUPT, n, nbytes)
        if decode_block(&frame, b, src + start, n - start, dst + b * frame.blocksize, s, f) != OK:
            return f.status
    return OK


# ---- encoding

cdef inline bint _splits(int stream, int32_t typesize, int64_t blocksize) noexcept nogil:
    return stream != ZSTD and typesize <= MAX_SPLITS and blocksize // typesize >= MIN_BUFFER


cdef int64_t _blocksize(const BloscParams* p, int32_t typesize, int64_t nbytes) noexcept nogil:
    """Return the block size that C-Blosc 1.21 takes."""
    cdef int64_t size = nbytes
    cdef bint slow = p.stream == LZ4HC or p.stream == ZLIB or p.stream == ZSTD
    if nbytes < typesize:
        return 1
    if p.blocksize:
        size = p.blocksize
        if size < MIN_BUFFER:
            size = MIN_BUFFER
        if size > MAX_BLOCKSIZE:
            size = MAX_BLOCKSIZE
    elif nbytes >= L1:
        size = L1 * 2 if slow else L1
        if p.clevel == 0:
            size //= 4
        elif p.clevel == 1:
            size //= 2
        elif p.clevel == 3:
            size *= 2
        elif p.clevel in (4, 5):
            size *= 4
        elif p.clevel >= 6:
            size *= 16 if slow and p.clevel == 9 else 8
    if p.clevel > 0 and _splits(p.stream, typesize, size):
        if size > 1 << 18:
            size = 1 << 18
        size *= typesize
        if size < 1 << 16:
            size = 1 << 16
        if size > 1 << 20:
            size = 1 << 20
    if size > nbytes:
        size = nbytes
    if size > typesize:
        size = size // typesize * typesize
    return size


cdef int64_t _encode_block(
    const BloscParams* p, int32_t typesize, int nstreams, const uint8_t* src, int64_t nbytes, int64_t blocksize,
    uint8_t* dst, int64_t cap, Scratch* s,
) noexcept nogil:
    """Write one block; return its size, 0 if it does not fit `cap`, or minus a Status."""
    cdef int64_t plane = nbytes // nstreams, used = 0, room, got
    cdef const uint8_t* source = src
    cdef int i
    if (p.shuffle == 1 and typesize > 1) or (p.shuffle == 2 and nbytes >= typesize):
        if reserve(&s.planes, &s.planes_size, blocksize) == NULL:
            return -NO_MEMORY
        source = s.planes
        if p.shuffle == 1:
            shuffle(typesize, <int32_t>nbytes, src, s.planes)
        elif bitshuffle(typesize, <int32_t>nbytes, src, s.planes) != OK:
            return -NO_MEMORY
    for i in range(nstreams):
        room = cap - used - 4
        if room > plane:
            room = plane
        if room <= 0:
            return 0
        got = stream_encode(s, p.stream, p.clevel, source + i * plane, plane, dst + used + 4, room)
        if got < 0:
            return got
        if got == 0 or got >= plane:
            if cap - used - 4 < plane:
                return 0
            memcpy(dst + used + 4, source + i * plane, plane)
            got = plane
        _store(dst + used, <uint32_t>got)
        used += 4 + got
    return used


cdef int64_t encode_frame(
    const BloscParams* p, const uint8_t* src, int64_t nbytes, uint8_t* dst, Scratch* s
) noexcept nogil:
    """Write the frame of `nbytes` at `src` to `dst`, which has room for ``nbytes + 16``.

    Returns the frame's size, or minus a Status.
    """
    cdef int32_t typesize = p.typesize if 1 <= p.typesize <= 255 else 1
    cdef int64_t blocksize, nblocks, b, size, used, got, cap = nbytes + HEADER
    cdef int format, flags, nstreams
    cdef bint split
    if nbytes > MAX_BLOSC:
        return -TOO_LARGE
    if p.stream == BLOSCLZ:
        format = 0
    elif p.stream == LZ4 or p.stream == LZ4HC:
        format = 1
    elif p.stream == ZLIB:
        format = 3
    elif p.stream == ZSTD:
        format = 4
    else:
        return -UNSUPPORTED
    blocksize = _blocksize(p, typesize, nbytes)
    split = _splits(p.stream, typesize, blocksize)
    flags = format << 5
    if p.shuffle == 1:
        flags |= BYTE_SHUFFLE
    elif p.shuffle == 2:
        flags |= BIT_SHUFFLE
    if not split:
        flags |= NOT_SPLIT
    nblocks = (nbytes + blocksize - 1) // blocksize
    used = 0
    if p.clevel and nbytes >= MIN_BUFFER:
        used = HEADER + 4 * nblocks
        for b in range(nblocks):
            size = blocksize if b < nblocks - 1 else nbytes - b * blocksize
            nstreams = typesize if split and size == blocksize else 1
            _store(dst + HEADER + 4 * b, <uint32_t>used)
            got = _encode_block(p, typesize, nstreams, src + b * blocksize, size, blocksize, dst + used, cap - used, s)
            if got < 0:
                return got
            if got == 0:
                used = 0
                break
            used += got
    if used == 0:
        flags |= RAW
        memcpy(dst + HEADER, src, nbytes)
        used = HEADER + nbytes
    dst[0] = VERSION
    dst[1] = 1
    dst[2] = <uint8_t>flags
    dst[3] = <uint8_t>typesize
    _store(dst + 4, <uint32_t>nbytes)
    _store(dst + 8, <uint32_t>blocksize)
    _store(dst + 12, <uint32_t>used)
    return used


# ---- boundary

def frame_info(frame):
    """Return what the header of a Blosc frame says, as a dict.

    Raises
    ------
    ValueError
        Fewer than 16 bytes, or another version of the format.
    """
    cdef Py_buffer v
    cdef const uint8_t* p
    PyObject_GetBuffer(frame, &v, PyBUF_SIMPLE)
    try:
        if v.len < HEADER:
            raise ValueError(f"a Blosc frame has at least {HEADER} bytes, not {v.len}")
        p = <const uint8_t*>v.buf
        if p[0] != VERSION:
            raise ValueError(f"Blosc frame of version {p[0]}, not {VERSION}")
        return {
            "flags": p[2], "typesize": p[3], "nbytes": _load(p + 4), "blocksize": _load(p + 8),
            "cbytes": _load(p + 12),
        }
    finally:
        PyBuffer_Release(&v)
