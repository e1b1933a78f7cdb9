"""Read one chunk of a selection."""

from libc.stdint cimport int64_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.selection.region cimport Region
from zchunk._ext.io.source cimport Source
from zchunk._ext.memory.status cimport Failure
from zchunk._ext.threads.waiters cimport Waiters

cdef enum:
    # In `Plan.opened`: no task has opened the file yet
    UNOPENED = -100
    # Where the storage is slow, a file up to this size is read by one call.
    AT_ONCE = 1 << 21

cdef int read_chunk(
    const Plan* p, int64_t k, int64_t part, Region* r, Waiters* w, Scratch* s, Failure* f
) noexcept nogil
cdef int open_file(
    const Plan* p, const Region* r, Waiters* w, Source* source, Scratch* s, Failure* f
) noexcept nogil
cdef int open_inner(const Plan* p, const Region* r, Waiters* w, Source* source, Failure* f) noexcept nogil
cdef int check_sum(const Plan* p, Source* source, Scratch* s, Failure* f) noexcept nogil
