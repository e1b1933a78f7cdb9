"""From the stored bytes of a chunk to the items that are wanted."""

from libc.stdint cimport int64_t

from zchunk._ext.codecs.blosc_decode cimport Frame
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.selection.region cimport Region
from zchunk._ext.io.source cimport Source
from zchunk._ext.memory.status cimport Failure

cdef int scatter_raw(
    const Plan* p, const Region* r, const Source* source, int64_t base, Scratch* s, Failure* f
) noexcept nogil
cdef int scatter_frame(const Plan* p, const Region* r, const Frame* frame, Scratch* s, Failure* f) noexcept nogil
