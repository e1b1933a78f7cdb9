"""Jobs on the array in a shard: its chunks lie in one value, at the offsets that an index tells.

`zchunk.engine.shard` reads and checks the index. To read, chunks are found in the shard's file or bytes. To write, the
chunks that are selected are encoded a batch at a time and added to a new file, or value; those that the shard holds
and that are not written follow as they are.
"""

import os

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memmove, memset, strerror
from cpython.buffer cimport PyBUF_CONTIG, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
cimport cython
cimport numpy as cnp

from zchunk._ext.codecs.dispatch cimport encoded_bound
from zchunk._ext.codecs.libraries cimport thread_scratch, trim
from zchunk._ext.engine.job cimport Job, now_ns
from zchunk._ext.io.files cimport HERE, Draft, begin_file, commit_file, finish_file, pass_cache, put, put_at
from zchunk._ext.engine.plan cimport Plan, Value, locate
from zchunk._ext.engine.write_chunk cimport write_chunk
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.status cimport NO_MEMORY, OK, Failure, fail
from zchunk._ext.selection.region cimport Region

cnp.import_array()

cdef uint64_t NOWHERE = <uint64_t>-1

cdef enum:
    # Values that are smaller, on average, are moved together to be written by one call.
    SMALL = 16384


# ---- kernels

cdef int64_t _place(const Value* values, int64_t n, int64_t end, uint64_t* entries, uint8_t* touched) noexcept nogil:
    """Note where `n` values go, one after the other from `end`; return where the last ends."""
    cdef int64_t i, at
    for i in range(n):
        at = values[i].number
        touched[at] = 1
        if values[i].size < 0:
            entries[2 * at] = entries[2 * at + 1] = NOWHERE
            continue
        entries[2 * at], entries[2 * at + 1] = <uint64_t>end, <uint64_t>values[i].size
        end += values[i].size
    return end


cdef uint8_t* _gather(const Value* values, int64_t n) noexcept nogil:
    """Move values that are side by side in memory, with room between them, next to each other."""
    cdef uint8_t* at = values[0].data
    cdef int64_t i
    for i in range(n):
        if values[i].size > 0:
            memmove(at, values[i].data, values[i].size)
            at += values[i].size
    return values[0].data


cdef int _put_values(Draft* d, const Value* values, int64_t n, int64_t nbytes, Failure* f) noexcept nogil:
    cdef int64_t i
    if nbytes < n * SMALL:
        return put(d, _gather(values, n), nbytes, f)
    for i in range(n):
        if values[i].size > 0 and put(d, values[i].data, values[i].size, f) != OK:
            return f.status
    return OK


cdef int _encode_some(Plan* p, uint8_t* room, int64_t bound, int64_t n, Scratch* s, Failure* f) noexcept nogil:
    """Encode the `n` chunks from `p.first` on, each where `bound` bytes are for it."""
    cdef Region r
    cdef int64_t i
    for i in range(n):
        p.values[i].data = room + i * bound
        locate(p, p.first + i, &r)
        if write_chunk(p, p.first + i, &r, s, f) != OK:
            p.failed = p.first + i
            return f.status
    return OK


# ---- boundary

cdef uint64_t* _entries(cnp.ndarray array, int64_t n) except NULL:
    if (
        cnp.PyArray_TYPE(array) != cnp.NPY_UINT64 or not cnp.PyArray_ISCARRAY_RO(array) or array.size != 2 * n
    ):
        raise ValueError(f"an index of {n} chunks is an aligned array of {2 * n} numbers of uint64, not {array!r:.80}")
    return <uint64_t*>cnp.PyArray_DATA(array)


@cython.no_gc_clear
cdef class ShardJob(Job):
    """A regular selection of the array in a shard, to be read or written. Made as any `Job`."""

    # What the plan points into: entries and bytes of the shard as it is.
    cdef object _held
    cdef int64_t _size
    # The shard that is written.
    cdef object _fresh, _touched
    cdef list _parts
    cdef bytes _path
    cdef Draft _draft
    cdef bint _drafting
    cdef int64_t _end
    # One batch is encoded while the one before is added.
    cdef Py_buffer _slots[2]
    cdef int _turn
    cdef Value* _done
    cdef int64_t _done_n

    def __dealloc__(self):
        self._settle()
        self._discard()
        free(self._done)
        PyBuffer_Release(&self._slots[0])
        PyBuffer_Release(&self._slots[1])

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
            Bytes of the shard from `base` on, if they are not to be read from the file.
        base : int
            Offset in the shard of the first byte of `data`, or of the file: less than 0 where the shard begins
            further on in it.
        """
        cdef Plan* p = &self.plan
        cdef int64_t n = 1, i
        cdef uint64_t* at
        cdef uint64_t first, size
        cdef int d
        if len(counts) != p.ndim or self._held is not None:
            raise ValueError(f"a grid of {counts} chunks for {p.ndim} axes, or for a second time")
        for d in range(p.ndim - 1, -1, -1):
            p.shard.strides[d] = n
            n *= counts[d]
            if p.axes[d].extent > counts[d] * p.axes[d].chunk:
                raise ValueError(f"axis {d} of length {p.axes[d].extent} in {counts[d]} chunks of {p.axes[d].chunk}")
        at = _entries(entries, n)
        self._held = (entries, data)
        self._size = n
        p.shard.entries = at
        p.shard.fd, p.shard.base = fd, base
        if data is not None:
            if base < 0:
                raise ValueError(f"base is {base}, not an offset in the shard")
            first, size = base, len(data)
            for i in range(n):
                # Without sums, which could be more than 64 bits.
                if at[2 * i] != NOWHERE and not (
                    at[2 * i] >= first and at[2 * i + 1] <= size and at[2 * i] - first <= size - at[2 * i + 1]
                ):
                    raise ValueError(f"chunk {i} at {at[2 * i]}, {at[2 * i + 1]} bytes, is outside {base} to "
                                     f"{base + len(data)}")
            p.shard.data = <const uint8_t*>PyBytes_AS_STRING(data)
        p.end = p.total

    @property
    def bound(self):
        """Most bytes that an encoded chunk takes."""
        return encoded_bound(&self.plan.codec, self.plan.chunk_nbytes)

    # ---- writing: begin, then make_slots, run, detach and flush for each batch, keep, commit

    def begin(self, bytes path, int durability, int64_t start, bint direct=False):
        """Begin the shard, with `start` bytes for the index in front.

        Parameters
        ----------
        path : bytes or None
            Of the file; None if `commit` is to return the bytes.
        durability : int
            0 in place, 1 atomic, 2 atomic and synced, 3 the same, but the caller syncs the folders.
        start : int
            Bytes that are left free.
        direct : bool, optional
            Whether the file is to go past the system's cache, where it can.

        Raises
        ------
        OSError
            There can be no such file.
        """
        cdef Failure f
        cdef const char* name
        cdef int status
        if self.plan.shard.entries == NULL or self._fresh is not None:
            raise ValueError("no shard is attached, or it was begun before")
        self._fresh = np.full((self._size, 2), NOWHERE, np.uint64)
        self._touched = np.zeros(self._size, np.bool_)
        self._end = start
        self._parts = []
        if path is None:
            return
        name = self._path = path
        with nogil:
            status = begin_file(HERE, name, durability, &self._draft, &f)
            if status == OK and direct:
                pass_cache(&self._draft)
        if status != OK:
            self._raise(&f)
        self._drafting = True
        self._put(bytes(start))

    def make_slots(self, buffer, int64_t first, int64_t n):
        """Make `run` encode the `n` chunks from `first` on into `buffer`, which has `bound` bytes for each.

        Chunks of which a part is written are merged with those of the shard.
        """
        cdef Plan* p = &self.plan
        cdef Py_buffer* view = &self._slots[self._turn]
        cdef int64_t i, bound = self.bound
        PyBuffer_Release(view)
        PyObject_GetBuffer(buffer, view, PyBUF_CONTIG)
        if n < 1 or view.len // bound < n:
            raise ValueError(f"{view.len} bytes for {n} chunks of {bound}")
        self._batch(first, n)
        for i in range(n):
            p.values[i].data = <uint8_t*>view.buf + i * bound
        p.merging = True

    def detach(self):
        """Set aside what was encoded, for `flush`."""
        if self._done != NULL or self.tasks:
            raise ValueError("chunks are not encoded or not flushed")
        self._done, self._done_n = self.plan.values, self._count
        self.plan.values = NULL
        self._forget()
        self._turn ^= 1

    def flush(self):
        """Add to the shard what was set aside, if anything was."""
        cdef uint64_t* at = <uint64_t*>cnp.PyArray_DATA(self._fresh)
        cdef uint8_t* touched = <uint8_t*>cnp.PyArray_DATA(self._touched)
        cdef uint8_t* gathered
        cdef int64_t end
        cdef int status = OK
        cdef Failure f
        if self._done == NULL:
            return
        with nogil:
            end = _place(self._done, self._done_n, self._end, at, touched)
            if self._drafting:
                status = _put_values(&self._draft, self._done, self._done_n, end - self._end, &f)
        if not self._drafting:
            gathered = _gather(self._done, self._done_n)
            self._parts.append(PyBytes_FromStringAndSize(<char*>gathered, end - self._end))
        free(self._done)
        self._done, self._end = NULL, end
        if status != OK:
            self._raise(&f)

    @property
    def in_file(self):
        """Whether a file was begun, and not the bytes of a value."""
        return self._drafting

    def pour(self, buffer, int64_t first, double seconds):
        """Do what `make_slots`, `run`, `detach` and `flush` do, batch by batch, for about so many seconds.

        This thread does all, without the GIL. `buffer` has room for a batch. Returns the first chunk that is left;
        `failure` tells whether one failed.
        """
        cdef Plan* p = &self.plan
        cdef Draft* d = &self._draft
        cdef uint64_t* at = <uint64_t*>cnp.PyArray_DATA(self._fresh)
        cdef uint8_t* touched = <uint8_t*>cnp.PyArray_DATA(self._touched)
        cdef Py_buffer* view = &self._slots[self._turn]
        cdef int64_t until, most, n, end, bound = self.bound
        cdef Scratch* s
        cdef Failure f
        if not self._drafting or self._done != NULL:
            raise ValueError("no file was begun, or chunks are not flushed")
        PyBuffer_Release(view)
        PyObject_GetBuffer(buffer, view, PyBUF_CONTIG)
        most = view.len // bound
        if not 0 <= first < p.total or most < 1:
            raise ValueError(f"chunk {first} of {p.total}, and {view.len} bytes for chunks of {bound}")
        self._batch(first, min(most, p.total - first))
        p.merging = True
        memset(&f, 0, sizeof(f))
        with nogil:
            until = now_ns() + <int64_t>(seconds * 1e9)
            s = thread_scratch()
            if s == NULL:
                fail(&f, NO_MEMORY, sizeof(Scratch), 0)
            while f.status == OK and p.first < p.total and (p.first == first or now_ns() < until):
                n = min(most, p.total - p.first)
                if _encode_some(p, <uint8_t*>view.buf, bound, n, s, &f) == OK:
                    end = _place(p.values, n, self._end, at, touched)
                    _put_values(d, p.values, n, end - self._end, &f)
                    self._end = end
                    p.first += n
            if s != NULL:
                trim(s)
        first, p.next = p.first, p.end
        self._forget()
        if d.status != OK:
            self._raise(&f)
        p.failure = f
        return first

    def keep(self):
        """Add the chunks that the shard holds and that were not written."""
        cdef cnp.ndarray old = self._held[0]
        wanted = np.flatnonzero((old[:, 0] != NOWHERE) & ~self._touched) if self._held[1] is not None else ()
        data, base = self._held[1], self.plan.shard.base
        for number in wanted:
            offset, nbytes = old[number].tolist()
            self._fresh[number] = self._end, nbytes
            self._put(data[offset - base:offset - base + nbytes])
            self._end += nbytes

    @property
    def entries(self):
        """Offset and size of every chunk that was added, both 2**64 - 1 where there is none."""
        return self._fresh

    def commit(self, bytes index not None, bint in_front):
        """Add the index, and put the file in its place; return the bytes if there is no file."""
        cdef Failure f
        cdef const char* src = index
        cdef const char* path = NULL
        cdef int64_t n = len(index)
        cdef int status = OK
        if not self._drafting:
            return b"".join([index, *self._parts] if in_front else [*self._parts, index])
        if not in_front:
            self._put(index)
        path, self._drafting = self._path, False
        with nogil:
            if in_front:
                # After a failure this file is only cleared up.
                put_at(&self._draft, <const uint8_t*>src, n, 0, &f)
            status = finish_file(&self._draft, &f)
            if status == OK:
                status = commit_file(&self._draft, path, &f)
        if status != OK:
            self._raise(&f)
        return None

    def abort(self):
        """Leave what is stored as it is, if the shard was begun and not committed."""
        self._discard()

    cdef void _discard(self) noexcept:
        cdef Failure f
        if self._drafting:
            self._drafting = False
            self._draft.status = NO_MEMORY
            with nogil:
                finish_file(&self._draft, &f)

    cdef int _put(self, bytes data) except -1:
        cdef Failure f
        cdef const char* src = data
        cdef int64_t n = len(data)
        cdef int status
        if not self._drafting:
            if self._end or n:
                self._parts.append(data)
            return 0
        with nogil:
            status = put(&self._draft, <const uint8_t*>src, n, &f)
        if status != OK:
            self._raise(&f)
        return 0

    cdef int _raise(self, Failure* f) except -1:
        self._discard()
        raise OSError(f.err, (<bytes>strerror(f.err)).decode(), os.fsdecode(self._path or b""))
