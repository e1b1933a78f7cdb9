"""Where one chunk meets a selection: a strided block in two memories, the caller's and the chunk's.

Its axes are in the order of the chunk's memory and merged where both are contiguous. A `Cursor` walks its
rows, the runs along the last merged axis.
"""

from zchunk._ext.region cimport Region


cdef bint cut(Region* r, int64_t part, int64_t parts) noexcept nogil:
    """Leave of a region one of `parts` parts of about the same size; return whether there is anything in it."""
    cdef int64_t start, stop
    if r.block.ndim == 0:
        return part == 0
    start = r.block.shape[0] * part // parts
    stop = r.block.shape[0] * (part + 1) // parts
    r.user += start * r.block.dst[0]
    r.offset += start * r.block.src[0]
    r.block.shape[0] = stop - start
    return stop > start


cdef bint one_run(const Region* r, size_t itemsize) noexcept nogil:
    """Whether the region is contiguous both in the chunk and in the user's memory."""
    if r.block.ndim == 0:
        return True
    return (r.block.ndim == 1 and r.block.dst[0] == <int64_t>itemsize and r.block.src[0] == <int64_t>itemsize)


cdef int64_t region_items(const Block* b) noexcept nogil:
    cdef int64_t n = 1
    cdef int i
    for i in range(b.ndim):
        n *= b.shape[i]
    return n


cdef int64_t region_span(const Block* b, size_t itemsize) noexcept nogil:
    """Bytes from the region's first item in the chunk to the end of its last."""
    cdef int64_t n = itemsize
    cdef int i
    for i in range(b.ndim):
        n += (b.shape[i] - 1) * b.src[i]
    return n
