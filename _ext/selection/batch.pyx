"""The selection of a batch of zarr-python: recovered from its first and last chunk, checked against every chunk.

zarr-python hands a codec pipeline no selection, but for each chunk a tuple of what it has planned: the place of the
chunk, what kind of chunk it is, the selected items within the chunk, their place in the result, and whether they are
all of the chunk. The engine takes a few numbers per axis. Those are in the first and the last tuple; whether they
say what all tuples say is asked of each.
"""

from cpython.number cimport PyIndex_Check, PyNumber_AsSsize_t
from cpython.sequence cimport PySequence_Check
from cpython.slice cimport PySlice_Unpack
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.selection.axis cimport Axis, Part, axis_init, axis_part
from zchunk._ext.selection.slices cimport Plan, has_bit

# Beyond it nothing is computed: sums of two positions are numbers of 64 bits.
cdef int64_t _FARTHEST = <int64_t>1 << 61
# A digit more would lie beyond it.
cdef int64_t _LAST_BUT_ONE_DIGIT = _FARTHEST // 10 - 1


# ---- what is in a tuple

cdef bint _take(entry, int64_t* start, int64_t* stop, int64_t* step, bint* dropped) except -1:
    """Say which items of a chunk an entry selects; False if it is neither an integer nor a slice of numbers."""
    cdef Py_ssize_t a, b, c
    dropped[0] = not isinstance(entry, slice)
    if not dropped[0]:
        try:
            PySlice_Unpack(entry, &a, &b, &c)
        except (TypeError, ValueError):
            return False
        start[0], stop[0], step[0] = a, b, c
        return 0 <= a < b and c >= 1 and b < _FARTHEST
    # An array of one item is an integer to Python, too.
    if isinstance(entry, bool) or not PyIndex_Check(entry) or PySequence_Check(entry):
        return False
    start[0] = PyNumber_AsSsize_t(entry, IndexError)
    stop[0], step[0] = start[0] + 1, 1
    return 0 <= start[0] < _FARTHEST


cdef bint _is_key(str path, str prefix, char separator, const int64_t* coords, int ndim) except -1:
    """Whether a key is the prefix and the coordinates."""
    cdef Py_ssize_t size, skipped
    cdef const char* at = PyUnicode_AsUTF8AndSize(path, &size)
    cdef const char* head = PyUnicode_AsUTF8AndSize(prefix, &skipped)
    cdef const char* end = at + size
    cdef int64_t number
    cdef int d
    if size < skipped or memcmp(at, head, skipped) != 0:
        return False
    at += skipped
    for d in range(ndim):
        if d:
            if at == end or at[0] != separator:
                return False
            at += 1
        if at == end or not c"0" <= at[0] <= c"9":
            return False
        number = 0
        while at < end and c"0" <= at[0] <= c"9" and number <= _LAST_BUT_ONE_DIGIT:
            number = 10 * number + (at[0] - c"0")
            at += 1
        if number != coords[d]:
            return False
    return at == end


# ---- all of them

cdef bint _begin(Plan plan, tuple chunks, tuple first, tuple last, tuple firsts, tuple lasts, int64_t* stops) except -1:
    """Make the axes of what the first and the last chunk are of; False if there is no such selection."""
    cdef int64_t start, stop, step, low, high, unused, first_index, last_index, position
    cdef bint dropped, again
    cdef Axis* a
    cdef int d
    for d in range(plan.ndim):
        a = &plan.at[d]
        a.chunk, first_index, last_index = chunks[d], first[d], last[d]
        if not 0 <= first_index <= last_index < _FARTHEST // a.chunk - 1:
            return False
        if not _take(firsts[d], &start, &stop, &step, &dropped):
            return False
        if not _take(lasts[d], &low, &high, &unused, &again) or dropped != again:
            return False
        if stop > a.chunk or high > a.chunk or (dropped and first_index != last_index):
            return False
        a.start = first_index * a.chunk + start
        # The last item that the last chunk has.
        position = last_index * a.chunk + low + (high - low - 1) // step * step
        if position < a.start:
            return False
        a.count = (position - a.start) // step + 1
        a.step = step if a.count > 1 else 1
        # As if the array ended with the chunk, until a tuple says otherwise.
        a.extent = (last_index + 1) * a.chunk
        stops[d] = last_index * a.chunk + high
        plan.dropped |= <uint64_t>dropped << d
        axis_init(a)
    return True


cdef bint _agrees(Plan plan, tuple inner, tuple outer, bint whole, const Part* parts, const int64_t* at,
                  uint64_t* ends) except -1:
    """Whether a tuple selects of its chunk what the plan does. Bits of `ends`: the array ends in the chunk."""
    cdef int64_t start, stop, step
    cdef bint dropped
    cdef int d, kept = 0
    if len(inner) != plan.ndim:
        return False
    for d in range(plan.ndim):
        if not _take(inner[d], &start, &stop, &step, &dropped) or start != parts[d].inner:
            return False
        if dropped != has_bit(plan.dropped, d) or stop > plan.at[d].chunk:
            return False
        if not dropped:
            if (stop - start - 1) // step + 1 != parts[d].count or (parts[d].count > 1 and step != plan.at[d].step):
                return False
            if kept >= len(outer) or not isinstance(outer[kept], slice):
                return False
            if not _take(outer[kept], &start, &stop, &step, &dropped):
                return False
            if start != parts[d].outer or stop != start + parts[d].count or step != 1:
                return False
            kept += 1
        if whole:
            if parts[d].inner != 0 or (parts[d].count > 1 and plan.at[d].step != 1):
                return False
            if at[d] == plan.at[d].parts - 1:
                ends[0] |= <uint64_t>1 << d
            elif parts[d].count != plan.at[d].chunk:
                return False
    return kept == len(outer)


def plan_batch(list batch not None, store, type kind not None, str prefix not None, str separator not None,
               tuple chunks not None, tuple first not None, tuple last not None, bint edges):
    """Return the plan of what a batch selects.

    Parameters
    ----------
    batch : list of tuple
        Per chunk its place, what it is, the selected items in it, their place in the result, and whether they are
        all of the chunk that lies in the array.
    store : object
        That all places are in.
    kind : type
        Of the places, which have the attributes `store` and `path`.
    prefix, separator : str
        What the keys begin with, and what is between coordinates.
    chunks : tuple of int
        Lengths of a chunk.
    first, last : tuple of int
        Coordinates of the first and the last chunk.
    edges : bool
        Whether a chunk that the array ends in is written as a whole if all of it that lies in the array is: not a
        shard, which keeps what lies beyond.

    Returns
    -------
    Plan or None
        The array that it is of ends where the last chunk does; with `edges` within, where a chunk that ends there is
        selected whole, though not all of it is selected. None if this is no product of integers and slices.
    """
    cdef Py_ssize_t n = len(batch), ndim = len(chunks), k
    cdef Part parts[MAX_NDIM]
    cdef int64_t at[MAX_NDIM]
    cdef int64_t coords[MAX_NDIM]
    cdef int64_t stops[MAX_NDIM]
    cdef int64_t total = 1
    cdef uint64_t ends = 0
    cdef int d
    cdef Plan plan
    cdef bytes between = separator.encode()
    if n == 0 or ndim > MAX_NDIM or len(first) != ndim or len(last) != ndim or len(between) != 1:
        return None
    for item in (batch[0], batch[n - 1]):
        if type(item) is not tuple or len(<tuple>item) != 5:
            return None
        if type((<tuple>item)[2]) is not tuple or len(<tuple>(<tuple>item)[2]) != ndim:
            return None
    plan = Plan.__new__(Plan)
    plan.reserve(ndim)
    if not _begin(plan, chunks, first, last, batch[0][2], batch[n - 1][2], stops):
        return None
    for d in range(plan.ndim):
        if plan.at[d].parts > n // total:
            return None
        total *= plan.at[d].parts
        at[d] = 0
        axis_part(&plan.at[d], 0, &parts[d])
        coords[d] = parts[d].chunk
    if total != n:
        return None
    spec = batch[0][1]
    for k in range(n):
        item = batch[k]
        if type(item) is not tuple or len(<tuple>item) != 5:
            return None
        place, other, inner, outer, whole = <tuple>item
        if type(place) is not kind or place.store is not store or not _is_key(
            place.path, prefix, between[0], coords, plan.ndim
        ):
            return None
        if other is not spec and (other.shape != spec.shape or other.config is not spec.config):
            return None
        if type(inner) is not tuple or type(outer) is not tuple or not _agrees(
            plan, inner, outer, bool(whole), parts, at, &ends
        ):
            return None
        # The next chunk, the last axis counting fastest.
        d = plan.ndim - 1
        while d >= 0:
            at[d] += 1
            if at[d] == plan.at[d].parts:
                at[d] = 0
            axis_part(&plan.at[d], at[d], &parts[d])
            coords[d] = parts[d].chunk
            if at[d]:
                break
            d -= 1
    for d in range(plan.ndim):
        if edges and has_bit(ends, d):
            plan.at[d].extent = stops[d]
    return plan
