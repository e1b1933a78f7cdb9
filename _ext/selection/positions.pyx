"""Selections by positions: products of ranges and lists of positions, and points, of which there may be ranges.

Positions are grouped by chunk and ascend within it, so that each chunk is decoded once and from its beginning to
its end. An axis has a list, which is as long as the selection; the product of the axes is never made.
"""

import itertools
import math

import numpy as np

from libc.stdint cimport int64_t, uint64_t
cimport numpy as cnp

from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.selection.axis cimport Axis, Picks, axis_init
from zchunk._ext.selection.slices cimport ChunkPart, Plan, has_bit as _has, take_integer, take_slice, view_memory
from zchunk._ext.selection.axis import AxisParts

cnp.import_array()

# Keys that sort points by chunk and place in it stay below.
_LARGEST_KEY = 2**62


# ---- kernels

cdef bint _wrap(int64_t* index, int64_t n, int64_t extent, int64_t* bad) noexcept nogil:
    """Count negative positions from the end; return whether all are in range, and which is not."""
    cdef int64_t i
    for i in range(n):
        bad[0] = index[i]
        if index[i] < 0:
            index[i] += extent
        if index[i] < 0 or index[i] >= extent:
            return False
    return True


cdef bint _ascends(const int64_t* key, int64_t n) noexcept nogil:
    cdef int64_t i
    for i in range(1, n):
        if key[i] < key[i - 1]:
            return False
    return True


cdef int64_t _group(
    const int64_t* chunk, int ndim, int64_t n, int64_t* first, int64_t* begin
) noexcept nogil:
    """Find where another chunk begins in `n` rows of `ndim` coordinates; return how many chunks there are."""
    cdef int64_t i, parts = 0
    cdef int d
    cdef bint same
    for i in range(n):
        same = i > 0
        for d in range(ndim):
            if same and chunk[i * ndim + d] != chunk[(i - 1) * ndim + d]:
                same = False
        if not same:
            for d in range(ndim):
                first[parts * ndim + d] = chunk[i * ndim + d]
            begin[parts] = i
            parts += 1
    begin[parts] = n
    return parts


cdef bint _find_runs(const Picks* picks, int64_t* step, int64_t* stride) noexcept nogil:
    """Fill in the distances of the positions of every chunk; return whether any position is there twice."""
    cdef int64_t k, i
    cdef bint repeated = False
    for k in range(picks.parts):
        i = picks.begin[k]
        step[k] = stride[k] = 1
        if picks.begin[k + 1] - i == 1:
            continue
        step[k], stride[k] = picks.inner[i + 1] - picks.inner[i], picks.outer[i + 1] - picks.outer[i]
        for i in range(i + 1, picks.begin[k + 1]):
            repeated |= picks.inner[i] == picks.inner[i - 1]
            if picks.inner[i] - picks.inner[i - 1] != step[k] or picks.outer[i] - picks.outer[i - 1] != stride[k]:
                step[k] = 0
    return repeated


# ---- lists of positions

cdef class Positions:
    """Positions grouped by chunk, as a sequence of ``(chunk, inner, outer)`` per chunk.

    `chunk` is the chunk's index, or a tuple of them; `inner` the positions in the chunk, `outer` their places in
    the result, arrays.
    """

    cdef Picks picks
    cdef int ndim
    cdef object _chunk, _begin, _step, _stride, _inner, _outer

    cdef int fill(self, chunk, inner, outer, int ndim) except -1:
        """Take positions that are in the order of their chunks: C-contiguous arrays of int64."""
        cdef Picks* p = &self.picks
        cdef int64_t n = len(inner)
        cdef int64_t* at = _data(chunk)
        self.ndim = ndim
        self._begin = np.empty(n + 1, np.int64)
        self._chunk = np.empty(n * ndim, np.int64)
        p.parts = _group(at, ndim, n, _data(self._chunk), _data(self._begin))
        self._chunk, self._begin = self._chunk[:p.parts * ndim].copy(), self._begin[:p.parts + 1].copy()
        self._inner, self._outer = inner, outer
        self._step, self._stride = np.empty(p.parts, np.int64), np.empty(p.parts, np.int64)
        p.chunk, p.begin = _data(self._chunk), _data(self._begin)
        p.step, p.stride = _data(self._step), _data(self._stride)
        p.inner, p.outer = _data(inner), _data(outer)
        p.repeated = _find_runs(p, _data(self._step), _data(self._stride))
        return 0

    def __len__(self):
        return self.picks.parts

    def __getitem__(self, k):
        if not 0 <= k < self.picks.parts:
            raise IndexError(k)
        found = slice(self._begin[k], self._begin[k + 1])
        chunk = self._chunk[k * self.ndim:(k + 1) * self.ndim].tolist()
        return chunk[0] if self.ndim == 1 else tuple(chunk), self._inner[found], self._outer[found]


cdef int64_t* _data(cnp.ndarray array) noexcept:
    return <int64_t*>cnp.PyArray_DATA(array)


cdef cnp.ndarray _positions(entry, int64_t extent, axis):
    """Return a user's positions as a new array of int64 that counts from the beginning, or raise `IndexError`."""
    cdef cnp.ndarray index = np.array(entry, np.int64, order="C")
    cdef int64_t bad
    if entry.dtype.kind == "u" and (index < 0).any():
        raise IndexError(f"index {entry.max()} is out of bounds for axis {axis} of length {extent}")
    if not _wrap(_data(index), index.size, extent, &bad):
        raise IndexError(f"index {bad} is out of bounds for axis {axis} of length {extent}")
    return index


def wrapped(entry, int64_t extent, int axis):
    """Return an array of positions along an axis as a new one of int64, without negative positions.

    Raises
    ------
    IndexError
        A position is out of range.
    """
    return _positions(entry, extent, axis)


# ---- orthogonal

cdef class OrthogonalPlan(Plan):
    """A product of ranges and lists of positions. Made by `plan_orthogonal`."""

    # Per axis its Positions, or None for a range.
    cdef list _lists

    def parts(self):
        """Yield a `ChunkPart` for each chunk that holds selected items, the last axis varying fastest."""
        cdef ChunkPart part
        if not self.size:
            return
        axes = self.axes
        sequences = [AxisParts(*axis) if listed is None else listed
                     for axis, listed in zip(axes, self._lists, strict=True)]
        for entries in itertools.product(*sequences):
            full = True
            inner, outer, coords = [], [], []
            for (_, step, _, chunk, extent), entry in zip(axes, entries, strict=True):
                coords.append(entry[0])
                if len(entry) == 3:
                    inner.append(entry[1])
                    outer.append(entry[2])
                    full = False
                else:
                    _, first, place, count = entry
                    inner.append(np.arange(first, first + (count - 1) * step + 1, step))
                    outer.append(np.arange(place, place + count))
                    full &= count == min(chunk, extent - entry[0] * chunk)
            part = ChunkPart()
            part.coords, part.inner, part.outer, part.full = tuple(coords), np.ix_(*inner), np.ix_(*outer), full
            yield part


def plan_orthogonal(tuple entries not None, tuple shape not None, tuple chunks not None):
    """Return the plan of a product of integers, slices and lists of positions.

    Parameters
    ----------
    entries : tuple
        Per axis an integer, a slice, or a 1-d array of integers.
    shape, chunks : tuple of int
        Lengths of the array's axes and of its chunks.

    Returns
    -------
    Plan or None
        None if one of the integers or slices is none, or out of range.

    Raises
    ------
    IndexError
        A position is out of range.
    """
    cdef OrthogonalPlan plan = OrthogonalPlan.__new__(OrthogonalPlan)
    cdef Positions listed
    cdef Axis* a
    cdef int d
    cdef int64_t n, extent
    cdef bint backward
    plan.begin(shape, chunks)
    if len(entries) != plan.ndim:
        raise ValueError(f"{len(entries)} entries for {plan.ndim} axes")
    plan._lists = []
    for d, entry in enumerate(entries):
        a = &plan.at[d]
        listed = None
        if isinstance(entry, np.ndarray) and entry.ndim == 1:
            extent = a.extent
            index = _positions(entry, extent, d)
            n = len(index)
            outer = np.arange(n)
            if not _ascends(_data(index), n):
                outer = np.argsort(index, kind="stable")
                index = index[outer]
            chunk = index // a.chunk
            listed = Positions()
            listed.fill(chunk, index - chunk * a.chunk, outer, 1)
            a.count = n
        elif isinstance(entry, slice):
            if not take_slice(a, <slice>entry, &backward):
                return None
            plan.backward |= <uint64_t>backward << d
        else:
            if not take_integer(a, entry):
                return None
            plan.dropped |= <uint64_t>1 << d
        axis_init(a)
        if listed is not None:
            a.picks, a.parts = &listed.picks, listed.picks.parts
        plan._lists.append(listed)
    plan.scalar = not any(isinstance(entry, (slice, np.ndarray)) for entry in entries)
    return plan


# ---- points

cdef class PointsPlan(Plan):
    """Points along some axes or all, in any order, and ranges along the others. Made by `plan_points`.

    The result has the points' axes, of any number, and then those of the ranges. A memory that has one axis per array
    axis has one for all axes of points here, the first.
    """

    cdef Positions _listed
    # Of the points
    cdef cnp.npy_intp _shape[MAX_NDIM]
    cdef int _points_ndim
    # Whether the caller said the shape.
    cdef bint _shaped
    cdef tuple _chunks
    cdef str _order

    @property
    def ranges(self):
        """Numbers of the axes along which ranges are selected."""
        cdef int d
        return tuple([d for d in range(self.ndim) if not _has(self.pointed, d)])

    cdef int result_shape(self, cnp.npy_intp* shape) noexcept nogil:
        cdef int d, ndim = self._points_ndim
        for d in range(ndim):
            shape[d] = self._shape[d]
        for d in range(self.ndim):
            if not _has(self.pointed | self.dropped, d):
                shape[ndim] = self.at[d].count
                ndim += 1
        return ndim

    cdef bint _stride(self, cnp.ndarray memory, int64_t* stride):
        """Return whether the points in `memory`, in C order, are equally far apart, and how far."""
        cdef int64_t n = 1
        cdef int i
        stride[0] = cnp.PyArray_ITEMSIZE(memory)
        for i in range(self._points_ndim - 1, -1, -1):
            if cnp.PyArray_DIM(memory, i) == 1:
                continue
            if n == 1:
                stride[0] = cnp.PyArray_STRIDE(memory, i)
            elif cnp.PyArray_STRIDE(memory, i) != n * stride[0]:
                return False
            n *= cnp.PyArray_DIM(memory, i)
        return True

    cdef char* place(self, cnp.ndarray memory, int64_t* strides) except? NULL:
        cdef char* first = <char*>cnp.PyArray_DATA(memory)
        cdef int d, i = self._points_ndim, axis = 1
        if not self.fits(memory) or not self._stride(memory, strides):
            raise ValueError(f"memory of shape {(<object>memory).shape}, strides {(<object>memory).strides}, "
                             f"for a selection of shape {self.shape}")
        for d in range(self.ndim):
            if not _has(self.pointed, d):
                first += self.place_axis(d, memory, &i, &strides[axis])
                axis += 1
        return first

    def takes(self, cnp.ndarray memory not None):
        cdef int64_t stride
        return self.fits(memory) and self._stride(memory, &stride)

    def empty(self, cnp.dtype dtype not None, str order not None):
        # In C order whatever is asked for, which has the points one after the other.
        return Plan.empty(self, dtype, "C")

    def view(self, cnp.ndarray memory not None):
        """Return `memory`, which has the result's shape, with one axis for the points and one for every range."""
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int64_t strides[MAX_NDIM]
        cdef int d, ndim = 1
        cdef char* first = self.place(memory, strides)
        shape[0] = 1
        for d in range(self._points_ndim):
            shape[0] *= self._shape[d]
        for d in range(self.ndim):
            if not _has(self.pointed, d):
                shape[ndim] = self.at[d].count
                ndim += 1
        return view_memory(memory, ndim, shape, strides, first, cnp.PyArray_FLAGS(memory) & cnp.NPY_ARRAY_WRITEABLE)

    def broadcast(self, cnp.ndarray items not None):
        """Return `items` with the result's shape, or None if they do not fit.

        As many as there are points fit, unless the shape of the points was given.
        """
        found = Plan.broadcast(self, items)
        if found is None and items.size == self.size and not self.ranges and not self._shaped:
            found = (<object>items).reshape(self.shape)
        return found if found is None or self.takes(found) else np.ascontiguousarray(found)

    def parts(self):
        """Yield a `ChunkPart` for each chunk that holds selected items, the last range varying fastest."""
        cdef ChunkPart part
        cdef int d
        axes, ranges = self.axes, self.ranges
        # The places of axes in a memory with one for the points, and one for every range
        ndim = 1 + len(ranges)
        for chunk, points, places in self._listed:
            points = np.unravel_index(points, self._chunks, self._order) if self._chunks else ()
            at = chunk if isinstance(chunk, tuple) else (chunk,)
            for entries in itertools.product(*[AxisParts(*axes[d]) for d in ranges]):
                coords, inner = [], [_along(index, 0, ndim) for index in points]
                outer, found = [_along(places, 0, ndim)], iter(at)
                for d in range(self.ndim):
                    if _has(self.pointed, d):
                        coords.append(next(found))
                        continue
                    index, first, place, count = entries[len(outer) - 1]
                    coords.append(index)
                    step, axis = axes[d][1], len(outer)
                    inner[d] = _along(np.arange(first, first + (count - 1) * step + 1, step), axis, ndim)
                    outer.append(_along(np.arange(place, place + count), axis, ndim))
                part = ChunkPart()
                part.coords, part.inner, part.outer = tuple(coords), tuple(inner), tuple(outer)
                yield part


cdef _along(index, int axis, int ndim):
    """Return a list of positions as an array of `ndim` axes of which they are along one."""
    return index.reshape((1,) * axis + (-1,) + (1,) * (ndim - 1 - axis))


def plan_points(tuple entries not None, tuple shape not None, tuple chunks not None, str order not None,
                tuple points=None):
    """Return the plan of points.

    Parameters
    ----------
    entries : tuple of array of int, slice or int
        Per axis of the array the positions of the points, as an array, or what is selected along the axis for every
        point. Positions are broadcast.
    shape, chunks : tuple of int
        Lengths of the array's axes and of its chunks.
    order : {"C", "F"}
        Of the items in a chunk.
    points : tuple of int, optional
        Shape that the positions are broadcast to, and that items have to fit as NumPy means it; without it that of
        them all, but for scalars one item.

    Returns
    -------
    Plan or None
        None if one of the integers or slices is none, or out of range.

    Raises
    ------
    IndexError
        A position is out of range.
    ValueError
        The positions cannot be broadcast to one shape.
    """
    cdef PointsPlan plan = PointsPlan.__new__(PointsPlan)
    cdef int64_t extent, chunk, n, per_chunk = 1
    cdef int d, column
    cdef bint backward
    if len(entries) != len(shape):
        raise ValueError(f"{len(entries)} entries for {len(shape)} axes")
    plan.begin(shape, chunks)
    listed = []
    for d, entry in enumerate(entries):
        if isinstance(entry, np.ndarray):
            extent = plan.at[d].extent
            listed.append(_positions(entry, extent, d))
            plan.pointed |= <uint64_t>1 << d
        elif isinstance(entry, slice):
            if not take_slice(&plan.at[d], <slice>entry, &backward):
                return None
            plan.backward |= <uint64_t>backward << d
        elif take_integer(&plan.at[d], entry):
            plan.dropped |= <uint64_t>1 << d
        else:
            return None
        axis_init(&plan.at[d])
    plan._shaped = points is not None
    if points is None:
        if not listed:
            raise ValueError("no positions")
        listed = np.broadcast_arrays(*listed)
        points = listed[0].shape or (1,)
    n = math.prod(points)
    plan._points_ndim = len(points)
    if len(points) + plan.ndim - len(listed) > MAX_NDIM or (n > 1 and not listed):
        raise ValueError(f"{len(points)} axes of {n} points in {plan.ndim} axes, {len(listed)} of them with positions")
    for d in range(plan._points_ndim):
        plan._shape[d] = points[d]
    plan._chunks, plan._order = chunks, order
    coords = np.empty((n, len(listed)), np.int64)
    inner = np.zeros(n, np.int64)
    listed = [index if index.shape == points else np.broadcast_to(index, points) for index in listed]
    column = 0 if order == "F" else len(listed) - 1
    for d in range(plan.ndim) if order == "F" else range(plan.ndim - 1, -1, -1):
        chunk = plan.at[d].chunk
        if _has(plan.pointed, d):
            index = listed[column].reshape(-1)
            coords[:, column] = index // chunk
            inner += index % chunk * per_chunk
            column += 1 if order == "F" else -1
        per_chunk *= chunk
    grid = [(plan.at[d].extent - 1) // plan.at[d].chunk + 1 for d in range(plan.ndim) if _has(plan.pointed, d)]
    places = _by_chunk(coords, inner, grid, per_chunk)
    if places is None:
        places = np.arange(n)
    else:
        coords, inner = np.ascontiguousarray(coords[places]), inner[places]
    plan._listed = Positions()
    plan._listed.fill(coords, inner, places, len(listed))
    plan.points = &plan._listed.picks
    return plan


cdef _by_chunk(coords, inner, list grid, int64_t per_chunk):
    """Return the order of points by chunk, and by place in it; None if they are in it."""
    cdef int64_t n = len(inner), stride = per_chunk
    cdef int d
    if math.prod(grid, start=per_chunk) < _LARGEST_KEY:
        key = inner.copy()
        for d in range(len(grid) - 1, -1, -1):
            key += coords[:, d] * stride
            stride *= grid[d]
        return None if _ascends(_data(key), n) else np.argsort(key, kind="stable")
    places = np.lexsort((inner, *(coords[:, d] for d in range(len(grid) - 1, -1, -1))))
    return None if _ascends(_data(places), n) else places
