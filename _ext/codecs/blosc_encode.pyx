"""Blosc 1 frames as C-Blosc 1.21 would make them: its block sizes and its rule for splitting blocks, so that
other readers get the frames they know. `blosc_decode` says what a frame is.
"""

from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memcpy

from zchunk._ext.codecs.blosc_decode cimport (
    BIT_SHUFFLE, BYTE_SHUFFLE, HEADER, MAX_BLOSC, MAX_SPLITS, MIN_BUFFER, NOT_SPLIT, RAW, VERSION, BloscParams,
)
from zchunk._ext.codecs.blosc_encode cimport (
    LAZY, RAW_STREAMS, WRITTEN, Layout, layout_block, layout_streams, raw_block, store_uint32,
)
from zchunk._ext.codecs.libraries cimport BLOSCLZ, LZ4, LZ4HC, ZLIB, ZSTD, bitshuffle, shuffle, stream_encode
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.codecs.items cimport TILE, Items, take, take_planes
from zchunk._ext.memory.status cimport NO_MEMORY, OK, TOO_LARGE, UNSUPPORTED

cdef enum:
    L1 = 32 * 1024
    MAX_BLOCKSIZE = (0x7FFFFFFF - 255 * 4) // 3


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


cdef int frame_layout(const BloscParams* p, int64_t nbytes, Layout* out) noexcept nogil:
    """Fill `out` for a frame of `nbytes`; return a Status."""
    cdef int format
    if nbytes > MAX_BLOSC:
        return TOO_LARGE
    if p.stream == BLOSCLZ:
        format = 0
    elif p.stream == LZ4 or p.stream == LZ4HC:
        format = 1
    elif p.stream == ZLIB:
        format = 3
    elif p.stream == ZSTD:
        format = 4
    else:
        return UNSUPPORTED
    out.nbytes = nbytes
    out.typesize = p.typesize if 1 <= p.typesize <= 255 else 1
    out.blocksize = _blocksize(p, out.typesize, nbytes)
    out.nblocks = (nbytes + out.blocksize - 1) // out.blocksize
    out.split = _splits(p.stream, out.typesize, out.blocksize)
    out.stored = p.clevel == 0 or nbytes < MIN_BUFFER
    out.flags = format << 5
    if p.shuffle == 1:
        out.flags |= BYTE_SHUFFLE
    elif p.shuffle == 2:
        out.flags |= BIT_SHUFFLE
    if not out.split:
        out.flags |= NOT_SPLIT
    return OK


cdef const uint8_t* _take_shuffled(
    const BloscParams* p, const Layout* layout, int64_t nbytes, Items* items, Scratch* s
) noexcept nogil:
    """Return the next `nbytes` of a chunk, shuffled as the frame wants them; NULL: no memory."""
    cdef int32_t typesize = layout.typesize
    cdef bint bytewise = p.shuffle == 1 and typesize > 1, bitwise = p.shuffle == 2 and nbytes >= typesize
    cdef const uint8_t* source
    if (bytewise or bitwise) and reserve(&s.planes, &s.planes_size, layout.blocksize) == NULL:
        return NULL
    if reserve(&s.block, &s.block_size, max(layout.blocksize, 2 * TILE)) == NULL:
        return NULL
    if bytewise and items.itemsize == typesize:
        take_planes(items, nbytes // typesize, s.planes, s.block)
        return s.planes
    source = take(items, nbytes, s.block)
    if bytewise:
        shuffle(typesize, <int32_t>nbytes, source, s.planes)
        return s.planes
    if bitwise:
        return s.planes if bitshuffle(typesize, <int32_t>nbytes, source, s.planes) == OK else NULL
    return source


cdef int64_t encode_block(
    const BloscParams* p, const Layout* layout, int64_t b, Items* items, int mode, uint8_t* dst, int64_t cap, Scratch* s
) noexcept nogil:
    """Write block `b`, whose items come next; return its size, 0 if it does not fit `cap`, or minus a Status.

    If the mode is RAW_STREAMS no stream is compressed. If it is LAZY, a block of which no stream compresses is
    not written: only its size, `raw_block`, is returned.
    """
    cdef int64_t nbytes = layout_block(layout, b), plane, used = 0, room, got
    cdef int nstreams = layout_streams(layout, b), i, j
    cdef const uint8_t* source = _take_shuffled(p, layout, nbytes, items, s)
    cdef bint owing = mode == LAZY
    if source == NULL:
        return -NO_MEMORY
    plane = nbytes // nstreams
    for i in range(nstreams):
        room = cap - used - 4
        if room > plane:
            room = plane
        if room <= 0:
            return 0
        got = 0
        if mode != RAW_STREAMS:
            got = stream_encode(s, p.stream, p.clevel, source + i * plane, plane, dst + used + 4, room)
        if got < 0:
            return got
        if got == 0 or got >= plane:
            if cap - used - 4 < plane:
                return 0
            if not owing:
                _put_raw(dst + used, source + i * plane, plane)
            used += 4 + plane
            continue
        if owing:
            owing = False
            for j in range(i):
                _put_raw(dst + j * (4 + plane), source + j * plane, plane)
        store_uint32(dst + used, <uint32_t>got)
        used += 4 + got
    return used


cdef inline void _put_raw(uint8_t* dst, const uint8_t* source, int64_t plane) noexcept nogil:
    store_uint32(dst, <uint32_t>plane)
    memcpy(dst + 4, source, plane)


cdef void encode_header(const Layout* layout, bint raw, int64_t cbytes, uint8_t* dst) noexcept nogil:
    dst[0] = VERSION
    dst[1] = 1
    dst[2] = <uint8_t>(layout.flags | RAW if raw else layout.flags)
    dst[3] = <uint8_t>layout.typesize
    store_uint32(dst + 4, <uint32_t>layout.nbytes)
    store_uint32(dst + 8, <uint32_t>layout.blocksize)
    store_uint32(dst + 12, <uint32_t>cbytes)


cdef int64_t encode_blocks(
    const BloscParams* p, const Layout* layout, Items* items, uint8_t* dst, Scratch* s
) noexcept nogil:
    """Write the frame of the next items to `dst`, which has room for ``layout.nbytes + 16``.

    Returns the frame's size, 0 if the frame is to hold the bytes as they are, or minus a Status.
    """
    cdef int64_t b, got, end, used = HEADER + 4 * layout.nblocks, cap = layout.nbytes + HEADER
    # Blocks before the first that compresses: they are not written yet.
    cdef int64_t owed = 0
    cdef int mode = LAZY
    cdef Items start = items[0]
    if layout.stored:
        return 0
    for b in range(layout.nblocks):
        store_uint32(dst + HEADER + 4 * b, <uint32_t>used)
        got = encode_block(p, layout, b, items, mode, dst + used, cap - used, s)
        if got <= 0:
            return got
        used += got
        if mode == LAZY and got == raw_block(layout, b):
            owed += 1
        else:
            mode = WRITTEN
    if mode == LAZY:
        return 0
    end, used = used, HEADER + 4 * layout.nblocks
    for b in range(owed):
        got = encode_block(p, layout, b, &start, RAW_STREAMS, dst + used, cap - used, s)
        # Shuffling bits takes memory, also where the block was shuffled before.
        if got <= 0:
            return got
        used += got
    encode_header(layout, False, end, dst)
    return end


cdef int64_t encode_frame(
    const BloscParams* p, Items* items, int64_t nbytes, uint8_t* dst, Scratch* s
) noexcept nogil:
    """Write the frame of the next `nbytes` of `items` to `dst`, which has room for ``nbytes + 16``.

    Blocks must hold whole items. Returns the frame's size, or minus a Status.
    """
    cdef Layout layout
    cdef Items start = items[0]
    cdef const uint8_t* source
    cdef int64_t got
    cdef int status = frame_layout(p, nbytes, &layout)
    if status != OK:
        return -status
    got = encode_blocks(p, &layout, items, dst, s)
    if got:
        return got
    source = take(&start, nbytes, dst + HEADER)
    if source != dst + HEADER:
        memcpy(dst + HEADER, source, nbytes)
    encode_header(&layout, True, HEADER + nbytes, dst)
    return HEADER + nbytes
