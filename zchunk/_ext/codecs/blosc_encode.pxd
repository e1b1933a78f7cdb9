"""Blosc 1 frames as C-Blosc 1.21 would make them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from zchunk._ext.codecs.blosc_decode cimport BloscParams
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.codecs.items cimport Items

cdef enum:
    # Modes of `encode_block`
    WRITTEN = 0
    RAW_STREAMS = 1
    LAZY = 2

cdef struct Layout:
    # What is known of a frame before its bytes are looked at.
    int64_t nbytes
    int32_t typesize
    int64_t blocksize
    int64_t nblocks
    int flags
    bint split
    bint stored         # not compressed in any case

cdef inline int64_t layout_block(const Layout* layout, int64_t b) noexcept nogil:
    return layout.blocksize if b < layout.nblocks - 1 else layout.nbytes - b * layout.blocksize

cdef inline int layout_streams(const Layout* layout, int64_t b) noexcept nogil:
    return layout.typesize if layout.split and layout_block(layout, b) == layout.blocksize else 1

cdef inline int64_t raw_block(const Layout* layout, int64_t b) noexcept nogil:
    return layout_block(layout, b) + 4 * layout_streams(layout, b)

cdef inline void store_uint32(uint8_t* p, uint32_t v) noexcept nogil:
    p[0] = <uint8_t>v
    p[1] = <uint8_t>(v >> 8)
    p[2] = <uint8_t>(v >> 16)
    p[3] = <uint8_t>(v >> 24)

cdef int frame_layout(const BloscParams* p, int64_t nbytes, Layout* out) noexcept nogil
cdef int64_t encode_block(
    const BloscParams* p, const Layout* layout, int64_t b, Items* items, int mode, uint8_t* dst, int64_t cap, Scratch* s
) noexcept nogil
cdef void encode_header(const Layout* layout, bint raw, int64_t cbytes, uint8_t* dst) noexcept nogil
cdef int64_t encode_blocks(
    const BloscParams* p, const Layout* layout, Items* items, uint8_t* dst, Scratch* s
) noexcept nogil
cdef int64_t encode_frame(
    const BloscParams* p, Items* items, int64_t nbytes, uint8_t* dst, Scratch* s
) noexcept nogil
