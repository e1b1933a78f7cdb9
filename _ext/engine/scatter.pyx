"""From the stored bytes of a chunk to the items that are wanted: fetch, decode, and scatter to the caller.

No more is read and decoded than the selection needs: of an uncompressed chunk runs of bytes, of a Blosc frame
blocks, and of each plane of a block the part up to the last item. What is decoded at a time fits the second cache.
"""

from libc.stdint cimport uint8_t

from zchunk._ext.codecs.blosc_decode cimport (
    HEADER, Planes, block_nbytes, decode_block, gather_planes, is_planar, open_planes,
)
# `scatter.pxd` has it; named here so that a change of the plan builds this module again.
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.memory.scratch cimport reserve
from zchunk._ext.memory.copy cimport copy_run
from zchunk._ext.selection.region cimport (
    Cursor, first_row, last_before, next_row, next_rows, read_region, region_items, region_span, row_skip, row_stride,
    rows_before,
)
from zchunk._ext.memory.stream cimport copy_row, stream_copy
from zchunk._ext.io.source cimport fetch
from zchunk._ext.memory.status cimport NO_MEMORY, OK, fail

cdef enum:
    # Uncompressed bytes are read this much at a time.
    SLAB = 131072
    # What a read call costs beside its bytes, expressed in bytes.
    READ_COST = 4096
    TINY = 8192
    SHORT = 32


# ---- uncompressed bytes

cdef inline void _copy_items(
    const Plan* p, char* user, int64_t user_stride, const uint8_t* items, int64_t stride, int64_t n
) noexcept nogil:
    if p.streaming and user_stride == <int64_t>p.itemsize and stride == <int64_t>p.itemsize:
        stream_copy(user, <const char*>items, <size_t>n * p.itemsize)
    else:
        copy_run(user, user_stride, <const char*>items, stride, n, p.itemsize)


cdef void _copy_rows(const Plan* p, const Cursor* c, const uint8_t* items, int64_t rows) noexcept nogil:
    """Copy rows along the next axis, the first of which is at `items`."""
    cdef int64_t size = p.itemsize, skip = row_skip(c), stride = row_stride(c), j
    if p.streaming or c.user_stride != size or c.chunk_stride != size:
        for j in range(rows):
            _copy_items(p, c.user + j * stride, c.user_stride, items + j * skip, c.chunk_stride, c.n)
        return
    for j in range(rows):
        copy_row(c.user + j * stride, <const char*>items + j * skip, c.n * size)


cdef int _read_row(
    const Plan* p, const Cursor* c, const Source* source, int64_t base, Scratch* s, Failure* f
) noexcept nogil:
    """Read a row that is longer than a slab."""
    cdef int64_t i = 0, n, span, size = p.itemsize
    cdef const uint8_t* got
    if c.user_stride == size and c.chunk_stride == size and not p.streaming:
        return fetch(source, base + c.offset, c.n * size, <uint8_t*>c.user, &got, f)
    n = max(SLAB // c.chunk_stride, 1)
    if reserve(&s.stored, &s.stored_size, (n - 1) * c.chunk_stride + size) == NULL:
        return fail(f, NO_MEMORY, n * c.chunk_stride, 0)
    while i < c.n:
        n = min(n, c.n - i)
        span = (n - 1) * c.chunk_stride + size
        if fetch(source, base + c.offset + i * c.chunk_stride, span, s.stored, &got, f) != OK:
            return f.status
        _copy_items(p, c.user + i * c.user_stride, c.user_stride, got, c.chunk_stride, n)
        i += n
    return OK


cdef int _read_rows(
    const Plan* p, const Region* r, const Source* source, int64_t base, Scratch* s, Failure* f
) noexcept nogil:
    """Read as many rows at a time as a slab takes."""
    cdef Cursor c, row
    cdef int64_t span, low, last, end, rows, n
    cdef bint more = True
    cdef const uint8_t* got
    first_row(&c, r, p.itemsize)
    span = (c.n - 1) * c.chunk_stride + <int64_t>p.itemsize
    if span <= SLAB and reserve(&s.stored, &s.stored_size, SLAB) == NULL:
        return fail(f, NO_MEMORY, SLAB, 0)
    while more:
        if span > SLAB:
            if _read_row(p, &c, source, base, s, f) != OK:
                return f.status
            more = next_row(&c)
            continue
        row = c
        low, end, rows = c.offset, c.offset, 0
        # Where the last row of the slab begins at the latest
        last = low + SLAB - span
        # Rows go back where positions repeat.
        while more and low <= c.offset <= last and c.offset - end <= READ_COST:
            n = rows_before(&c, last) if row_skip(&c) - span <= READ_COST else 1
            end = max(end, c.offset + (n - 1) * row_skip(&c) + span)
            rows += n
            more = next_rows(&c, n)
        if fetch(source, base + low, end - low, s.stored, &got, f) != OK:
            return f.status
        while rows > 0:
            n = min(rows_before(&row, last), rows)
            _copy_rows(p, &row, got + (row.offset - low), n)
            next_rows(&row, n)
            rows -= n
    return OK


cdef int scatter_raw(
    const Plan* p, const Region* r, const Source* source, int64_t base, Scratch* s, Failure* f
) noexcept nogil:
    """Scatter a region of a chunk whose bytes are those of the source from `base` on."""
    cdef Cursor c
    cdef int64_t rows
    if source.data == NULL:
        return _read_rows(p, r, source, base, s, f)
    first_row(&c, r, p.itemsize)
    while True:
        rows = rows_before(&c, p.chunk_nbytes)
        _copy_rows(p, &c, source.data + base + c.offset, rows)
        if not next_rows(&c, rows):
            return OK


# ---- Blosc frames

cdef int _scatter_planes(const Plan* p, const Region* r, const Frame* frame, Scratch* s, Failure* f) noexcept nogil:
    """Do what `_scatter_blocks` does for a planar frame: put items together only where they are wanted."""
    cdef Cursor c
    cdef Planes planes
    cdef int64_t size = p.itemsize, last = r.offset + region_span(r, p.itemsize)
    cdef int64_t low = 0, high = 0, b, i, n, at, rows, span, end
    first_row(&c, r, size)
    span = (c.n - 1) * c.chunk_stride + size
    while True:
        i = 0
        rows = 1
        while i < c.n:
            at = c.offset + i * c.chunk_stride
            if at >= high or at < low:
                b = at // frame.blocksize
                low = at
                high = b * frame.blocksize
                n = (at - high) // size
                high += block_nbytes(frame, b)
                end = min(high, last)
                if r.picked and end == high:
                    end = last_before(r, high) + size
                if open_planes(frame, b, n, n + (end - at) // size, &planes, s, f) != OK:
                    return f.status
            n = min((high - at + c.chunk_stride - 1) // c.chunk_stride, c.n - i)
            if n == c.n:
                # The row lies in the block, and so may those that follow it along the next axis.
                rows = rows_before(&c, high - span)
            gather_planes(
                planes.at, <int>size, (at - low) // size, c.chunk_stride // size, n, c.user + i * c.user_stride,
                c.user_stride, rows, row_skip(&c) // size, row_stride(&c), p.streaming,
            )
            i += n
        if not next_rows(&c, rows):
            return OK


cdef int _scatter_blocks(const Plan* p, const Region* r, const Frame* frame, Scratch* s, Failure* f) noexcept nogil:
    """Decode the blocks that the region touches, each once, and scatter from there.

    Rows come in the order of the chunk's memory, and no item straddles two blocks.
    """
    cdef Cursor c
    cdef uint8_t* target
    cdef int64_t low = 0, high = 0, b, i, n, at
    cdef bint contiguous
    first_row(&c, r, p.itemsize)
    contiguous = c.user_stride == <int64_t>p.itemsize and c.chunk_stride == <int64_t>p.itemsize
    if reserve(&s.block, &s.block_size, frame.blocksize) == NULL:
        return fail(f, NO_MEMORY, frame.blocksize, 0)
    while True:
        i = 0
        while i < c.n:
            at = c.offset + i * c.chunk_stride
            if at >= high or at < low:
                b = at // frame.blocksize
                low = b * frame.blocksize
                high = low + block_nbytes(frame, b)
                target = s.block
                if contiguous and at == low and (c.n - i) * c.chunk_stride >= high - low:
                    # The row swallows the block: decode it in place.
                    target = <uint8_t*>c.user + i * c.user_stride
                if decode_block(frame, b, target, s, f) != OK:
                    return f.status
                if target != s.block:
                    i += (high - low) // <int64_t>p.itemsize
                    high = low
                    continue
            n = (high - at + c.chunk_stride - 1) // c.chunk_stride
            if n > c.n - i:
                n = c.n - i
            _copy_items(p, c.user + i * c.user_stride, c.user_stride, s.block + (at - low), c.chunk_stride, n)
            i += n
        if not next_row(&c):
            return OK


cdef bint _is_tiny(const Plan* p, const Region* r, const Frame* frame) noexcept nogil:
    """Whether the frame is one block in the first cache, most of which is wanted in rows that are short.

    Then items are put together all at once, and rows copied: SIMD takes 16 items at a time.
    """
    cdef int last = r.block.ndim - 1
    cdef int64_t size = p.itemsize
    return (
        frame.nblocks == 1 and frame.nbytes <= TINY and last > 0 and not r.picked
        and r.block.shape[last] < SHORT and r.block.src[last] == size and r.block.dst[last] == size
        and 2 * size * region_items(&r.block) >= frame.nbytes
    )


cdef int scatter_frame(const Plan* p, const Region* r, const Frame* frame, Scratch* s, Failure* f) noexcept nogil:
    """Scatter a region of a chunk that is a Blosc frame with whole items in every block."""
    cdef int status
    if frame.raw:
        return scatter_raw(p, r, frame.source, HEADER, s, f)
    if _is_tiny(p, r, frame):
        if reserve(&s.block, &s.block_size, frame.nbytes) == NULL:
            return fail(f, NO_MEMORY, frame.nbytes, 0)
        status = decode_block(frame, 0, s.block, s, f)
        if status == OK:
            read_region(r, <char*>s.block, p.itemsize)
        return status
    if is_planar(frame, p.itemsize):
        return _scatter_planes(p, r, frame, s, f)
    return _scatter_blocks(p, r, frame, s, f)
