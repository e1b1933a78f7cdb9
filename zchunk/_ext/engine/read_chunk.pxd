"""Read one chunk of a selection."""

from libc.stdint cimport int64_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.selection.region cimport Region
from zchunk._ext.io.source cimport Source
from zchunk._ext.memory.status cimport Failure

cdef enum:
    # In `Plan.opened`: no task has opened the file yet
    UNOPENED = -100

cdef int read_chunk(const Plan* p, int64_t k, int64_t part, Region* r, Scratch* s, Failure* f) noexcept nogil
cdef int open_file(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil
cdef int open_inner(const Plan* p, const Region* r, Source* source, Failure* f) noexcept nogil
cdef int check_sum(const Plan* p, Source* source, Scratch* s, Failure* f) noexcept nogil
