"""Basic selections: what stands between the brackets becomes a `Plan`, the product of its axes.

The engine takes a plan's axes from C; Python sees them as tuples, which are made when asked for. For an illegal
selection there is no plan: `zchunk.indexing.plans` raises, and says why.
"""

import itertools
import math

import numpy as np

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.number cimport PyIndex_Check, PyNumber_AsSsize_t
from cpython.ref cimport Py_INCREF, PyTypeObject
from cpython.slice cimport PySlice_AdjustIndices, PySlice_Unpack
from libc.stdint cimport int64_t, uint64_t
cimport numpy as cnp

from zchunk._ext.memory cimport results
from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.selection.axis cimport Axis, axis_init
from zchunk._ext.selection.slices cimport has_bit as _has
from zchunk._ext.selection.axis import AxisParts

# Cython's own declarations leave out the functions that steal the reference to the dtype.
cdef extern from "numpy/arrayobject.h":
    PyTypeObject PyArray_Type
    cnp.ndarray PyArray_Zeros(int ndim, cnp.npy_intp* shape, cnp.dtype dtype, int fortran)
    cnp.ndarray PyArray_NewFromDescr(PyTypeObject* subtype, cnp.dtype dtype, int ndim, cnp.npy_intp* shape,
                                     cnp.npy_intp* strides, void* data, int flags, object like)

cnp.import_array()

# NumPy 1 has a name for it; from NumPy 2 on it is this.
cdef Py_ssize_t _MOST_AXES = getattr(np, "MAXDIMS", 64)

_ALL = slice(None)
_REVERSED = slice(None, None, -1)


# ---- plan

def items_at(memory not None, tuple index not None):
    """Return the items of memory at an index, of slices or of arrays for all axes: a view of it if of slices."""
    if len(index) >= _MOST_AXES:
        memory, index = _indexable(memory, index)
    # Without axes an Ellipsis, for no index at all gives a scalar.
    return memory[index if index else ...]


def assign_at(memory not None, tuple index not None, items):
    """Assign to the items of memory at an index, of slices or of arrays for all axes."""
    if len(index) >= _MOST_AXES:
        memory, index = _indexable(memory, index)
    # Without axes an Ellipsis, for no index at all makes an array that is assigned the item itself.
    memory[index if index else ...] = items


cdef tuple _indexable(memory, tuple index):
    """Return memory and an index without one of the axes if there are arrays for more axes than NumPy takes.

    It takes one array less than an array may have axes. One of as many axes is 1 long, for no memory holds 2**64 items;
    the array for it may be longer, and repeat it.
    """
    cdef Py_ssize_t axis, other
    cdef list rest
    if isinstance(index[0], slice):
        return memory, index
    axis = memory.shape.index(1)
    other = (axis + 1) % len(index)
    rest = list(index)
    # NumPy's functions that broadcast alone take 32 axes.
    rest[other] = rest[other] + 0 * rest[axis]
    del rest[axis]
    return memory.squeeze(axis), tuple(rest)


cdef class ChunkPart:
    """Where one chunk meets a selection.

    Attributes
    ----------
    coords : tuple of int
        Of the chunk in the grid.
    inner, outer : tuple of slice
        The selected items within the chunk, and their place in the memory that has one axis per array axis.
    full : bool
        The selection covers all of the chunk that lies in the array.
    """

    def chosen(self, chunk not None):
        """Return the selected items of a chunk: a view of it if they are selected by slices."""
        return items_at(chunk, self.inner)

    def choose(self, chunk not None, items):
        """Assign to the selected items of a chunk."""
        assign_at(chunk, self.inner, items)

    def placed(self, memory not None):
        """Return the items in the memory: a view of it if they are selected by slices."""
        return items_at(memory, self.outer)

    def place(self, memory not None, items):
        """Assign to the items in the memory."""
        assign_at(memory, self.outer, items)


cdef class Plan:
    """A selection of a chunked array: here per axis a range with positive step, made by `plan_basic`.

    `zchunk._ext.selection.positions` has those by positions.
    """

    cdef int begin(self, tuple shape, tuple chunks) except -1:
        """Begin with whole axes."""
        cdef Axis* a
        cdef Py_ssize_t i, ndim = len(shape)
        if ndim != len(chunks) or ndim > MAX_NDIM:
            raise ValueError(f"chunks {chunks} for shape {shape}")
        self.reserve(ndim)
        for i in range(ndim):
            a = &self.at[i]
            a.chunk, a.extent = chunks[i], shape[i]
            if a.chunk < 1 or a.extent < 0:
                raise ValueError(f"chunks {chunks} for shape {shape}")
            a.start, a.step, a.count = 0, 1, a.extent
            a.picks = NULL
        return 0

    cdef int reserve(self, Py_ssize_t ndim) except -1:
        """Make room for the axes; called once."""
        # Not in the object, since room for 64 axes is slow to get: up to 9 fit in a small block of Python's.
        self.at = <Axis*>PyMem_Malloc(ndim * sizeof(Axis))
        if self.at == NULL:
            raise MemoryError()
        self.ndim = <int>ndim
        return 0

    def __dealloc__(self):
        PyMem_Free(self.at)

    @property
    def axes(self):
        """Per axis ``(start, step, count, chunk, extent)``.

        The first item, the distance to the next, how many, the length of a chunk and of the axis.
        """
        cdef int d
        return tuple([(self.at[d].start, self.at[d].step, self.at[d].count, self.at[d].chunk, self.at[d].extent)
                      for d in range(self.ndim)])

    @property
    def shape(self):
        """Of the result: axes that an integer selects are dropped."""
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int i
        return tuple([shape[i] for i in range(self.result_shape(shape))])

    @property
    def size(self):
        """Number of selected items."""
        return math.prod(self.shape)

    @property
    def extents(self):
        """Lengths of the array's axes."""
        cdef int d
        return tuple([self.at[d].extent for d in range(self.ndim)])

    @property
    def touched(self):
        """Number of chunks that hold selected items."""
        cdef int d
        cdef int64_t points = 1 if self.points == NULL else self.points.parts
        return math.prod([self.at[d].parts for d in range(self.ndim) if not _has(self.pointed, d)], start=points)

    @property
    def expand(self):
        """Index that gives an array of `shape` one axis per array axis, in the order of `axes`; None if it has."""
        cdef int d
        if not self.dropped and not self.backward:
            return None
        return tuple([None if _has(self.dropped, d) else _REVERSED if _has(self.backward, d) else _ALL
                      for d in range(self.ndim)])

    cdef int result_shape(self, cnp.npy_intp* shape) noexcept nogil:
        """Fill in the result's shape and return its number of dimensions."""
        cdef int d, ndim = 0
        for d in range(self.ndim):
            if not _has(self.dropped, d):
                shape[ndim] = self.at[d].count
                ndim += 1
        return ndim

    cdef bint fits(self, cnp.ndarray memory):
        """Return whether `memory` has the result's shape."""
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int i, ndim = self.result_shape(shape)
        if ndim != cnp.PyArray_NDIM(memory):
            return False
        for i in range(ndim):
            if shape[i] != cnp.PyArray_DIM(memory, i):
                return False
        return True

    cdef char* place(self, cnp.ndarray memory, int64_t* strides) except? NULL:
        """Return where in `memory`, of the result's shape, the first item of `axes` is, and their strides.

        Axes that an integer selects have stride 0.
        """
        cdef char* first = <char*>cnp.PyArray_DATA(memory)
        cdef int d, i = 0
        if not self.fits(memory):
            raise ValueError(f"memory of shape {(<object>memory).shape} for a selection of shape {self.shape}")
        for d in range(self.ndim):
            first += self.place_axis(d, memory, &i, &strides[d])
        return first

    cdef int64_t place_axis(self, int d, cnp.ndarray memory, int* i, int64_t* stride) noexcept:
        """Fill in the stride of axis `d`, which is axis `i` of `memory` if it has it, and count that.

        Returns how far the first item of the axis is from the beginning of the memory.
        """
        stride[0] = 0
        if _has(self.dropped, d):
            return 0
        stride[0] = cnp.PyArray_STRIDE(memory, i[0])
        i[0] += 1
        if not _has(self.backward, d) or not self.at[d].count:
            return 0
        stride[0] = -stride[0]
        return (1 - self.at[d].count) * stride[0]

    def empty(self, cnp.dtype dtype not None, str order not None):
        """Return a new array of the result's shape; of items without bytes, one of zeros."""
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int ndim = self.result_shape(shape)
        Py_INCREF(dtype)
        if dtype.itemsize:
            return results.empty(ndim, shape, dtype, order == "F")
        # For a dtype without bytes NumPy takes one with some, which would stay as they are.
        return PyArray_Zeros(ndim, shape, dtype, order == "F")

    def view(self, cnp.ndarray memory not None):
        """Return `memory`, which has the result's shape, with one axis per array axis, in the order of `axes`."""
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int64_t strides[MAX_NDIM]
        cdef char* first
        cdef int d, writeable
        if not self.dropped and not self.backward and self.fits(memory):
            return memory
        first = self.place(memory, strides)
        for d in range(self.ndim):
            shape[d] = self.at[d].count
        writeable = cnp.PyArray_FLAGS(memory) & cnp.NPY_ARRAY_WRITEABLE
        return view_memory(memory, self.ndim, shape, strides, first, writeable)

    def takes(self, cnp.ndarray memory not None):
        """Return whether `memory`, which has the result's shape, can be read into or written from as it is."""
        return True

    def broadcast(self, cnp.ndarray items not None):
        """Return `items` with the result's shape, or None if they do not fit, as in NumPy's assignment.

        Axes of length 1 are repeated without a copy. Leading ones beyond the result's dimensions are ignored,
        unlike in other broadcasting.
        """
        cdef cnp.npy_intp shape[MAX_NDIM]
        cdef int64_t strides[MAX_NDIM]
        cdef int i, ndim, extra
        if self.fits(items):
            return items
        ndim = self.result_shape(shape)
        extra = cnp.PyArray_NDIM(items) - ndim
        for i in range(extra):
            if cnp.PyArray_DIM(items, i) != 1:
                return None
        for i in range(ndim):
            strides[i] = 0
            if i + extra >= 0 and cnp.PyArray_DIM(items, i + extra) != 1:
                if cnp.PyArray_DIM(items, i + extra) != shape[i]:
                    return None
                strides[i] = cnp.PyArray_STRIDE(items, i + extra)
        return view_memory(items, ndim, shape, strides, <char*>cnp.PyArray_DATA(items), 0)

    def parts(self):
        """Yield a `ChunkPart` for each chunk that holds selected items, the last axis varying fastest."""
        if not self.size:
            return
        axes = self.axes
        # The product keeps its arguments in memory: lists as long as an axis has chunks, never their product.
        for entries in itertools.product(*[AxisParts(*axis) for axis in axes]):
            full = True
            inner, outer, coords = [], [], []
            for (_, step, _, chunk, extent), (index, first, place, count) in zip(axes, entries, strict=True):
                coords.append(index)
                inner.append(slice(first, first + (count - 1) * step + 1, step))
                outer.append(slice(place, place + count))
                full &= count == min(chunk, extent - index * chunk)
            part = ChunkPart()
            part.coords, part.inner, part.outer, part.full = tuple(coords), tuple(inner), tuple(outer), full
            yield part


cdef cnp.ndarray view_memory(
    cnp.ndarray memory, int ndim, cnp.npy_intp* shape, int64_t* strides, char* first, int flags
):
    cdef cnp.npy_intp steps[MAX_NDIM]
    cdef cnp.ndarray view
    cdef cnp.dtype dtype
    cdef int d
    for d in range(ndim):
        steps[d] = strides[d]
    dtype = <cnp.dtype>cnp.PyArray_DESCR(memory)
    Py_INCREF(dtype)
    view = PyArray_NewFromDescr(&PyArray_Type, dtype, ndim, shape, steps, first, flags, None)
    cnp.set_array_base(view, memory)
    return view


# ---- selection

cdef bint take_integer(Axis* a, entry) except -1:
    cdef Py_ssize_t index
    if isinstance(entry, bool) or not PyIndex_Check(entry):
        return False
    try:
        index = PyNumber_AsSsize_t(entry, IndexError)
    except (TypeError, IndexError):
        return False
    if not -a.extent <= index < a.extent:
        return False
    a.start = index + a.extent if index < 0 else index
    a.step = a.count = 1
    return True


cdef bint take_slice(Axis* a, slice entry, bint* backward) except -1:
    cdef Py_ssize_t start, stop, step
    try:
        # A number of more than 64 bits becomes the greatest one of 64 bits, which no axis reaches either.
        PySlice_Unpack(entry, &start, &stop, &step)
    except (TypeError, ValueError):
        return False
    a.count = PySlice_AdjustIndices(a.extent, &start, &stop, step)
    backward[0] = step < 0
    # A step beyond the axis selects one item, whatever its size; the kernels compute in 64 bits.
    a.step = 1
    if a.count > 1:
        a.step = step
        if step < 0:
            # The same items from the other end, put into the output backwards.
            start += (a.count - 1) * step
            a.step = -step
    a.start = start if a.count else 0
    return True


def plan_basic(selection, tuple shape not None, tuple chunks not None):
    """Return the plan of a basic selection: integers, slices of any step, an Ellipsis.

    Parameters
    ----------
    selection : tuple or single entry
        What is missing at the end stands for whole axes, and so does the Ellipsis.
    shape, chunks : tuple of int
        Lengths of the array's axes and of its chunks.

    Returns
    -------
    Plan or None
        None if this is no basic selection of an array of this shape.
    """
    cdef tuple entries = <tuple>selection if isinstance(selection, tuple) else (selection,)
    cdef Py_ssize_t ndim = len(shape), missing = ndim - len(entries), i
    cdef Plan plan
    cdef int d = 0, kept = <int>ndim
    cdef bint dots = False, backward
    for entry in entries:
        if entry is Ellipsis:
            if dots:
                return None
            dots = True
            missing += 1
    if missing < 0:
        return None
    plan = Plan.__new__(Plan)
    plan.begin(shape, chunks)
    for entry in entries:
        if entry is Ellipsis:
            d += <int>missing
        elif isinstance(entry, slice):
            if not take_slice(&plan.at[d], <slice>entry, &backward):
                return None
            plan.backward |= <uint64_t>backward << d
            d += 1
        else:
            if not take_integer(&plan.at[d], entry):
                return None
            plan.dropped |= <uint64_t>1 << d
            d += 1
            kept -= 1
    for i in range(ndim):
        axis_init(&plan.at[i])
    plan.scalar = kept == 0 and not dots
    return plan
