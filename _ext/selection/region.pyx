"""Where one chunk meets a selection: a block in two memories, the caller's and the chunk's.

Its axes are in the order of the chunk's memory and merged where both are contiguous. Along an axis the items
are a run, or at positions that are listed, ascending in the chunk. A `Cursor` walks the rows, the runs along the
last axis, in the order of the chunk's memory.
"""

from zchunk._ext.memory.copy cimport coalesce, copy_block, copy_run, fill_block
from zchunk._ext.selection.region cimport Cursor, Region, first_row, next_row


cdef void merge_axes(Region* r) noexcept nogil:
    """Drop axes of length one and merge neighbours that are one run in both memories."""
    cdef Block* b = &r.block
    cdef int i, n = 0
    cdef bint picked = False
    if not r.picked:
        coalesce(b)
        return
    for i in range(b.ndim):
        if b.shape[i] == 1:
            continue
        if (
            n and r.inners[n - 1] == NULL and r.inners[i] == NULL
            and b.dst[n - 1] == b.dst[i] * b.shape[i] and b.src[n - 1] == b.src[i] * b.shape[i]
        ):
            b.shape[n - 1] *= b.shape[i]
            b.dst[n - 1] = b.dst[i]
            b.src[n - 1] = b.src[i]
            continue
        b.shape[n], b.dst[n], b.src[n] = b.shape[i], b.dst[i], b.src[i]
        r.inners[n], r.outers[n] = r.inners[i], r.outers[i]
        picked |= r.inners[i] != NULL
        n += 1
    b.ndim = n
    r.picked = picked


cdef bint next_picked_row(Cursor* c) noexcept nogil:
    """Do what `next_row` does, along axes that may have listed positions."""
    cdef const Region* r = c.picked
    cdef int64_t at
    cdef int i = c.levels - 1
    while i >= 0:
        at = c.at[i]
        c.at[i] = at + 1 if at + 1 < c.block.shape[i] else 0
        if r.inners[i] != NULL:
            c.user += (r.outers[i][c.at[i]] - r.outers[i][at]) * c.block.dst[i]
            c.offset += (r.inners[i][c.at[i]] - r.inners[i][at]) * c.block.src[i]
        else:
            c.user += (c.at[i] - at) * c.block.dst[i]
            c.offset += (c.at[i] - at) * c.block.src[i]
        if c.at[i]:
            return True
        i -= 1
    return False


cdef bint cut(Region* r, int64_t part, int64_t parts) noexcept nogil:
    """Reduce a region to one of `parts` parts of about the same size; return whether there is anything in it."""
    cdef int64_t start, stop
    if r.block.ndim == 0:
        return part == 0
    start = r.block.shape[0] * part // parts
    stop = r.block.shape[0] * (part + 1) // parts
    if stop == start:
        return False
    if r.picked and r.inners[0] != NULL:
        r.user += (r.outers[0][start] - r.outers[0][0]) * r.block.dst[0]
        r.offset += (r.inners[0][start] - r.inners[0][0]) * r.block.src[0]
        r.inners[0] += start
        r.outers[0] += start
    else:
        r.user += start * r.block.dst[0]
        r.offset += start * r.block.src[0]
    r.block.shape[0] = stop - start
    return True


cdef bint one_run(const Region* r, size_t itemsize) noexcept nogil:
    """Whether the region is contiguous both in the chunk and in the user's memory."""
    if r.block.ndim == 0:
        return True
    return (
        r.block.ndim == 1 and not r.picked
        and r.block.dst[0] == <int64_t>itemsize and r.block.src[0] == <int64_t>itemsize
    )


cdef int64_t region_items(const Block* b) noexcept nogil:
    cdef int64_t n = 1
    cdef int i
    for i in range(b.ndim):
        n *= b.shape[i]
    return n


cdef int64_t region_span(const Region* r, size_t itemsize) noexcept nogil:
    """Bytes from the region's first item in the chunk to the end of its last."""
    cdef int64_t n = itemsize, last
    cdef int i
    for i in range(r.block.ndim):
        last = r.block.shape[i] - 1
        if r.picked and r.inners[i] != NULL:
            last = r.inners[i][last] - r.inners[i][0]
        n += last * r.block.src[i]
    return n


cdef int64_t last_before(const Region* r, int64_t end) noexcept nogil:
    """Return where in the chunk the region's last item before `end` is; its first item is before it."""
    cdef int64_t at = r.offset, low, high, middle
    cdef int i
    for i in range(r.block.ndim):
        if not r.picked or r.inners[i] == NULL:
            at += min((end - 1 - at) // r.block.src[i], r.block.shape[i] - 1) * r.block.src[i]
            continue
        low, high = 0, r.block.shape[i]
        while high - low > 1:
            middle = (low + high) // 2
            if at + (r.inners[i][middle] - r.inners[i][0]) * r.block.src[i] < end:
                low = middle
            else:
                high = middle
        at += (r.inners[i][low] - r.inners[i][0]) * r.block.src[i]
    return at


# ---- a chunk in memory

cdef void read_region(const Region* r, const char* chunk, size_t itemsize) noexcept nogil:
    """Copy the region's items from the chunk to the user."""
    cdef Cursor c
    if not r.picked:
        copy_block(&r.block, r.user, chunk + r.offset, itemsize)
        return
    first_row(&c, r, itemsize)
    while True:
        copy_run(c.user, c.user_stride, chunk + c.offset, c.chunk_stride, c.n, itemsize)
        if not next_row(&c):
            return


cdef void write_region(const Region* r, char* chunk, size_t itemsize) noexcept nogil:
    """Copy the region's items from the user to the chunk; where several go to one place, the last one stays."""
    cdef Block b
    cdef Cursor c
    cdef int i
    if not r.picked:
        b = r.block
        for i in range(b.ndim):
            b.dst[i], b.src[i] = r.block.src[i], r.block.dst[i]
        copy_block(&b, chunk + r.offset, r.user, itemsize)
        return
    first_row(&c, r, itemsize)
    while True:
        copy_run(chunk + c.offset, c.chunk_stride, c.user, c.user_stride, c.n, itemsize)
        if not next_row(&c):
            return


cdef void fill_region(const Region* r, const char* item, size_t itemsize) noexcept nogil:
    """Set every item of the region, in the user's memory, to `item`."""
    cdef Cursor c
    if not r.picked:
        fill_block(&r.block, r.user, item, itemsize)
        return
    first_row(&c, r, itemsize)
    while True:
        copy_run(c.user, c.user_stride, item, 0, c.n, itemsize)
        if not next_row(&c):
            return
