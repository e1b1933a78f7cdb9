"""Where a selection along one axis meets the chunks.

For a regular selection by arithmetic, so that no table is needed; for positions in any order by `Picks`.
"""

from libc.stdint cimport int64_t


cdef struct Picks:
    # Positions along an axis, or of points along several, chunk by chunk.
    int64_t parts           # chunks that hold one
    bint repeated           # some positions occur more than once
    const int64_t* chunk    # per part: index of the chunk; of points an index for each of their axes
    const int64_t* begin    # where its positions begin, and where the last end
    const int64_t* step     # if they are a run: distance to the next in the chunk, > 0, and in the result; else 0
    const int64_t* stride
    const int64_t* inner    # positions in the chunk, of points as items in its memory; ascending within each
    const int64_t* outer    # their places in the result


cdef struct Axis:
    int64_t start           # first element selected, in array coordinates
    int64_t step            # >= 1
    int64_t count           # elements selected, >= 0
    int64_t chunk           # chunk length, >= 1
    int64_t extent          # length of the array's axis
    int64_t first           # index of the first chunk that holds a selected element
    int64_t parts           # chunks that hold a selected element
    const Picks* picks      # what is selected instead of a range; NULL for one


cdef struct Part:
    int64_t chunk           # chunk index along the axis
    int64_t inner           # first selected element, relative to the chunk
    int64_t outer           # its place among the selected
    int64_t count           # selected elements in this chunk, >= 1
    int64_t step            # from one to the next, in the chunk and among the selected
    int64_t stride
    const int64_t* inners   # or each of them, if they are no run; else NULL
    const int64_t* outers


cdef inline void axis_init(Axis* a) noexcept nogil:
    """Derive `first` and `parts` of a range from the other members."""
    cdef int64_t last
    a.picks = NULL
    a.first = 0
    a.parts = 0
    if a.count <= 0:
        return
    a.first = a.start // a.chunk
    if a.step >= a.chunk:
        # No two selected elements share a chunk.
        a.parts = a.count
    else:
        last = (a.start + (a.count - 1) * a.step) // a.chunk
        a.parts = last - a.first + 1


cdef inline void picks_part(const Picks* picks, int64_t k, Part* p) noexcept nogil:
    """Fill `p` for the k-th chunk that holds some of the positions."""
    cdef int64_t begin = picks.begin[k]
    p.chunk = picks.chunk[k]
    p.count = picks.begin[k + 1] - begin
    p.inner, p.outer = picks.inner[begin], picks.outer[begin]
    p.step, p.stride = picks.step[k], picks.stride[k]
    p.inners = p.outers = NULL
    if p.step == 0:
        p.inners, p.outers = picks.inner + begin, picks.outer + begin


cdef inline void axis_part(const Axis* a, int64_t k, Part* p) noexcept nogil:
    """Fill `p` for the k-th chunk that the selection touches, 0 <= k < a.parts."""
    cdef int64_t at, low, high, end
    if a.picks != NULL:
        picks_part(a.picks, k, p)
        return
    p.step, p.stride = a.step, 1
    p.inners = p.outers = NULL
    if a.step >= a.chunk:
        at = a.start + k * a.step
        p.chunk = at // a.chunk
        p.inner = at - p.chunk * a.chunk
        p.outer = k
        p.count = 1
        return
    p.chunk = a.first + k
    low = p.chunk * a.chunk
    p.outer = 0
    if low > a.start:
        # Rounded up without an intermediate that could overflow.
        p.outer = (low - a.start - 1) // a.step + 1
    at = a.start + p.outer * a.step
    p.inner = at - low
    # The chunk ends at low + chunk, or where the array ends; the difference cannot overflow.
    end = a.extent - low
    if end > a.chunk:
        end = a.chunk
    high = p.outer + (end - p.inner - 1) // a.step + 1
    if high > a.count:
        high = a.count
    p.count = high - p.outer
