"""From the stored bytes of a chunk to the items that are wanted."""

from libc.stdint cimport int64_t

from zchunk._ext.blosc cimport Frame
from zchunk._ext.codecs cimport Scratch
from zchunk._ext.plan cimport Plan
from zchunk._ext.region cimport Region
from zchunk._ext.source cimport Source
from zchunk._ext.status cimport Failure

cdef extern from "stream.h" nogil:
    void stream_copy "zc_stream_copy"(char* dst, const char* src, size_t n)
    void copy_row "zc_copy_row"(char* dst, const char* src, size_t n)
    # What was written past the caches is there for other threads.
    void stream_done "zc_stream_done"()

cdef int scatter_raw(
    const Plan* p, const Region* r, const Source* source, int64_t base, Scratch* s, Failure* f
) noexcept nogil
cdef int scatter_frame(const Plan* p, const Region* r, const Frame* frame, Scratch* s, Failure* f) noexcept nogil
