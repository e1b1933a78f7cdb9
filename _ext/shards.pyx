"""Jobs on the array in a shard: its chunks lie in one value, at the offsets that an index tells.

`zchunk.shards` reads and checks the index. To read, chunks are found in the shard's file or bytes. To write, the
chunks that are selected are encoded side by side, and then put together with those that the shard held before.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from cpython.buffer cimport PyBUF_CONTIG, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
cimport numpy as cnp

from zchunk._ext.chain cimport encoded_bound
from zchunk._ext.engine cimport Job
from zchunk._ext.plan cimport Plan, locate
from zchunk._ext.region cimport Region

cnp.import_array()

cdef uint64_t NOWHERE = <uint64_t>-1


# ---- kernels

cdef void _number(const Plan* p, int64_t* chunk) noexcept nogil:
    """Note for every chunk of the shard which chunk of the selection it is, plus one."""
    cdef Region r
    cdef int64_t k
    for k in range(p.total):
        locate(p, k, &r)
        chunk[r.number] = k + 1


cdef int64_t _measure(const Plan* p, const int64_t* chunk, int64_t n, const uint64_t* old, int64_t start,
                      uint64_t* entries) noexcept nogil:
    """Fill in where every chunk shall be, one after the other from `start`; return where the last ends."""
    cdef int64_t i, size, end = start
    for i in range(n):
        if chunk[i]:
            size = p.values[chunk[i] - 1].size
        elif old == NULL or old[2 * i] == NOWHERE:
            size = -1
        else:
            size = <int64_t>old[2 * i + 1]
        if size < 0:
            entries[2 * i] = entries[2 * i + 1] = NOWHERE
            continue
        entries[2 * i], entries[2 * i + 1] = <uint64_t>end, <uint64_t>size
        end += size
    return end


cdef void _assemble(const Plan* p, const int64_t* chunk, int64_t n, const uint64_t* entries, uint8_t* dst) noexcept nogil:
    cdef const uint8_t* src
    cdef int64_t i
    for i in range(n):
        if entries[2 * i] == NOWHERE:
            continue
        if chunk[i]:
            src = p.values[chunk[i] - 1].data
        else:
            src = p.shard.data + (<int64_t>p.shard.entries[2 * i] - p.shard.base)
        memcpy(dst + entries[2 * i], src, entries[2 * i + 1])


# ---- boundary

cdef uint64_t* _entries(cnp.ndarray array, int64_t n, bint writing) except NULL:
    if (cnp.PyArray_TYPE(array) != cnp.NPY_UINT64 or not cnp.PyArray_IS_C_CONTIGUOUS(array) or array.size != 2 * n
            or (writing and not cnp.PyArray_ISWRITEABLE(array))):
        raise ValueError(f"an index of {n} chunks is an array of {2 * n} numbers of uint64, not {array!r:.80}")
    return <uint64_t*>cnp.PyArray_DATA(array)


cdef class ShardJob(Job):
    """A regular selection of the array in a shard, to be read or written. Made as any `Job`."""

    # What the plan points into.
    cdef object _held
    cdef Py_buffer _slots
    cdef int64_t _size

    def __dealloc__(self):
        PyBuffer_Release(&self._slots)

    def attach(self, tuple counts not None, cnp.ndarray entries not None, int fd, bytes data, int64_t base):
        """Say where the chunks are: to read them, or to merge them with what is written.

        Parameters
        ----------
        counts : tuple of int
            Chunks along every axis.
        entries : numpy.ndarray of uint64
            Offset and size of every chunk, both 2**64 - 1 for one that is not there. Those that the selection
            touches lie in the shard.
        fd : int
            Descriptor of the shard's file. It must stay open until the job is done.
        data : bytes or None
            Bytes of the shard from `base` on, if it is not to be read from the file.
        base : int
            Offset of the first of `data`.
        """
        cdef Plan* p = &self.plan
        cdef int64_t n = 1, end
        cdef uint64_t* at
        cdef int d
        if len(counts) != p.ndim or self._held is not None:
            raise ValueError(f"a grid of {counts} chunks for {p.ndim} axes, or for a second time")
        for d in range(p.ndim - 1, -1, -1):
            p.shard.strides[d] = n
            n *= counts[d]
            if p.axes[d].extent > counts[d] * p.axes[d].chunk:
                raise ValueError(f"axis {d} of length {p.axes[d].extent} in {counts[d]} chunks of {p.axes[d].chunk}")
        at = _entries(entries, n, False)
        self._held = (entries, data)
        self._size = n
        p.shard.entries = at
        p.shard.fd, p.shard.base = fd, base
        if data is not None:
            end = base + len(data)
            for d in range(n):
                if at[2 * d] != NOWHERE and not base <= <int64_t>at[2 * d] <= end - <int64_t>at[2 * d + 1]:
                    raise ValueError(f"chunk {d} at {at[2 * d]}, {at[2 * d + 1]} bytes, is outside {base} to {end}")
            p.shard.data = <const uint8_t*>PyBytes_AS_STRING(data)
        p.end = p.total

    @property
    def bound(self):
        """Most bytes that an encoded chunk takes."""
        return encoded_bound(&self.plan.codec, self.plan.chunk_nbytes)

    def make_slots(self, buffer):
        """Make `run` encode all chunks into `buffer`, which has room for `total` times `bound` bytes.

        They are merged with those of the shard where only a part is written.
        """
        cdef Plan* p = &self.plan
        cdef int64_t i, bound = self.bound
        if p.shard.entries == NULL or p.values != NULL:
            raise ValueError("no shard is attached, or slots were made before")
        PyObject_GetBuffer(buffer, &self._slots, PyBUF_CONTIG)
        if self._slots.len // bound < p.total:
            raise ValueError(f"{self._slots.len} bytes for {p.total} chunks of {bound}")
        self._batch(0, p.total)
        for i in range(p.total):
            p.values[i].data = <uint8_t*>self._slots.buf + i * bound
        p.merging = True

    def pack(self, cnp.ndarray entries not None, int64_t start, int64_t tail):
        """Return the shard's bytes: `start` bytes free, the chunks in the order of the index, `tail` bytes free.

        `entries` is filled with their offsets and sizes. None if no chunk is left.
        """
        cdef Plan* p = &self.plan
        cdef uint64_t* at = _entries(entries, self._size, True)
        cdef int64_t* chunk
        cdef const uint64_t* old = NULL
        cdef int64_t end
        cdef uint8_t* dst
        if p.values == NULL or self._count != p.total or self.tasks:
            raise ValueError("the chunks are not encoded")
        if p.shard.data != NULL:
            old = p.shard.entries
        chunk = <int64_t*>calloc(self._size + 1, sizeof(int64_t))
        if chunk == NULL:
            raise MemoryError
        try:
            with nogil:
                _number(p, chunk)
                end = _measure(p, chunk, self._size, old, start, at)
            if end == start:
                return None
            out = PyBytes_FromStringAndSize(NULL, end + tail)
            dst = <uint8_t*>PyBytes_AS_STRING(out)
            with nogil:
                _assemble(p, chunk, self._size, at, dst)
            return out
        finally:
            free(chunk)

    @staticmethod
    def put(bytes shard not None, int64_t at, bytes index not None):
        """Write the index into the bytes that `pack` left free, before anybody else sees them."""
        cdef char* dst = PyBytes_AS_STRING(shard)
        cdef const char* src = PyBytes_AS_STRING(index)
        if at < 0 or at > len(shard) - len(index):
            raise ValueError(f"{len(index)} bytes at {at} of {len(shard)}")
        memcpy(dst + at, src, len(index))
