"""Write one chunk of a selection."""

from libc.stdint cimport int64_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.io.files cimport Draft, RunningSum
from zchunk._ext.codecs.items cimport Items
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.selection.region cimport Region
from zchunk._ext.memory.status cimport Failure

cdef bint takes_items(const Plan* p, const Region* r) noexcept nogil
cdef void whole_items(const Plan* p, const Region* r, int64_t offset, Items* items) noexcept nogil
cdef int begin_chunk(const Plan* p, const Region* r, Draft* draft, RunningSum* sum, Failure* f) noexcept nogil
cdef int end_chunk(const Plan* p, const Region* r, Draft* draft, Failure* f) noexcept nogil
cdef int put_items(const Plan* p, Items* items, Draft* draft, Scratch* s, Failure* f) noexcept nogil
cdef int write_chunk(const Plan* p, int64_t k, const Region* r, Scratch* s, Failure* f) noexcept nogil
