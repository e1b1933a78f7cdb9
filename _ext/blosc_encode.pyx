"""Blosc 1 frames as C-Blosc 1.21 would make them: its block sizes and its rule for splitting blocks, so that
other readers meet the frames they know. `blosc` says what a frame is.
"""

from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memcpy

from zchunk._ext.blosc cimport (
    BIT_SHUFFLE, BYTE_SHUFFLE, HEADER, MAX_BLOSC, MAX_SPLITS, MIN_BUFFER, NOT_SPLIT, RAW, VERSION, BloscParams,
)
from zchunk._ext.codecs cimport (
    BLOSCLZ, LZ4, LZ4HC, ZLIB, ZSTD, Scratch, bitshuffle, reserve, shuffle, stream_encode,
)
from zchunk._ext.status cimport NO_MEMORY, OK, TOO_LARGE, UNSUPPORTED

cdef enum:
    L1 = 32 * 1024
    MAX_BLOCKSIZE = (0x7FFFFFFF - 255 * 4) // 3


cdef inline void _store(uint8_t* p, uint32_t v) noexcept nogil:
    p[0] = <uint8_t>v
    p[1] = <uint8_t>(v >> 8)
    p[2] = <uint8_t>(v >> 16)
    p[3] = <uint8_t>(v >> 24)


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
