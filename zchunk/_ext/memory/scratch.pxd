"""The memory that a thread works in, reused from chunk to chunk."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free

cdef extern from "memory/scratch.h" nogil:
    void* zc_allocate(size_t n)

cdef struct Scratch:
    # Memory and contexts that one thread reuses from chunk to chunk; zero at first, to be released at the end.
    uint8_t* encoded        # the stored bytes of a chunk, or their head
    size_t encoded_size
    uint8_t* stored         # a part of them
    size_t stored_size
    uint8_t* chunk          # the decoded bytes of a chunk
    size_t chunk_size
    uint8_t* block          # one block of a frame, decoded
    size_t block_size
    uint8_t* planes         # one block of a frame, still shuffled
    size_t planes_size
    void* blosclz
    void* lz4
    void* lz4hc
    void* zstd_encoder
    void* zstd_decoder
    bint incompressible     # so was the last chunk that was encoded

cdef inline uint8_t* reserve(uint8_t** buffer, size_t* size, size_t wanted) noexcept nogil:
    """Return `buffer`, made at least `wanted` bytes large; its content is lost when it grows. NULL: no memory."""
    if size[0] < wanted or buffer[0] == NULL:
        free(buffer[0])
        size[0] = wanted if wanted else 1
        buffer[0] = <uint8_t*>zc_allocate(size[0])
        if buffer[0] == NULL:
            size[0] = 0
    return buffer[0]
