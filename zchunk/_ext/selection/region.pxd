"""Where one chunk meets a selection: a block in two memories, and its rows."""

from libc.stdint cimport int64_t

from zchunk._ext.memory.copy cimport MAX_NDIM, Block

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
    # Axes along which the items are no run have their positions, to be multiplied by src and dst, in `inners`
    # and `outers`; for other axes these are NULL. They are filled in only if `picked`.
    bint picked
    bint repeated                   # rows go back in the chunk: positions along a slower axis repeat
    const int64_t* inners[MAX_NDIM]
    const int64_t* outers[MAX_NDIM]
    int64_t number                  # of the chunk in the shard that it is in
    size_t key_size
    char key[MAX_KEY]

cdef struct Cursor:
    # The rows of a region, in the order of the chunk's memory.
    const Block* block
    const Region* picked            # the region, if it is
    int levels                      # axes from one row to the next
    int64_t at[MAX_NDIM]
    char* user
    int64_t offset
    int64_t n
    int64_t user_stride
    int64_t chunk_stride

cdef void merge_axes(Region* r) noexcept nogil
cdef bint cut(Region* r, int64_t part, int64_t parts) noexcept nogil
cdef bint one_run(const Region* r, size_t itemsize) noexcept nogil
cdef int64_t region_items(const Block* b) noexcept nogil
cdef int64_t region_span(const Region* r, size_t itemsize) noexcept nogil
cdef int64_t last_before(const Region* r, int64_t end) noexcept nogil
cdef void read_region(const Region* r, const char* chunk, size_t itemsize) noexcept nogil
cdef void write_region(const Region* r, char* chunk, size_t itemsize) noexcept nogil
cdef void fill_region(const Region* r, const char* item, size_t itemsize) noexcept nogil
cdef bint next_picked_row(Cursor* c) noexcept nogil

cdef inline void first_row(Cursor* c, const Region* r, size_t itemsize) noexcept nogil:
    cdef int i, last = r.block.ndim - 1
    c.block = &r.block
    c.picked = r if r.picked else NULL
    c.user = r.user
    c.offset = r.offset
    c.levels = last
    c.n, c.user_stride, c.chunk_stride = 1, itemsize, itemsize
    if r.picked and r.inners[last] != NULL:
        c.levels = last + 1
    elif last >= 0:
        c.n, c.user_stride, c.chunk_stride = r.block.shape[last], r.block.dst[last], r.block.src[last]
    for i in range(c.levels):
        c.at[i] = 0


cdef inline bint next_row(Cursor* c) noexcept nogil:
    cdef int i
    if c.picked != NULL:
        return next_picked_row(c)
    i = c.levels - 1
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
    return c.block.src[c.levels - 1] if c.levels > 0 else 0


cdef inline int64_t row_stride(const Cursor* c) noexcept nogil:
    """Bytes from a row to the next, in the user's memory."""
    return c.block.dst[c.levels - 1] if c.levels > 0 else 0


cdef inline int64_t rows_before(const Cursor* c, int64_t end) noexcept nogil:
    """Number of rows, this one and those that follow along the next axis, that begin at `end` at the latest."""
    cdef int i = c.levels - 1
    if i < 0 or (c.picked != NULL and c.picked.inners[i] != NULL):
        return 1
    return min((end - c.offset) // c.block.src[i] + 1, c.block.shape[i] - c.at[i])


cdef inline bint next_rows(Cursor* c, int64_t rows) noexcept nogil:
    """Go past as many rows as `rows_before` says at most."""
    cdef int i = c.levels - 1
    if rows > 1:
        c.at[i] += rows - 1
        c.user += (rows - 1) * c.block.dst[i]
        c.offset += (rows - 1) * c.block.src[i]
    return next_row(c)
