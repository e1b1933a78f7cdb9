"""The items of a region one after the other, in the order of the chunk's memory."""

from libc.stdint cimport int64_t, uint8_t

from zchunk._ext.selection.region cimport Cursor, Region

cdef enum:
    # Bytes of the items that are shuffled at a time; none has more.
    TILE = 16384

cdef struct Items:
    # Where the next item is: the rows of a region, or one row of plain memory.
    Cursor c
    int64_t i           # items of the row that were taken
    int64_t itemsize

cdef void region_items_from(Items* items, const Region* r, size_t itemsize, int64_t first) noexcept nogil
cdef void memory_items(Items* items, const uint8_t* data, int64_t nbytes) noexcept nogil
cdef const uint8_t* take(Items* items, int64_t nbytes, uint8_t* buffer) noexcept nogil
cdef void take_planes(Items* items, int64_t n, uint8_t* planes, uint8_t* tile) noexcept nogil
