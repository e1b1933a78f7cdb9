"""The drain loop: locate, fetch, decode, scatter (and back) for many chunks in one GIL release.

A `Job` is a regular selection of a chunked array and the memory it is read into or written from. The stored
bytes are in a local folder, or the caller hands them over and takes them, a batch of chunks at a time. Each
thread that calls `Job.run` takes the next task by an atomic counter until none is left: a chunk, or a part of
one where chunks are few and large. The first failure stops all; `Job.failure` tells it, and `zchunk.engine.native`
raises. What each chunk costs does not depend on how many there are.

`zchunk.engine.generic` is the definition of what happens here; this loop skips work.
"""

import os

from libc.errno cimport errno
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.ref cimport PyObject, Py_XDECREF
cimport cython
cimport numpy as cnp

from zchunk._ext.codecs.blosc_encode cimport Layout as FrameLayout, frame_layout
from zchunk._ext.codecs.dispatch cimport BLOSC_KIND, RAW_KIND, encoded_bound, parse_spec
from zchunk._ext.codecs.libraries cimport thread_scratch, trim
from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.memory.copy cimport MAX_NDIM
from zchunk._ext.io.files cimport FSYNC_FILE, HERE, close_file, open_folder
from zchunk._ext.selection.axis cimport Axis
from zchunk._ext.threads.crew cimport Shared
from zchunk._ext.threads.guards cimport guards_held
from zchunk._ext.threads.locks cimport on_behalf, on_behalf_serial, work_for
from zchunk._ext.threads.waiters cimport Waiters, called_in, leave_turn, make_waiters
from zchunk._ext.engine.job cimport Layout
from zchunk._ext.engine.plan cimport Plan, Value, locate
from zchunk._ext.engine.read_chunk cimport AT_ONCE, UNOPENED, read_chunk
from zchunk._ext.selection.region cimport Region
from zchunk._ext.memory.stream cimport stream_done
from zchunk._ext.selection.slices cimport Plan as Selection, has_bit
from zchunk._ext.memory.status cimport NO_MEMORY, OK, Failure, fail
from zchunk._ext.engine.frame_team cimport Team, free_team, make_team, team_block, team_blocks
from zchunk._ext.engine.write_chunk cimport write_chunk

cdef extern from "threads/atomics.h" nogil:
    int64_t zc_take(int64_t* p, int64_t n)
    int64_t zc_load(const int64_t* p)
    int zc_claim(int64_t* p)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static int64_t zc_now_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    int64_t zc_now_ns()

cdef extern from *:
    PyObject* PyBytes_FromStringAndSize(const char* data, Py_ssize_t n) except NULL
    int _PyBytes_Resize(PyObject** obj, Py_ssize_t n) except -1

cnp.import_array()


# ---- drain

cdef enum:
    # From this size on a result is written past the caches. Reading 256 MiB in chunks of 1 MiB with two threads
    # went from 102 to 80 ms; a result of 32 MiB, which the last cache holds, from 13 to 17.
    STREAMING = 64 << 20
    # Chunks from this size on are read in several tasks if there are few, and not less than the other in all is
    # selected.
    LARGE = 2 << 20
    SMALL = 65536
    # Tiny chunks are taken several at a time, at most so many, and not more than a share of what is left: neighbours
    # share cache lines of the result, and all threads the counter.
    RUN = 32
    SHARES = 64
    # Of tiny chunks, the calls for one in so many are looked at.
    LOOKED_AT = 16
    # Longest path of a folder that is put before a key; keys have the rest of `MAX_KEY`.
    MAX_ROOT = 500


cdef int64_t now_ns() noexcept nogil:
    """Nanoseconds of a clock that only goes forward."""
    return zc_now_ns()


cdef inline int _do(Plan* p, int64_t k, int64_t part, Waiters* w, Scratch* s, Failure* f) noexcept nogil:
    cdef Region r
    if p.team != NULL:
        return team_block(<Team*>p.team, p, k, part, s, f)
    locate(p, k, &r)
    return write_chunk(p, k, &r, s, f) if p.writing else read_chunk(p, k, part, &r, w, s, f)


cdef inline bint _are_looked_at(const Plan* p, int64_t taken) noexcept nogil:
    """Whether the calls for what comes next show how slow the storage is, or it is known to be slow."""
    return p.chunk_nbytes > SMALL or taken % LOOKED_AT == 0 or called_in(p.waiters)


cdef void _drain(Plan* p, int64_t budget_ns) noexcept nogil:
    cdef Scratch* s = thread_scratch()
    cdef Failure f
    cdef Waiters* waiters = NULL
    cdef int64_t task = 0, last = 0, k, until = 0, run = 1, taken = 0
    cdef int status
    if budget_ns:
        until = now_ns() + budget_ns
    if p.chunk_nbytes <= SMALL and p.splits == 1:
        run = max(min((p.end - zc_load(&p.next)) // SHARES, <int64_t>RUN), 1)
    while not zc_load(&p.stop):
        if task == last:
            if budget_ns and last and now_ns() > until:
                # To be continued: the scratch is kept.
                if called_in(p.waiters):
                    leave_turn(p.waiters)
                stream_done()
                return
            task = zc_take(&p.next, run)
            last = min(task + run, p.end)
            if task >= last:
                break
            waiters = p.waiters if _are_looked_at(p, taken) else NULL
            taken += 1
        k = task // p.splits
        memset(&f, 0, sizeof(f))
        if s == NULL:
            status = fail(&f, NO_MEMORY, sizeof(Scratch), 0)
        else:
            status = _do(p, k, task % p.splits, waiters, s, &f)
        if status != OK:
            # Not by `stop`: a cancel must not hide what a thread still at work finds.
            if zc_claim(&p.claimed):
                p.failure = f
                p.failed = k
            zc_claim(&p.stop)
        task += 1
    if called_in(p.waiters):
        leave_turn(p.waiters)
    stream_done()
    if s != NULL:
        trim(s)


cdef void _help(void* plan) noexcept nogil:
    _drain(<Plan*>plan, 0)


cdef void _help_waiting(void* plan) noexcept nogil:
    cdef Plan* p = <Plan*>plan
    work_for(p.waiters.thread, p.waiters.serial)
    _drain(p, 0)


# ---- boundary

cdef class Layout:
    """How the chunks of an array are made and where they are: what all jobs on it share.

    Parameters
    ----------
    chunk_shape : tuple of int
        Of a whole chunk.
    order : {"C", "F"}
        Memory order of a chunk.
    spec : tuple
        The codec, see `zchunk._ext.codecs.dispatch`.
    fill : bytes
        One item.
    folder : bytes or None
        Path of the folder that the chunk keys are relative to; None if the caller has the bytes.
    separator : str
        One character between coordinates.
    write_empty : bool
        Whether a chunk of nothing but fill values is stored.
    durability : int
        0 in place, 1 atomic, 2 atomic and synced, 3 the same, but the caller syncs the folders.
    prefixed : bool
        Keys begin with ``c`` and a separator.
    """

    def __init__(self, chunk_shape, str order, spec, bytes fill not None, bytes folder, str separator,
                 bint write_empty=True, int durability=1, bint prefixed=False):
        cdef Plan* p = &self.plan
        cdef int i, d, ndim = len(chunk_shape)
        cdef int64_t stride = len(fill), length
        cdef FrameLayout frame
        if order not in ("C", "F") or len(separator) != 1 or not 0 <= durability <= 3 or ndim > MAX_NDIM or not fill:
            raise ValueError(f"{ndim} axes, {order=}, {separator=}, {durability=}, an item of {len(fill)} bytes")
        parse_spec(spec, &p.codec)
        self._fill, self._folder = fill, folder
        if folder is not None and len(folder) < MAX_ROOT:
            self._root = folder + b"/"
            p.root, p.root_size = self._root, len(self._root)
        p.ndim = ndim
        p.itemsize = stride
        p.fill = self._fill
        p.folder = -1
        p.separator = <char>ord(separator)
        p.prefixed = prefixed
        p.write_empty = write_empty
        p.durability = durability
        p.splits = 1
        for i in range(ndim):
            d = i if order == "F" else ndim - 1 - i
            p.memory_order[ndim - 1 - i] = d
            p.chunk_strides[d] = stride
            length = chunk_shape[d]
            if length < 1 or stride > INT64_MAX // length:
                raise ValueError(f"a chunk of shape {chunk_shape} is empty or has more bytes than can be counted")
            p.axes[d].chunk = length
            stride *= length
        p.chunk_nbytes = stride
        p.whole_items = p.codec.kind != BLOSC_KIND or (
            <size_t>p.codec.blosc.typesize == p.itemsize and frame_layout(&p.codec.blosc, stride, &frame) == OK
            and (frame.blocksize % <int64_t>p.itemsize == 0 or frame.nblocks < 2)
        )


@cython.no_gc_clear
cdef class Job(Shared):
    """A regular selection of a chunked array, to be read or written.

    Parameters
    ----------
    layout : Layout
        Of the array.
    selection : Plan
        What is selected, see `zchunk._ext.selection`.
    array : numpy.ndarray
        Read into or written from; of the selection's shape, any strides.
    writing : bool
        Direction.
    lock_seed : int
        Hash of store and array path; the key's lock is `locks.KeyLock(lock_seed, key)`.
    threads : int
        How many threads are to work on it.

    Raises
    ------
    OSError
        The folder cannot be opened.
    """

    def __cinit__(self):
        self.plan.folder = -1
        self._work, self._arg, self._stop = _help, &self.plan, &self.plan.stop

    def __init__(self, Layout layout not None, Selection selection not None, cnp.ndarray array not None,
                 bint writing, uint64_t lock_seed, int threads):
        cdef Plan* p = &self.plan
        cdef Axis* a
        cdef const char* folder
        cdef int d, error
        if self._layout is not None:
            raise ValueError("a job is made once")
        if selection.ndim != layout.plan.ndim or <size_t>cnp.PyArray_ITEMSIZE(array) != layout.plan.itemsize:
            raise ValueError(f"{selection.ndim} axes and items of {cnp.PyArray_ITEMSIZE(array)} bytes for an array "
                             f"that has {layout.plan.ndim} and {layout.plan.itemsize}")
        if not writing and not cnp.PyArray_ISWRITEABLE(array):
            raise ValueError("the array to read into is read-only")
        p[0] = layout.plan
        self._array, self._layout, self._selection = array, layout, selection
        p.user, p.writing = selection.place(array, p.user_strides), writing
        p.streaming = cnp.PyArray_SIZE(array) * <int64_t>p.itemsize >= STREAMING
        p.lock_seed = lock_seed
        p.points, p.pointed = selection.points, selection.pointed
        p.total = 1 if p.points == NULL else p.points.parts
        p.pointed_axes = 0
        for d in range(p.ndim):
            a = &selection.at[d]
            if a.chunk != p.axes[d].chunk:
                raise ValueError(f"axis {d}: a selection for chunks of {a.chunk}, not {p.axes[d].chunk}")
            p.axes[d] = a[0]
            if has_bit(p.pointed, d):
                p.pointed_axes += 1
                continue
            if a.parts and p.total > (<int64_t>1 << 62) // a.parts:
                raise ValueError(f"the selection touches more chunks than can be counted: {selection.axes}")
            p.total *= a.parts
        self._expect_waits(threads)
        if layout._folder is not None:
            self._split(threads)
            p.end = p.total * p.splits
            if p.end == 1 and not writing and p.root_size:
                # One file: what opening the folder would cost is more than walking the path takes.
                p.folder = HERE
                return
            p.root_size = 0
            folder = layout._folder
            with nogil:
                p.folder = open_folder(folder)
                error = errno
            if p.folder < 0:
                raise OSError(error, os.strerror(error), os.fsdecode(layout._folder))

    cdef void _expect_waits(self, int threads) noexcept:
        """Be ready for storage that is slow, if several chunks are read, or written and synced."""
        cdef Plan* p = &self.plan
        cdef FrameLayout frame
        cdef int64_t each = 2 * min(p.chunk_nbytes, INT64_MAX // 8), block = 0
        if p.total < 2:
            return
        if p.writing and (p.durability != FSYNC_FILE or (<Layout>self._layout)._folder is None or guards_held()):
            # Not under a guard, as no other helpers are called in there.
            return
        if p.codec.kind == BLOSC_KIND:
            block = min(p.chunk_nbytes, INT64_MAX // 8)
            if frame_layout(&p.codec.blosc, p.chunk_nbytes, &frame) == OK:
                block = frame.blocksize
        if ((<Layout>self._layout)._folder is not None and not p.pointed and not p.writing
                and (p.codec.kind == RAW_KIND or (p.codec.kind == BLOSC_KIND and p.whole_items))):
            # Of a large file not all is in memory, but a block of it, its planes, and what is stored of it.
            each = min(each, min(p.chunk_nbytes, <int64_t>AT_ONCE) + 3 * block)
        each = max(each, <int64_t>AT_ONCE // 2)
        p.waiters = self._waiters = make_waiters(_help_waiting, p, each, max(threads, 1))
        if p.waiters != NULL:
            p.waiters.thread, p.waiters.serial = on_behalf(), on_behalf_serial()

    cdef void _split(self, int threads) noexcept:
        """Make several tasks of a chunk, if there are few and they are large."""
        cdef Plan* p = &self.plan
        cdef int64_t k
        if p.total == 0 or threads < 2:
            return
        p.team = make_team(p, threads)
        if p.team != NULL:
            p.splits = team_blocks(<Team*>p.team)
        elif (not p.writing and not p.codec.crc and p.total < 4 * threads and p.chunk_nbytes >= LARGE and p.whole_items
                and (p.codec.kind == RAW_KIND or p.codec.kind == BLOSC_KIND)
                and cnp.PyArray_SIZE(<cnp.ndarray>self._array) * <int64_t>p.itemsize >= SMALL):
            p.opened = <int64_t*>malloc(2 * p.total * sizeof(int64_t))
            if p.opened != NULL:
                p.splits = 4 * threads // p.total + 1
                p.parts = p.opened + p.total
                for k in range(p.total):
                    p.opened[k], p.parts[k] = UNOPENED, 0

    def __dealloc__(self):
        cdef int64_t k
        self._settle()
        self._forget()
        free_team(<Team*>self.plan.team)
        if self.plan.opened != NULL:
            with nogil:
                for k in range(self.plan.total):
                    if self.plan.opened[k] >= 0:
                        close_file(<int>self.plan.opened[k])
            free(self.plan.opened)
        if self.plan.folder >= 0:
            with nogil:
                close_file(self.plan.folder)

    cdef void _forget(self) noexcept:
        """Let go of the values of the last batch."""
        cdef int64_t i
        for i in range(self._count):
            Py_XDECREF(self._rooms[i])
        free(self._rooms)
        for i in range(self._viewed):
            PyBuffer_Release(&self._views[i])
        free(self._views)
        free(self.plan.values)
        self._rooms, self._views, self.plan.values, self._count, self._viewed = NULL, NULL, NULL, 0, 0

    cdef int _batch(self, int64_t first, int64_t n) except -1:
        """Make `run` work on the `n` chunks from `first` on, in memory."""
        self._forget()
        if self.plan.folder != -1:
            # Several tasks may be one chunk here.
            raise ValueError("a batch of chunks in memory, for a job whose chunks are files")
        if first < 0 or n < 0 or first > self.plan.total - n:
            raise ValueError(f"chunks {first} to {first + n} of {self.plan.total}")
        self.plan.values = <Value*>calloc(n + 1, sizeof(Value))
        self._rooms = <PyObject**>calloc(n + 1, sizeof(PyObject*))
        if self.plan.values == NULL or self._rooms == NULL:
            raise MemoryError
        self._count = n
        self.plan.first, self.plan.next, self.plan.end = first, first, first + n
        return 0

    def give(self, int64_t first, list values not None):
        """Make `run` read the chunks from `first` on, whose stored bytes are `values`; None if a chunk has none."""
        # The buffers are held until the next batch, so that memory that is not `bytes` does not move.
        cdef int64_t i
        cdef Py_buffer* view
        self._batch(first, len(values))
        self._views = <Py_buffer*>calloc(self._count + 1, sizeof(Py_buffer))
        if self._views == NULL:
            raise MemoryError
        for i in range(self._count):
            self.plan.values[i].size = -1
            if values[i] is not None:
                view = &self._views[self._viewed]
                PyObject_GetBuffer(values[i], view, PyBUF_SIMPLE)
                self._viewed += 1
                self.plan.values[i].data, self.plan.values[i].size = <uint8_t*>view.buf, view.len

    def make_room(self, int64_t first, int64_t n):
        """Make `run` encode the `n` chunks from `first` on, for `take`."""
        cdef int64_t i, bound = encoded_bound(&self.plan.codec, self.plan.chunk_nbytes)
        self._batch(first, n)
        for i in range(n):
            self._rooms[i] = PyBytes_FromStringAndSize(NULL, bound)
            if self._rooms[i] == NULL:
                raise MemoryError
            self.plan.values[i].data = <uint8_t*>PyBytes_AS_STRING(<object>self._rooms[i])

    def take(self):
        """Return the bytes to store of every chunk of the batch; None if stored items are to be merged with it."""
        cdef int64_t i
        cdef list out = []
        for i in range(self._count):
            if self.plan.values[i].size < 0:
                out.append(None)
                continue
            if _PyBytes_Resize(&self._rooms[i], self.plan.values[i].size) != 0:
                raise MemoryError
            out.append(<object>self._rooms[i])
        self._forget()
        return out

    def require(self):
        """Make it a failure to read a chunk that is not there, instead of fill values. Before `run`."""
        self.plan.required = True

    def key(self, int64_t k):
        """Return the key of the `k`-th chunk, without the path of the array."""
        cdef Region r
        cdef Plan p = self.plan
        p.shard.entries = NULL
        locate(&p, k, &r)
        return r.key[p.root_size:r.key_size].decode()

    @property
    def total(self):
        """Number of chunks that the selection touches."""
        return self.plan.total

    @property
    def tasks(self):
        """Number of pieces of work that are left."""
        return max(self.plan.end - self.plan.next, 0)

    def run(self, double seconds=0.0):
        """Work on chunks until none is left, or for about `seconds`. Return whether some may be left.

        Any number of threads may call this at once.
        """
        cdef int64_t budget = <int64_t>(seconds * 1e9)
        with nogil:
            _drain(&self.plan, budget)
        return zc_load(&self.plan.next) < self.plan.end and not zc_load(&self.plan.stop)

    def cancel(self):
        """Make every `run` return after the chunk it is at."""
        zc_claim(&self.plan.stop)

    def failure(self):
        """Return None, or ``(status, errno, found, expected, stored, key)`` of the first chunk that failed.

        To be asked when every `run` has returned.
        """
        if self.plan.failure.status == OK:
            return None
        return (self.plan.failure.status, self.plan.failure.err, self.plan.failure.found,
                self.plan.failure.expected, self.plan.failure.stored, self.key(self.plan.failed))
