"""Blosc 1 frames as C-Blosc 1.21 would make them."""

from libc.stdint cimport int64_t, uint8_t

from zchunk._ext.blosc cimport BloscParams
from zchunk._ext.codecs cimport Scratch

cdef int64_t encode_frame(
    const BloscParams* p, const uint8_t* src, int64_t nbytes, uint8_t* dst, Scratch* s
) noexcept nogil
