"""Projection of a regular selection onto the chunks of one axis.

The arithmetic is in `zchunk/_ext/projection.pxd`, inlined into the engine. `AxisParts` is the same arithmetic
for Python: the generic path iterates it, the tests hold it against NumPy.
"""

from zchunk._ext.selection.axis cimport Axis, Part, axis_init, axis_part


cdef class AxisParts:
    """The chunks that ``range(start, start + count * step, step)`` touches on an axis, as a sequence.

    Item `k` is ``(chunk, inner, outer, count)``: the chunk's index, the first selected element within the
    chunk, its place among the selected elements, and how many selected elements the chunk holds.

    Parameters
    ----------
    start, step, count : int
        The selected elements, in array coordinates; `step` is at least 1.
    chunk, extent : int
        Length of a chunk and of the axis, in elements.
    """

    cdef Axis axis

    def __init__(self, start, step, count, chunk, extent):
        cdef Axis* a = &self.axis
        a.start, a.step, a.count, a.chunk, a.extent = start, step, count, chunk, extent
        if a.step < 1 or a.chunk < 1 or a.count < 0 or a.start < 0:
            raise ValueError(f"no regular selection: start={start} step={step} count={count} chunk={chunk}")
        if a.count and start + (count - 1) * step >= extent:
            raise ValueError(f"selection ends at {start + (count - 1) * step}, the axis at {extent}")
        axis_init(a)

    def __len__(self):
        return self.axis.parts

    def __getitem__(self, k):
        cdef Part p
        if not 0 <= k < self.axis.parts:
            raise IndexError(k)
        axis_part(&self.axis, k, &p)
        return p.chunk, p.inner, p.outer, p.count
