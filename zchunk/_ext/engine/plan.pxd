"""A selection of a chunked array as the kernels see it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from zchunk._ext.codecs.dispatch cimport Spec
from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.selection.axis cimport Axis, Picks
from zchunk._ext.selection.region cimport Region
from zchunk._ext.threads.waiters cimport Waiters
from zchunk._ext.memory.status cimport Failure

cdef struct Value:
    # The stored bytes of a chunk in memory, or room for them, or where they are.
    uint8_t* data       # NULL: in the plan's `file`
    int64_t size        # -1: there are none; EMPTY: the chunk is to be erased
    int64_t number      # of the chunk in its shard, once it was encoded; or of the first byte in the file
    uint32_t sum        # CRC-32 of the bytes in the file

cdef enum:
    EMPTY = -2

cdef struct Shard:
    # The chunks are in one value, if the array is the content of a shard. NULL: as for any array.
    const uint64_t* entries         # offset and size of every chunk, in C order
    int64_t strides[MAX_NDIM]       # chunks from one to the next along every axis
    const uint8_t* data             # its bytes, NULL: in the file `fd`
    int64_t base                    # of data, or of the file, in the shard
    int fd

cdef struct Plan:
    int ndim
    Axis axes[MAX_NDIM]
    const Picks* points             # what is selected along some axes together, or NULL
    uint64_t pointed                # bit d: along axis d
    int pointed_axes
    int64_t chunk_strides[MAX_NDIM]
    int memory_order[MAX_NDIM]      # axes from the slowest to the fastest in the chunk's memory
    # The caller's array, one axis per axis of the chunked array; points have one for all of theirs, the first.
    char* user
    int64_t user_strides[MAX_NDIM]
    size_t itemsize
    int64_t chunk_nbytes
    const char* fill                # one item
    Spec codec
    int folder                      # descriptor of the array's folder
    const char* root                # or its path with a slash, which the keys of regions begin with then
    size_t root_size
    Value* values                   # or the stored bytes of the chunks from `first` on, instead of files
    int64_t first
    int file                        # descriptor of the one file that values without data lie in
    bint merging                    # values are merged with what the shard holds, not left to the caller
    Shard shard
    char separator
    bint prefixed                   # keys begin with c
    bint writing
    bint streaming                  # the caller's memory is more than caches hold
    bint write_empty
    bint required                   # it is an error to read a chunk that is not there
    bint whole_items                # no block of a frame ends inside an item
    int durability
    uint64_t lock_seed
    int64_t total
    int64_t splits                  # tasks of a chunk
    void* team                      # its blocks are encoded by several threads, see `frame_team`; or NULL
    int64_t* opened                 # descriptors of the chunks' files, if a chunk may be several tasks; else NULL
    int64_t* parts                  # then into how many parts each chunk was cut by its first task; 0: not yet
    Waiters* waiters                # threads for where the storage is slow, or NULL
    int64_t end                     # the tasks before this one are to be worked on
    # Shared among the threads.
    int64_t next
    int64_t stop
    int64_t claimed                 # set by the one thread that may write the next two
    int64_t failed
    Failure failure

cdef void locate(const Plan* p, int64_t k, Region* r) noexcept nogil
