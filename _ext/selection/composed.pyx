"""Basic selections of basic selections: what they select of the array, and the plan of it.

`zchunk.indexing.composition` composes selections of every kind; here it is done at once for those that are made of
integers and slices alone. For others there is no result, and nothing is raised.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint64_t

from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.selection.axis cimport Axis, axis_init
from zchunk._ext.selection.slices cimport Plan, take_integer, take_slice

# Makes a tuple of a class that is derived from it, whatever that checks.
cdef object _new = tuple.__new__


cdef bint _take(Axis* at, int* place, tuple shape, selection) except -1:
    """Fill in what a basic selection selects along every axis, and the axis of the result, -1 for none.

    Returns whether it is one. Steps may be negative.
    """
    cdef tuple entries = <tuple>selection if isinstance(selection, tuple) else (selection,)
    cdef Py_ssize_t ndim = len(shape), missing = ndim - len(entries)
    cdef int d, i = 0, kept = 0
    cdef bint dots = False, backward
    for entry in entries:
        if entry is Ellipsis:
            if dots:
                return False
            dots = True
            missing += 1
    if missing < 0 or ndim > MAX_NDIM:
        return False
    for d in range(ndim):
        at[d].extent = at[d].count = shape[d]
        at[d].start, at[d].step = 0, 1
        place[d] = 0
    for entry in entries:
        if entry is Ellipsis:
            i += <int>missing
        elif isinstance(entry, slice):
            if not take_slice(&at[i], <slice>entry, &backward):
                return False
            if backward and at[i].count > 1:
                at[i].start += (at[i].count - 1) * at[i].step
                at[i].step = -at[i].step
            i += 1
        else:
            if not take_integer(&at[i], entry):
                return False
            place[i] = -1
            i += 1
    for d in range(ndim):
        if place[d] == 0:
            place[d] = kept
            kept += 1
    return True


def compose_basic(selection, tuple shape not None, tuple maps not None, span not None):
    """Return what a basic selection selects of a composition of basic selections.

    Parameters
    ----------
    selection : tuple or single entry
        As `plan_basic` takes it.
    shape : tuple of int
        Of what it selects from.
    maps : tuple
        For every axis of the array an integer, or a `span`: a tuple of an axis of `shape`, the first position and the
        distance to the next.
    span : type
        Class of the tuples, to make others.

    Returns
    -------
    tuple of (tuple, tuple) or None
        Shape and maps; None if one of the selections is of another kind, or not of this shape.
    """
    cdef Axis* at = <Axis*>PyMem_Malloc((len(shape) + 1) * sizeof(Axis))
    cdef int place[MAX_NDIM]
    cdef list found = []
    cdef int64_t start, step
    cdef int d, along
    if at == NULL:
        raise MemoryError()
    try:
        if not _take(at, place, shape, selection):
            return None
        for entry in maps:
            if type(entry) is not span:
                if not isinstance(entry, int):
                    return None
                found.append(entry)
                continue
            along, start, step = <tuple>entry
            start += at[along].start * step
            if place[along] < 0:
                found.append(start)
            else:
                found.append(_new(span, (place[along], start, at[along].step * step)))
        return tuple([at[d].count for d in range(len(shape)) if place[d] >= 0]), tuple(found)
    finally:
        PyMem_Free(at)


def plan_composed(
    tuple lengths not None, tuple maps not None, span not None, tuple shape not None, tuple chunks not None
):
    """Return the plan of a composition of basic selections whose axes are in the order of the array's.

    Parameters
    ----------
    lengths : tuple of int
        Shape of what is selected.
    maps, span
        As for `compose_basic`.
    shape, chunks : tuple of int
        Lengths of the array's axes and of its chunks.

    Returns
    -------
    Plan or None
        None if the composition is of another kind, or the array does not have all of the items.
    """
    cdef Plan found
    cdef Axis* a
    cdef int64_t start, step, count, last
    cdef int along, d, next_axis = 0
    if len(maps) != len(shape):
        return None
    found = Plan.__new__(Plan)
    found.begin(shape, chunks)
    for d, entry in enumerate(maps):
        a = &found.at[d]
        if type(entry) is span:
            along, start, step = <tuple>entry
            if along != next_axis:
                return None
            next_axis += 1
            count = lengths[along]
            last = start + (count - 1) * step
            if count == 0:
                start, step = 0, 1
            elif count == 1:
                step = 1
            elif step < 0:
                found.backward |= <uint64_t>1 << d
                start, last, step = last, start, -step
        elif isinstance(entry, int):
            start = last = entry
            step = count = 1
            found.dropped |= <uint64_t>1 << d
        else:
            return None
        if count and not (0 <= start and last < a.extent):
            return None
        a.start, a.step, a.count = start, step, count
        axis_init(a)
    return found if next_axis == len(lengths) else None
