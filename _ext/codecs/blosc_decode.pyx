"""Blosc 1 frames, compatible with C-Blosc 1.21: what they are, and how they are decoded, whole or in part.

A frame is a 16-byte header (version, stream version, flags, typesize; nbytes, blocksize, cbytes as uint32 LE),
one int32 LE offset per block, and the blocks. A block is one stream, or `typesize` streams when the frame is
split and the block is a full one; a stream is an int32 LE length and its bytes, which are raw when the length
is that of the decoded bytes. Flags: 1 byte shuffle, 2 the whole frame is raw, 4 bit shuffle, 0x10 not split,
bits 5-7 the compressor. The frame code of C-Blosc2 takes a process-wide lock to write this format, and neither
library decodes single blocks into the caller's memory; hence this module, and `blosc_encode`.
"""

from libc.string cimport memcpy
from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer, PyBuffer_Release

from zchunk._ext.codecs.blosc_decode cimport (
    BIT_SHUFFLE, BYTE_SHUFFLE, HEADER, MAX_BLOSC, MAX_SPLITS, MIN_BUFFER, NOT_SPLIT, RAW, VERSION, Frame, Planes,
    block_nbytes, gather_planes, load_uint32,
)
from zchunk._ext.codecs.libraries cimport bitunshuffle, stream_decode, stream_decode_head, unshuffle
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.io.source cimport Source, fetch
from zchunk._ext.memory.status cimport (
    CORRUPT, NO_MEMORY, OK, TOO_LARGE, TRAILING, TRUNCATED, UNSUPPORTED, WRONG_SIZE, Failure, fail,
)

cdef enum:
    DELTA = 0x8
    # First read of a frame in a file: header and, as a rule, the whole block table.
    HEAD = 4096
    # Reading a plane by itself takes two more calls; they cost about as much as so many bytes.
    READ_COST = 4096


# ---- header

cdef int _parse_header(const uint8_t* header, int64_t total, int64_t nbytes, Frame* frame, Failure* f) noexcept nogil:
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
    frame.nbytes = load_uint32(header + 4)
    frame.blocksize = load_uint32(header + 8)
    frame.cbytes = load_uint32(header + 12)
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


cdef int open_frame(Source* source, int64_t nbytes, Frame* frame, Scratch* s, Failure* f) noexcept nogil:
    """Read header and block table of a frame that must decode to `nbytes`. They lie in `s.encoded` from then on."""
    cdef const uint8_t* header
    cdef int64_t head = min(source.size, <int64_t>HEAD)
    if source.size < HEADER:
        return fail(f, TRUNCATED, source.size, HEADER)
    if source.data == NULL and reserve(&s.encoded, &s.encoded_size, HEAD) == NULL:
        return fail(f, NO_MEMORY, HEAD, 0)
    if (fetch(source, 0, head, s.encoded, &header, f) != OK
            or _parse_header(header, source.size, nbytes, frame, f) != OK):
        return f.status
    if source.data == NULL and frame.table_end > head:
        # It grows by what a valid header says: four bytes for each block of the chunk.
        if reserve(&s.encoded, &s.encoded_size, frame.table_end) == NULL:
            return fail(f, NO_MEMORY, frame.table_end, 0)
        if fetch(source, 0, frame.table_end, s.encoded, &header, f) != OK:
            return f.status
    frame.table = header + HEADER
    frame.source = source
    return OK


# ---- blocks and their streams

cdef int64_t _block_start(const Frame* frame, int64_t b) noexcept nogil:
    """Return where block `b` begins in the frame, -1 if the table says nonsense."""
    cdef int64_t start
    if frame.raw:
        return HEADER + b * frame.blocksize
    start = load_uint32(frame.table + 4 * b)
    if start < frame.table_end or start > frame.cbytes - 4:
        return -1
    return start


cdef int _fetch_block(
    const Frame* frame, int64_t b, const uint8_t** stored, int64_t* n, Scratch* s, Failure* f
) noexcept nogil:
    """Give the stored bytes of block `b`; `n` is how many there are at most."""
    cdef int64_t start = _block_start(frame, b), following
    if start < 0:
        return fail(f, CORRUPT, frame.cbytes, frame.nbytes)
    n[0] = frame.cbytes - start
    if frame.source.data == NULL:
        # No stream is longer than what it decodes to, whatever the table says.
        n[0] = min(n[0], block_nbytes(frame, b) + 4 * MAX_SPLITS)
        following = _block_start(frame, b + 1) if b + 1 < frame.nblocks else frame.cbytes
        if following > start:
            # Blocks may be stored in any order; the next one begins after the end of this in any case.
            n[0] = min(n[0], following - start)
        if reserve(&s.stored, &s.stored_size, n[0]) == NULL:
            return fail(f, NO_MEMORY, n[0], 0)
    return fetch(frame.source, start, n[0], s.stored, stored, f)


cdef int _decode_stream(
    const Frame* frame, const uint8_t* src, int64_t length, uint8_t* dst, int64_t plane, int64_t wanted, Scratch* s,
    Failure* f,
) noexcept nogil:
    """Decode a stream of `plane` bytes at least as far as `wanted`.

    A stream that is much shorter than its plane has long matches, and one that reaches beyond the end makes
    stopping there slow: LZ4 copies it byte by byte, 215 µs for 128 KiB that otherwise take 8.
    """
    if wanted < plane - plane // 8 and length > plane // 16:
        return stream_decode_head(s, frame.format, src, length, dst, plane, wanted, f)
    return stream_decode(s, frame.format, src, length, dst, plane, f)


cdef int _open_streams(
    const Frame* frame, int64_t nbytes, int nstreams, const uint8_t* src, int64_t avail, int64_t wanted,
    uint8_t* target, const uint8_t** at, Scratch* s, Failure* f,
) noexcept nogil:
    """Decode the first `wanted` bytes of each stream of a block, to its place in `target`.

    ``at[i]`` is where stream i is then: there, or in `src` if it is stored raw.
    """
    cdef int64_t length, plane = nbytes // nstreams
    cdef int i
    for i in range(nstreams):
        if avail < 4:
            return fail(f, TRUNCATED, avail, 4)
        length = load_uint32(src)
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
            if _decode_stream(frame, src, length, target + i * plane, plane, wanted, s, f) != OK:
                return f.status
        src += length
        avail -= length
    return OK


cdef int _read_streams(
    const Frame* frame, int64_t b, int64_t nbytes, int nstreams, int64_t first, int64_t last, uint8_t* target,
    const uint8_t** at, Scratch* s, Failure* f,
) noexcept nogil:
    """Do what `_open_streams` does, from a file, and read no more of raw streams than bytes `first` to `last`.

    ``at[i]`` is where byte `first` of stream i is.
    """
    cdef int64_t length, plane = nbytes // nstreams, wanted = last - first, start = _block_start(frame, b)
    cdef const uint8_t* got
    cdef uint8_t* pieces = reserve(&s.stored, &s.stored_size, nstreams * wanted + plane)
    cdef uint8_t* encoded = pieces + nstreams * wanted
    cdef int i
    if pieces == NULL:
        return fail(f, NO_MEMORY, nstreams * wanted + plane, 0)
    if start < 0:
        return fail(f, CORRUPT, frame.cbytes, frame.nbytes)
    for i in range(nstreams):
        if fetch(frame.source, start, 4, encoded, &got, f) != OK:
            return f.status
        length = load_uint32(encoded)
        start += 4
        if length > plane:
            return fail(f, CORRUPT, length, plane)
        if length > frame.cbytes - start:
            return fail(f, TRUNCATED, frame.cbytes - start, length)
        if length == plane:
            if fetch(frame.source, start + first, wanted, pieces + i * wanted, at + i, f) != OK:
                return f.status
        else:
            if (fetch(frame.source, start, length, encoded, &got, f) != OK
                    or _decode_stream(frame, encoded, length, target + i * plane, plane, last, s, f) != OK):
                return f.status
            at[i] = target + i * plane + first
        start += length
    return OK


cdef int _streams(const Frame* frame, int64_t nbytes, int* nstreams, Failure* f) noexcept nogil:
    """Give the number of streams of a block of `nbytes`."""
    nstreams[0] = frame.typesize if frame.split and nbytes == frame.blocksize else 1
    if nbytes % nstreams[0]:
        # A split block holds whole items: C-Blosc makes the block size a multiple of the typesize.
        return fail(f, CORRUPT, nbytes // nstreams[0] * nstreams[0], nbytes)
    return OK


# ---- items of shuffled blocks

cdef bint is_planar(const Frame* frame, int64_t itemsize) noexcept nogil:
    """Whether every block is byte planes of whole items of `itemsize`, so that `open_planes` can serve."""
    return (
        not frame.raw and frame.flags & BYTE_SHUFFLE and 2 <= frame.typesize <= MAX_SPLITS
        and frame.typesize == itemsize and frame.blocksize % itemsize == 0 and frame.nbytes % itemsize == 0
    )


cdef int open_planes(
    const Frame* frame, int64_t b, int64_t first, int64_t last, Planes* planes, Scratch* s, Failure* f
) noexcept nogil:
    """Make items `first` to `last` of block `b` of a planar frame ready for `gather_planes`.

    The planes are decoded no further than that. They lie in the source's memory, `s.stored` and `s.planes`;
    ``planes.at[i]`` is byte i of item `first`.
    """
    cdef int64_t nbytes = block_nbytes(frame, b), plane = nbytes // frame.typesize, avail
    cdef uint8_t* target = reserve(&s.planes, &s.planes_size, frame.blocksize)
    cdef const uint8_t* stored
    cdef int nstreams, i
    if target == NULL:
        return fail(f, NO_MEMORY, frame.blocksize, 0)
    if _streams(frame, nbytes, &nstreams, f) != OK:
        return f.status
    if nstreams > 1 and frame.source.data == NULL and (last - first + 2 * READ_COST) * 2 < plane:
        return _read_streams(frame, b, nbytes, nstreams, first, last, target, planes.at, s, f)
    if _fetch_block(frame, b, &stored, &avail, s, f) != OK:
        return f.status
    if _open_streams(frame, nbytes, nstreams, stored, avail, last if nstreams > 1 else nbytes, target, planes.at,
                     s, f) != OK:
        return f.status
    if nstreams == 1:
        # One stream holds all planes.
        for i in range(frame.typesize - 1, -1, -1):
            planes.at[i] = planes.at[0] + i * plane
    for i in range(frame.typesize):
        planes.at[i] += first
    return OK


# ---- whole blocks

cdef int decode_block(const Frame* frame, int64_t b, uint8_t* dst, Scratch* s, Failure* f) noexcept nogil:
    """Decode block `b` to `dst`."""
    cdef int64_t nbytes = block_nbytes(frame, b), plane, avail
    cdef int32_t typesize = frame.typesize
    cdef const uint8_t* at[16]
    cdef const uint8_t* stored
    cdef Planes planes
    cdef int nstreams, i
    cdef bint bytewise = frame.flags & BYTE_SHUFFLE and typesize > 1
    cdef bint bitwise = frame.flags & BIT_SHUFFLE and nbytes >= typesize
    cdef uint8_t* target = dst
    if is_planar(frame, typesize):
        if open_planes(frame, b, 0, nbytes // typesize, &planes, s, f) != OK:
            return f.status
        gather_planes(planes.at, typesize, 0, 1, nbytes // typesize, <char*>dst, typesize, 1, 0, 0, False)
        return OK
    if _fetch_block(frame, b, &stored, &avail, s, f) != OK:
        return f.status
    if frame.raw:
        if avail < nbytes:
            return fail(f, TRUNCATED, avail, nbytes)
        memcpy(dst, stored, nbytes)
        return OK
    if bytewise or bitwise:
        target = reserve(&s.planes, &s.planes_size, frame.blocksize)
        if target == NULL:
            return fail(f, NO_MEMORY, frame.blocksize, 0)
    if (_streams(frame, nbytes, &nstreams, f) != OK
            or _open_streams(frame, nbytes, nstreams, stored, avail, nbytes, target, at, s, f) != OK):
        return f.status
    plane = nbytes // nstreams
    for i in range(nstreams):
        if at[i] != target + i * plane:
            memcpy(target + i * plane, at[i], plane)
    if bytewise:
        unshuffle(typesize, <int32_t>nbytes, target, dst)
    elif bitwise and bitunshuffle(typesize, <int32_t>nbytes, target, dst) != OK:
        return fail(f, NO_MEMORY, nbytes, 0)
    return OK


cdef int decode_frame(
    const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes, Scratch* s, Failure* f
) noexcept nogil:
    """Decode the frame of `n` bytes at `src` to exactly `nbytes` at `dst`."""
    cdef Source source
    cdef Frame frame
    cdef int64_t b
    source.data, source.size, source.fd, source.base = src, n, -1, 0
    if open_frame(&source, nbytes, &frame, s, f) != OK:
        return f.status
    for b in range(frame.nblocks):
        if decode_block(&frame, b, dst + b * frame.blocksize, s, f) != OK:
            return f.status
    return OK


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
            "flags": p[2], "typesize": p[3], "nbytes": load_uint32(p + 4), "blocksize": load_uint32(p + 8),
            "cbytes": load_uint32(p + 12),
        }
    finally:
        PyBuffer_Release(&v)
