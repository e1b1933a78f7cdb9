"""Where one chunk meets a selection: a strided block in two memories, and its rows."""

from libc.stdint cimport int64_t

from zchunk._ext.copy cimport MAX_NDIM, Block

cdef enum:
    # 64 numbers of 20 digits, and a path before them
    MAX_KEY = 1856

cdef struct Region:
    # Where one chunk meets the selection: `block` has the user's strides in dst and the chunk's in src,
    # axes in the chunk's memory order.
    Block block
    char* user
    int64_t offset                  # of the first item, in the chunk
    bint full                       # the selection covers all of the chunk that lies in the array
    bint padded                     # part of the chunk lies beyond the array
    size_t key_size
    char key[MAX_KEY]

cdef struct Cursor:
    # The rows of a region, in the order of the chunk's memory.
    const Block* block
    int64_t at[MAX_NDIM]
    char* user
    int64_t offset
    int64_t n
    int64_t user_stride
    int64_t chunk_stride

cdef bint cut(Region* r, int64_t part, int64_t parts) noexcept nogil
cdef bint one_run(const Region* r, size_t itemsize) noexcept nogil
cdef int64_t region_items(const Block* b) noexcept nogil
cdef int64_t region_span(const Block* b, size_t itemsize) noexcept nogil

cdef inline void first_row(Cursor* c, const Region* r, size_t itemsize) noexcept nogil:
    cdef int i, last = r.block.ndim - 1
    c.block = &r.block
    c.user = r.user
    c.offset = r.offset
    for i in range(last):
        c.at[i] = 0
    c.n, c.user_stride, c.chunk_stride = 1, itemsize, itemsize
    if last >= 0:
        c.n, c.user_stride, c.chunk_stride = r.block.shape[last], r.block.dst[last], r.block.src[last]


cdef inline bint next_row(Cursor* c) noexcept nogil:
    cdef int i = c.block.ndim - 2
    while i >= 0:
        c.at[i] += 1
        c.user += c.block.dst[i]
        c.offset += c.block.src[i]
        if c.at[i] < c.block.shape[i]:
            return True
        c.user -= c.block.dst[i] * c.block.shape[i]
        c.offset -= c.block.src[i] * c.block.shape[i]
        c.at[i] = 0
        i -= 1
    return False


# Rows along the next axis, several at a time.

cdef inline int64_t row_skip(const Cursor* c) noexcept nogil:
    """Bytes from a row to the next, in the chunk."""
    return c.block.src[c.block.ndim - 2] if c.block.ndim > 1 else 0


cdef inline int64_t row_stride(const Cursor* c) noexcept nogil:
    """Bytes from a row to the next, in the user's memory."""
    return c.block.dst[c.block.ndim - 2] if c.block.ndim > 1 else 0


cdef inline int64_t rows_before(const Cursor* c, int64_t end) noexcept nogil:
    """Number of rows, this one and those that follow along the next axis, that begin at `end` at the latest."""
    cdef int i = c.block.ndim - 2
    if i < 0:
        return 1
    return min((end - c.offset) // c.block.src[i] + 1, c.block.shape[i] - c.at[i])


cdef inline bint next_rows(Cursor* c, int64_t rows) noexcept nogil:
    """Go past as many rows as `rows_before` says at most."""
    cdef int i = c.block.ndim - 2
    if rows > 1:
        c.at[i] += rows - 1
        c.user += (rows - 1) * c.block.dst[i]
        c.offset += (rows - 1) * c.block.src[i]
    return next_row(c)
