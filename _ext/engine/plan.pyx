"""Where the k-th chunk of a selection is and what of it is selected: computed from k, never stored."""

from libc.string cimport memcpy

from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.selection.axis cimport Part, axis_part, picks_part
from zchunk._ext.selection.region cimport Region, merge_axes
from zchunk._ext.selection.slices cimport has_bit


cdef size_t _append_number(char* at, int64_t n) noexcept nogil:
    cdef char digits[20]
    cdef size_t size = 0, i
    while True:
        digits[size] = <char>(48 + n % 10)
        size += 1
        n //= 10
        if n == 0:
            break
    for i in range(size):
        at[i] = digits[size - 1 - i]
    return size


cdef size_t _chunk_key(const int64_t* coords, int ndim, char separator, bint prefixed, char* key) noexcept nogil:
    cdef size_t n = 0
    cdef int i
    if prefixed:
        key[0] = c"c"
        n = 1
    for i in range(ndim):
        if n:
            key[n] = separator
            n += 1
        n += _append_number(key + n, coords[i])
    if n == 0:
        key[0] = c"0"
        n = 1
    key[n] = 0
    return n


cdef void _put_key(const Plan* p, const int64_t* coords, Region* r) noexcept nogil:
    """Say where the chunk is: its key, or its number in the shard."""
    cdef int d
    if p.shard.entries != NULL:
        r.number = r.key_size = 0
        for d in range(p.ndim):
            r.number += coords[d] * p.shard.strides[d]
        return
    if p.root_size:
        memcpy(r.key, p.root, p.root_size)
    r.key_size = p.root_size + _chunk_key(coords, p.ndim, p.separator, p.prefixed, r.key + p.root_size)


cdef void _locate_points(const Plan* p, int64_t k, Region* r) noexcept nogil:
    """Do what `locate` does for points along some axes: these are one axis of the region.

    It stands where the slowest of its axes would. If they are not side by side in the chunk's memory, or a place is
    selected several times and others follow it, rows go back.
    """
    cdef Part parts[MAX_NDIM]
    cdef Part points
    cdef int64_t coords[MAX_NDIM]
    cdef int64_t strides[MAX_NDIM]
    cdef int i, d, n = 0, column = 0, place = p.ndim - p.pointed_axes
    cdef bint placed = False, followed = False
    r.user, r.offset = p.user, 0
    r.full = r.padded = r.picked = r.repeated = False
    for d in range(p.ndim - 1, -1, -1):
        if has_bit(p.pointed, d):
            continue
        axis_part(&p.axes[d], k % p.axes[d].parts, &parts[d])
        k //= p.axes[d].parts
        coords[d], strides[d] = parts[d].chunk, p.user_strides[place]
        place -= 1
        r.user += parts[d].outer * strides[d]
        r.offset += parts[d].inner * p.chunk_strides[d]
    picks_part(p.points, k, &points)
    r.user += points.outer * p.user_strides[0]
    r.offset += points.inner * <int64_t>p.itemsize
    for d in range(p.ndim):
        if has_bit(p.pointed, d):
            coords[d] = p.points.chunk[k * p.pointed_axes + column]
            column += 1
    for i in range(p.ndim):
        d = p.memory_order[i]
        if not has_bit(p.pointed, d):
            _put_axis(p, &parts[d], d, strides[d], r, n)
            followed |= placed and parts[d].count > 1
            n += 1
        elif not placed:
            r.picked = points.inners != NULL
            r.inners[n], r.outers[n] = points.inners, points.outers
            r.block.shape[n] = points.count
            r.block.dst[n] = p.user_strides[0] if r.picked else points.stride * p.user_strides[0]
            r.block.src[n] = <int64_t>p.itemsize if r.picked else points.step * <int64_t>p.itemsize
            placed = True
            n += 1
        else:
            r.repeated |= followed
    r.repeated |= followed and p.points.repeated
    r.block.ndim = n
    merge_axes(r)
    _put_key(p, coords, r)


cdef inline void _put_axis(
    const Plan* p, const Part* part, int d, int64_t user_stride, Region* r, int i
) noexcept nogil:
    """Make what is selected along axis `d`, a range, the axis `i` of the region."""
    r.block.shape[i] = part.count
    r.block.dst[i] = part.stride * user_stride
    # The step to no other item may be longer than the chunk, and the product overflow.
    r.block.src[i] = part.step * p.chunk_strides[d] if part.count > 1 else p.chunk_strides[d]
    r.inners[i] = r.outers[i] = NULL


cdef void locate(const Plan* p, int64_t k, Region* r) noexcept nogil:
    """Fill `r` for the k-th chunk, the last axis counting fastest."""
    cdef Part parts[MAX_NDIM]
    cdef int64_t coords[MAX_NDIM]
    cdef const Axis* axis
    cdef int64_t valid, j
    cdef int i, d
    if p.points != NULL:
        _locate_points(p, k, r)
        return
    r.user = p.user
    r.offset = 0
    r.full = True
    r.padded = r.picked = r.repeated = False
    for d in range(p.ndim - 1, -1, -1):
        axis = &p.axes[d]
        j = k % axis.parts
        k //= axis.parts
        axis_part(axis, j, &parts[d])
        coords[d] = parts[d].chunk
        valid = axis.extent - parts[d].chunk * axis.chunk
        if valid < axis.chunk:
            r.padded = True
        else:
            valid = axis.chunk
        if parts[d].count != valid or parts[d].inners != NULL:
            r.full = False
        r.user += parts[d].outer * p.user_strides[d]
        r.offset += parts[d].inner * p.chunk_strides[d]
    r.block.ndim = p.ndim
    for i in range(p.ndim):
        d = p.memory_order[i]
        _put_axis(p, &parts[d], d, p.user_strides[d], r, i)
        if parts[d].inners != NULL:
            r.block.dst[i], r.block.src[i] = p.user_strides[d], p.chunk_strides[d]
            r.inners[i], r.outers[i] = parts[d].inners, parts[d].outers
            r.picked = True
            r.repeated |= p.axes[d].picks.repeated and i < p.ndim - 1
    merge_axes(r)
    _put_key(p, coords, r)
