"""Memory of large results: what one leaves when it goes serves the next.

The system clears every page before a process gets it, which is half the time of a bulk read. So a result's memory
is kept for half a second when the result goes, up to a limit, and is lent to the system meanwhile: it takes the
pages, without asking, when others need some. Lent pages still count as the process's, which dask and others watch:
a thread unmaps what nobody has used again in that time. It exists only while something is kept, and knows nothing
of Python. The C library keeps what is less than 32 MiB, in its way.

Only NumPy sees that: results own their memory, as all arrays do, by a handler for their data (NEP 49). A result
may shrink or grow by `ndarray.resize`. What is no longer large is the C library's. Where another library makes
the array that it wants filled, a result may take its place (`is_replaceable`).
"""

from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_REFCNT, PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strcpy
cimport numpy as cnp

cdef extern from "numpy/arrayobject.h":
    # Cython's own declaration leaves out that it steals the reference to the dtype.
    cnp.ndarray PyArray_Empty(int ndim, cnp.npy_intp* shape, cnp.dtype dtype, int fortran)

    ctypedef struct PyDataMemAllocator:
        void* (*malloc)(void* ctx, size_t size) noexcept
        void* (*calloc)(void* ctx, size_t n, size_t size) noexcept
        void* (*realloc)(void* ctx, void* data, size_t size) noexcept
        void (*free)(void* ctx, void* data, size_t size) noexcept

    ctypedef struct PyDataMem_Handler:
        char name[127]
        unsigned char version
        PyDataMemAllocator allocator

    object PyDataMem_SetHandler(object handler)
    PyObject* PyDataMem_DefaultHandler

cdef extern from "memory/pages.h" nogil:
    const size_t ZC_HUGE
    size_t zc_page()
    size_t zc_whole(size_t n)
    void* zc_map(size_t n)
    void zc_unmap(void* data, size_t n)
    int zc_lend(void* data, size_t n)

cdef extern from "memory/kept.h" nogil:
    int64_t zc_now()
    void zc_sleep(int64_t ns)
    int zc_guard_setup(void (*dropped)() noexcept nogil)
    void zc_guard_lock()
    void zc_guard_unlock()
    int zc_start(void* (*work)(void*) noexcept nogil)

cnp.import_array()

cdef enum:
    # Results from here on; NumPy asks for huge pages for the same.
    LARGE = 4 << 20
    DEFAULT = 512 << 20
    # A header before memory of the C library, its data at a multiple of this.
    SMALL_HEADER = 64
    SECOND = 1000000000

# In the page before the data, or, of what is small, right before them.
cdef struct Block:
    size_t size             # of the data: whole pages, if they are mapped
    int64_t since           # when it was given back
    Block* older
    void* start             # what the C library returned, or NULL

# What is kept: the newest first, and how many bytes there are and may be. The guard is held where they change: a
# thread without the GIL gives memory back.
cdef Block* _newest = NULL
cdef size_t _kept = 0
cdef size_t _limit = DEFAULT
cdef int64_t _keep_ns = SECOND // 2
cdef bint _thread_runs = False
# What tells how much may be kept, and when it was asked.
cdef object _bound = None
cdef int64_t _asked = 0


# ---- kernels

cdef inline bint _is_mapped(void* data) noexcept nogil:
    # The data of what is small never begin where huge pages do.
    return <uintptr_t>data % ZC_HUGE == 0


cdef inline void* _data(Block* block) noexcept nogil:
    return <char*>block + zc_page()


cdef inline Block* _block(void* data) noexcept nogil:
    return <Block*>(<char*>data - (zc_page() if _is_mapped(data) else SMALL_HEADER))


cdef void* _allocate_small(size_t size) noexcept nogil:
    cdef char* start = <char*>malloc(size + 3 * SMALL_HEADER)
    cdef char* data
    cdef Block* block
    if start == NULL:
        return NULL
    data = start + 2 * SMALL_HEADER - <uintptr_t>start % SMALL_HEADER
    if _is_mapped(data):
        data += SMALL_HEADER
    block = <Block*>(data - SMALL_HEADER)
    block.size, block.start = size, start
    return data


cdef Block* _cut(Block** at) noexcept nogil:
    """Take the block at a place in the list and all older ones out of it. The guard is held."""
    global _kept
    cdef Block* first = at[0]
    cdef Block* block = first
    at[0] = NULL
    while block != NULL:
        _kept -= block.size
        block = block.older
    return first


cdef void _unmap(Block* block) noexcept nogil:
    """Give a block and all older ones back to the system."""
    cdef Block* older
    while block != NULL:
        older = block.older
        zc_unmap(_data(block), block.size)
        block = older


cdef void _shrink(size_t most) noexcept nogil:
    """Give the system what is kept beyond `most` bytes, the oldest first."""
    cdef Block** at = &_newest
    cdef Block* gone
    cdef size_t room = most
    zc_guard_lock()
    while at[0] != NULL and at[0].size <= room:
        room -= at[0].size
        at = &at[0].older
    gone = _cut(at)
    zc_guard_unlock()
    _unmap(gone)


cdef void* _give_back(void* nothing) noexcept nogil:
    """Give the system what was kept long enough, until nothing is kept."""
    global _thread_runs
    cdef Block** at
    cdef Block* gone
    cdef int64_t now, rest
    cdef bint more = True
    while more:
        zc_guard_lock()
        now = zc_now()
        # Not longer at a time, should less be kept, or less long, meanwhile.
        rest = SECOND // 2
        at = &_newest
        while at[0] != NULL and now - at[0].since < _keep_ns:
            rest = min(_keep_ns - (now - at[0].since), SECOND // 2)
            at = &at[0].older
        gone = _cut(at)
        _thread_runs = more = _newest != NULL
        zc_guard_unlock()
        _unmap(gone)
        if more:
            zc_sleep(rest)
    return NULL


cdef void _drop() noexcept nogil:
    """In a forked child, which would copy what it writes over and has no thread. The guard is held."""
    global _thread_runs
    _thread_runs = False
    _unmap(_cut(&_newest))


cdef void* _reuse(size_t size) noexcept nogil:
    """Kept memory that fits, or NULL."""
    global _kept
    cdef Block** at = &_newest
    cdef Block* block
    zc_guard_lock()
    while at[0] != NULL:
        block = at[0]
        if size <= block.size and block.size - size <= size >> 3:
            at[0] = block.older
            _kept -= block.size
            zc_guard_unlock()
            return _data(block)
        at = &block.older
    zc_guard_unlock()
    return NULL


cdef void* _allocate(void* ctx, size_t size) noexcept nogil:
    cdef void* data
    if size < LARGE:
        return _allocate_small(size)
    data = _reuse(size)
    if data != NULL:
        return data
    data = zc_map(size)
    if data == NULL:
        _shrink(0)
        data = zc_map(size)
    if data != NULL:
        _block(data).size, _block(data).start = zc_whole(size), NULL
    return data


cdef void _free(void* ctx, void* data, size_t size) noexcept nogil:
    global _newest, _kept, _thread_runs
    cdef Block* block
    if data == NULL:
        return
    block = _block(data)
    if block.start != NULL:
        free(block.start)
        return
    if block.size > _limit or not zc_lend(data, block.size):
        zc_unmap(data, block.size)
        return
    zc_guard_lock()
    block.since, block.older = zc_now(), _newest
    _newest = block
    _kept += block.size
    if not _thread_runs:
        _thread_runs = zc_start(_give_back)
    zc_guard_unlock()
    # Without a thread that gives memory back none is kept.
    _shrink(_limit if _thread_runs else 0)


cdef void* _allocate_zeros(void* ctx, size_t n, size_t size) noexcept nogil:
    cdef void* data
    if size and n > <size_t>-1 // size:
        return NULL
    data = _allocate(ctx, n * size)
    return NULL if data == NULL else memset(data, 0, n * size)


cdef void* _reallocate(void* ctx, void* data, size_t size) noexcept nogil:
    cdef void* fresh
    if data != NULL and size <= _block(data).size and _block(data).size - size <= size >> 3:
        return data
    fresh = _allocate(ctx, size)
    if fresh != NULL and data != NULL:
        memcpy(fresh, data, min(size, _block(data).size))
        _free(ctx, data, size)
    return fresh


# ---- boundary

cdef PyDataMem_Handler _functions
strcpy(_functions.name, b"zchunk")
_functions.version = 1
_functions.allocator.malloc = _allocate
_functions.allocator.calloc = _allocate_zeros
_functions.allocator.realloc = _reallocate
_functions.allocator.free = _free
cdef object _handler = PyCapsule_New(&_functions, "mem_handler", NULL)

if zc_guard_setup(_drop) != 0:
    raise MemoryError("pthread_atfork failed")


cdef int _ask() except -1:
    """Learn how much may be kept, which changes while a program runs, at most once a second."""
    global _asked
    cdef int64_t now = zc_now()
    if _bound is None or (_asked and now - _asked < SECOND):
        return 0
    # First, for what is asked may read arrays itself.
    _asked = now
    try:
        set_limit(_bound())
    except BaseException:
        _asked = 0
        raise
    return 0


cdef cnp.ndarray empty(int ndim, const cnp.npy_intp* shape, cnp.dtype dtype, bint fortran):
    """Return a new array, not filled; the reference to the dtype is taken over."""
    cdef double nbytes = dtype.itemsize
    cdef int d
    for d in range(ndim):
        nbytes *= shape[d]
    if nbytes < LARGE:
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    try:
        _ask()
    except BaseException:
        Py_DECREF(dtype)
        raise
    before = PyDataMem_SetHandler(_handler)
    if <PyObject*>before != PyDataMem_DefaultHandler:
        # The program has its own ways with memory.
        PyDataMem_SetHandler(before)
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    try:
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    finally:
        PyDataMem_SetHandler(before)


cdef bint _owns_large(cnp.ndarray items):
    return (
        cnp.PyArray_BASE(items) == NULL
        and cnp.PyArray_CHKFLAGS(items, cnp.NPY_ARRAY_OWNDATA | cnp.NPY_ARRAY_WRITEABLE)
        and cnp.PyArray_NBYTES(items) >= LARGE
    )


def is_replaceable(holder, str name not None):
    """Return whether an attribute holds a large array that owns its memory, and that nothing else refers to.

    Another array may take its place then, and nobody can tell. The caller must have no reference to it.
    """
    found = getattr(holder, name, None)
    # One reference is the attribute's, the other one is that here.
    return cnp.PyArray_CheckExact(found) and Py_REFCNT(found) == 2 and _owns_large(found)


def bound_by(bound):
    """Ask `bound`, a function, how many bytes may be kept: before a large result, once a second at most."""
    global _bound, _asked
    _bound, _asked = bound, 0


def set_limit(size_t nbytes):
    """Keep up to `nbytes` bytes."""
    global _limit
    _limit = nbytes
    with nogil:
        _shrink(nbytes)


def keep_for(double seconds):
    """Keep what is given back from now on for so many seconds."""
    global _keep_ns
    if not 0 <= seconds <= 1e6:
        raise ValueError(f"memory is kept for 0 to 1e6 seconds, not {seconds}")
    zc_guard_lock()
    _keep_ns = <int64_t>(seconds * SECOND)
    zc_guard_unlock()


def kept():
    """Return how many bytes are kept."""
    return _kept
