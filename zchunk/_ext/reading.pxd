"""Read one chunk of a selection."""

from libc.stdint cimport int64_t

from zchunk._ext.codecs cimport Scratch
from zchunk._ext.plan cimport Plan
from zchunk._ext.region cimport Region
from zchunk._ext.source cimport Source
from zchunk._ext.status cimport Failure

cdef enum:
    # In `Plan.opened`: nobody came yet
    UNOPENED = -100

cdef int read_chunk(const Plan* p, int64_t k, int64_t part, Region* r, Scratch* s, Failure* f) noexcept nogil
cdef int open_file(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil
cdef int open_inner(const Plan* p, const Region* r, Source* source, Failure* f) noexcept nogil
cdef int check_sum(const Plan* p, Source* source, Scratch* s, Failure* f) noexcept nogil
