"""Read and write one chunk of a selection."""

from libc.stdint cimport int64_t

from zchunk._ext.codecs cimport Scratch
from zchunk._ext.plan cimport Plan
from zchunk._ext.region cimport Region
from zchunk._ext.status cimport Failure

cdef int read_chunk(const Plan* p, int64_t k, const Region* r, Scratch* s, Failure* f) noexcept nogil
cdef int write_chunk(const Plan* p, int64_t k, const Region* r, Scratch* s, Failure* f) noexcept nogil
