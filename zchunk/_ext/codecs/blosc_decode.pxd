"""Blosc 1 frames: what they are, and how they are decoded, whole or in part."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.io.source cimport Source
from zchunk._ext.memory.status cimport Failure

cdef enum:
    VERSION = 2
    HEADER = 16
    # Flags
    BYTE_SHUFFLE = 0x1
    RAW = 0x2
    BIT_SHUFFLE = 0x4
    NOT_SPLIT = 0x10
    # What C-Blosc takes: its sizes are int32, and the header must fit too.
    MAX_BLOSC = 0x7FFFFFFF - 16
    # C-Blosc splits blocks into at most so many streams, and smaller ones not at all.
    MAX_SPLITS = 16
    MIN_BUFFER = 128

cdef struct BloscParams:
    int stream      # codecs.Stream
    int clevel      # 0 to 9
    int shuffle     # 0 none, 1 byte, 2 bit
    int32_t typesize
    int32_t blocksize   # 0: C-Blosc's choice

cdef struct Frame:
    int flags
    int format
    int32_t typesize
    int64_t nbytes
    int64_t cbytes
    int64_t blocksize
    int64_t nblocks
    int64_t table_end   # where block table and header end
    bint raw
    bint split
    const uint8_t* table
    const Source* source

cdef struct Planes:
    # Where the byte planes of a block are: byte b of item i is at[b][i].
    const uint8_t* at[16]

cdef extern from "codecs/planes.h" nogil:
    # `rows` rows of `n` items, the first from item `first` on; items `step` apart go to `dst`, `gap` bytes apart,
    # rows `skip` items apart `stride` bytes apart; with `stream` past the caches.
    void gather_planes "zc_planes_gather"(
        const uint8_t** at, int typesize, int64_t first, int64_t step, int64_t n, char* dst, int64_t gap, int64_t rows,
        int64_t skip, int64_t stride, int stream
    )

cdef inline uint32_t load_uint32(const uint8_t* p) noexcept nogil:
    return p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16 | <uint32_t>p[3] << 24

cdef inline int64_t block_nbytes(const Frame* frame, int64_t b) noexcept nogil:
    return frame.blocksize if b < frame.nblocks - 1 else frame.nbytes - b * frame.blocksize

cdef inline int64_t frame_nbytes(const uint8_t* data, int64_t n) noexcept nogil:
    """Size of the frame that begins with the `n` bytes at `data`, as it says itself; 0 if it does not."""
    return load_uint32(data + 12) if n >= HEADER else 0

cdef int open_frame(Source* source, int64_t nbytes, Frame* frame, Scratch* s, Failure* f) noexcept nogil
cdef bint is_planar(const Frame* frame, int64_t itemsize) noexcept nogil
cdef int open_planes(
    const Frame* frame, int64_t b, int64_t first, int64_t last, Planes* planes, Scratch* s, Failure* f
) noexcept nogil
cdef int decode_block(const Frame* frame, int64_t b, uint8_t* dst, Scratch* s, Failure* f) noexcept nogil
cdef int decode_frame(
    const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes, Scratch* s, Failure* f
) noexcept nogil
