"""The items of a region one after the other, in the order of the chunk's memory: what encoders take."""

from libc.string cimport memcpy

from zchunk._ext.codecs.libraries cimport shuffle
from zchunk._ext.memory.copy cimport copy_run
from zchunk._ext.codecs.items cimport TILE, Items
from zchunk._ext.selection.region cimport Cursor, Region, first_row, next_row
from zchunk._ext.memory.stream cimport copy_row


cdef extern from *:
    """
    /* Have the processor fetch into its second cache what will be read soon. */
    static inline void zc_prefetch(const char *at, size_t n) {
        for (size_t i = 0; i < n; i += 64) __builtin_prefetch(at + i, 0, 2);
    }
    """
    void zc_prefetch(const char* at, size_t n) nogil

cdef enum:
    # How far ahead that is; longer rows the processor fetches by itself.
    AHEAD = 8192


cdef void region_items_from(Items* items, const Region* r, size_t itemsize, int64_t first) noexcept nogil:
    """Start at item `first` of a region."""
    cdef int64_t row, at
    cdef int i
    first_row(&items.c, r, itemsize)
    items.itemsize = itemsize
    items.i = first % items.c.n
    row = first // items.c.n
    for i in range(r.block.ndim - 2, -1, -1):
        at = row % r.block.shape[i]
        row //= r.block.shape[i]
        items.c.at[i] = at
        items.c.user += at * r.block.dst[i]
        items.c.offset += at * r.block.src[i]


cdef void memory_items(Items* items, const uint8_t* data, int64_t nbytes) noexcept nogil:
    """Start at the first of `nbytes` items of one byte."""
    items.c.block = NULL
    items.c.user = <char*>data
    items.c.n = nbytes
    items.c.user_stride = 1
    items.itemsize = 1
    items.i = 0


cdef int64_t _take_rows(Items* items, int64_t wanted, char* dst) noexcept nogil:
    """Copy whole rows of contiguous items, as many of the `wanted` items as lie along one axis; return how many."""
    cdef Cursor* c = &items.c
    cdef int i = c.block.ndim - 2
    cdef int64_t rows = min(wanted // c.n, c.block.shape[i] - c.at[i]), j, stride = c.block.dst[i]
    cdef int64_t nbytes = c.n * <int64_t>items.itemsize
    cdef int64_t ahead = max(<int64_t>1, AHEAD // nbytes) * stride
    for j in range(rows):
        if nbytes <= AHEAD:
            zc_prefetch(c.user + j * stride + ahead, nbytes)
        copy_row(dst + j * nbytes, c.user + j * stride, nbytes)
    # On the last of them, with none of its items left.
    c.at[i] += rows - 1
    c.user += (rows - 1) * stride
    items.i = c.n
    return rows * c.n


cdef int64_t _take_run(Items* items, int64_t wanted, const char** at) noexcept nogil:
    """Give up to `wanted` of the next items, as many as the row has left; they are taken then."""
    cdef int64_t n
    if items.i == items.c.n:
        next_row(&items.c)
        items.i = 0
    n = min(wanted, items.c.n - items.i)
    at[0] = items.c.user + items.i * items.c.user_stride
    items.i += n
    return n


cdef const uint8_t* take(Items* items, int64_t nbytes, uint8_t* buffer) noexcept nogil:
    """Return the next `nbytes`, whole items: where they are if they are contiguous there, else put together in
    `buffer`."""
    cdef int64_t size = items.itemsize, n = nbytes // size, done = 0, got
    cdef bint contiguous = items.c.user_stride == size
    cdef const char* at
    while done < n:
        if items.i == items.c.n:
            next_row(&items.c)
            items.i = 0
        if contiguous and items.i == 0 and n - done > items.c.n:
            done += _take_rows(items, n - done, <char*>buffer + done * size)
            continue
        got = _take_run(items, n - done, &at)
        if got == n and contiguous:
            return <const uint8_t*>at
        copy_run(<char*>buffer + done * size, size, at, items.c.user_stride, got, size)
        done += got
    return buffer


cdef void take_planes(Items* items, int64_t n, uint8_t* planes, uint8_t* tile) noexcept nogil:
    """Put the next `n` items to `planes`, byte b of item i to ``planes[b * n + i]``.

    Tile by tile, so that what is put together is still in the first cache when it is taken apart; `tile` has
    room for two.
    """
    cdef int64_t size = items.itemsize, done = 0, got, b
    cdef const uint8_t* source
    while done < n:
        got = min(n - done, max(TILE // size, 1))
        source = take(items, got * size, tile)
        shuffle(<int>size, <int>(got * size), source, tile + TILE)
        for b in range(size):
            memcpy(planes + b * n + done, tile + TILE + b * got, got)
        done += got
