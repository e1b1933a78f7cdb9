"""The drain loop: locate, fetch, decode, scatter (and back) for many chunks in one GIL release.

A `Job` is a regular selection of a chunked array in a local folder and the memory it is read into or written
from. Each thread that calls `Job.run` takes the next chunk by an atomic counter until none is left. The first
failure stops all; `Job.failure` tells it, and `zchunk.engine` raises. What each chunk costs does not depend
on how many there are.

`zchunk.engine` also has the generic path, the definition of what happens here. This one skips work.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.string cimport memset
cimport numpy as cnp

from zchunk._ext.chain cimport parse_spec
from zchunk._ext.chunks cimport read_chunk, write_chunk
from zchunk._ext.codecs cimport Scratch, release
from zchunk._ext.copy cimport MAX_NDIM
from zchunk._ext.projection cimport Axis, axis_init
from zchunk._ext.plan cimport Plan, locate
from zchunk._ext.region cimport Region
from zchunk._ext.scatter cimport stream_done
from zchunk._ext.status cimport OK, Failure

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static int64_t zc_take(int64_t *p) { return __atomic_fetch_add(p, 1, __ATOMIC_RELAXED); }
    static int64_t zc_get(int64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    /* True for the one caller that sets it. */
    static int zc_claim(int64_t *p) {
        int64_t zero = 0;
        return __atomic_compare_exchange_n(p, &zero, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    static int64_t zc_now_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    int64_t zc_take(int64_t* p)
    int64_t zc_get(int64_t* p)
    int zc_claim(int64_t* p)
    int64_t zc_now_ns()

cnp.import_array()


# ---- drain

cdef enum:
    # From this size on a result is written past the caches. Reading 256 MiB in chunks of 1 MiB with two threads
    # went from 102 to 80 ms; a result of 32 MiB, which the last cache holds, from 13 to 17.
    STREAMING = 64 << 20


cdef void _drain(Plan* p, int64_t budget_ns) noexcept nogil:
    cdef Scratch s
    cdef Region r
    cdef Failure f
    cdef int64_t k, until = 0
    cdef int status
    memset(&s, 0, sizeof(s))
    if budget_ns:
        until = zc_now_ns() + budget_ns
    while not zc_get(&p.stop):
        k = zc_take(&p.next)
        if k >= p.total:
            break
        locate(p, k, &r)
        memset(&f, 0, sizeof(f))
        status = write_chunk(p, &r, &s, &f) if p.writing else read_chunk(p, &r, &s, &f)
        if status != OK:
            # Not by `stop`: a cancel must not hide what a thread still at work finds.
            if zc_claim(&p.claimed):
                p.failure = f
                p.failed = k
            zc_claim(&p.stop)
        if budget_ns and zc_now_ns() > until:
            break
    stream_done()
    release(&s)


# ---- boundary

cdef class Job:
    """A regular selection of a chunked array in a local folder, to be read or written.

    Parameters
    ----------
    array : numpy.ndarray
        Read into or written from; one axis per axis of the chunked array, any strides.
    axes : sequence of tuple
        Per axis ``(start, step, count, chunk, extent)``, see `_ext.projection`.
    order : {"C", "F"}
        Memory order of a chunk.
    spec : tuple
        The codec, see `_ext.chain`.
    fill : bytes
        One item.
    folder : int
        Descriptor of the folder that the chunk keys are relative to. It must stay open while `run` runs.
    separator : str
        One character between coordinates.
    writing, write_empty : bool
        Direction; whether a chunk of nothing but fill values is stored.
    durability : int
        0 in place, 1 atomic, 2 atomic and synced.
    lock_seed : int
        Hash of store and array path; the key's stripe is `locks.Stripe(lock_seed, key)`.
    """

    cdef Plan plan
    cdef object _array
    cdef bytes _fill

    def __init__(self, cnp.ndarray array not None, axes, str order, spec, bytes fill not None, int folder,
                 str separator, *, bint writing=False, bint write_empty=True, int durability=1, uint64_t lock_seed=0):
        cdef Plan* p = &self.plan
        cdef int i, d, ndim = cnp.PyArray_NDIM(array)
        cdef Axis* a
        cdef int64_t stride
        if ndim != len(axes) or ndim > MAX_NDIM:
            raise ValueError(f"{len(axes)} axes for an array of {ndim} dimensions (at most {MAX_NDIM})")
        if cnp.PyArray_ITEMSIZE(array) != len(fill) or not fill:
            raise ValueError(f"the array has items of {cnp.PyArray_ITEMSIZE(array)} bytes, the fill value {len(fill)}")
        if not writing and not cnp.PyArray_ISWRITEABLE(array):
            raise ValueError("the array to read into is read-only")
        if order not in ("C", "F") or len(separator) != 1 or durability not in (0, 1, 2):
            raise ValueError(f"order={order!r}, separator={separator!r}, durability={durability}")
        self._array = array
        self._fill = fill
        parse_spec(spec, &p.codec)
        p.ndim = ndim
        p.user = <char*>cnp.PyArray_DATA(array)
        p.itemsize = len(fill)
        p.fill = self._fill
        p.folder = folder
        p.separator = <char>ord(separator)
        p.writing = writing
        p.streaming = cnp.PyArray_SIZE(array) * p.itemsize >= STREAMING
        p.write_empty = write_empty
        p.durability = durability
        p.lock_seed = lock_seed
        p.total = 1
        for d in range(ndim):
            a = &p.axes[d]
            a.start, a.step, a.count, a.chunk, a.extent = axes[d]
            if (a.start < 0 or a.step < 1 or a.chunk < 1 or a.count != cnp.PyArray_DIM(array, d)
                    or (a.count and (a.start >= a.extent or a.count - 1 > (a.extent - 1 - a.start) // a.step))):
                raise ValueError(f"axis {d}: {axes[d]} does not fit shape {(<object>array).shape}")
            axis_init(a)
            p.user_strides[d] = cnp.PyArray_STRIDE(array, d)
            if a.parts and p.total > (<int64_t>1 << 62) // a.parts:
                raise ValueError(f"the selection touches more chunks than can be counted: {axes}")
            p.total *= a.parts
        stride = p.itemsize
        for i in range(ndim):
            d = i if order == "F" else ndim - 1 - i
            p.memory_order[ndim - 1 - i] = d
            p.chunk_strides[d] = stride
            if stride > INT64_MAX // p.axes[d].chunk:
                raise ValueError(f"a chunk of {[axis[3] for axis in axes]} items has more bytes than can be counted")
            stride *= p.axes[d].chunk
        p.chunk_nbytes = stride

    @property
    def total(self):
        """Number of chunks that the selection touches."""
        return self.plan.total

    def run(self, double seconds=0.0):
        """Work on chunks until none is left, or for about `seconds`. Return whether some may be left.

        Any number of threads may call this at once.
        """
        cdef int64_t budget = <int64_t>(seconds * 1e9)
        with nogil:
            _drain(&self.plan, budget)
        return zc_get(&self.plan.next) < self.plan.total and not zc_get(&self.plan.stop)

    def cancel(self):
        """Make every `run` return after the chunk it is at."""
        zc_claim(&self.plan.stop)

    def failure(self):
        """Return None, or ``(status, errno, found, expected, stored, key)`` of the first chunk that failed.

        To be asked when every `run` has returned.
        """
        cdef Region r
        if self.plan.failure.status == OK:
            return None
        locate(&self.plan, self.plan.failed, &r)
        return (self.plan.failure.status, self.plan.failure.err, self.plan.failure.found,
                self.plan.failure.expected, self.plan.failure.stored, r.key[:r.key_size].decode())
