"""Copies of rows, and copies past the caches."""

cdef extern from "memory/stream.h" nogil:
    void stream_copy "zc_stream_copy"(char* dst, const char* src, size_t n)
    void copy_row "zc_copy_row"(char* dst, const char* src, size_t n)
    # What was written past the caches is there for other threads.
    void stream_done "zc_stream_done"()
