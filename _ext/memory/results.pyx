"""Memory of large results: what one leaves when it goes serves the next.

The system clears every page before a process gets it, which is half the time of a bulk read. So a result's memory
is kept when the result goes, up to a limit, and lent to the system meanwhile: it takes the pages, without asking,
when others need some. The C library does the same with what is less than 32 MiB, in its way.

Nobody but NumPy sees that: results own their memory, as all arrays do, by a handler for their data (NEP 49). It is
called with the GIL, which guards what is kept.
"""

import operator
import os

from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport PyObject
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
    size_t zc_page()
    void* zc_map(size_t n)
    void zc_unmap(void* data, size_t n)
    int zc_lend(void* data, size_t n)

cnp.import_array()

cdef enum:
    # Results from here on; NumPy asks for huge pages for the same.
    LARGE = 4 << 20
    DEFAULT = 512 << 20

# In the page before the data.
cdef struct Block:
    size_t size
    Block* older

# What is kept: the newest first, and how many bytes there are and may be.
cdef Block* _newest = NULL
cdef size_t _kept = 0
cdef size_t _limit = DEFAULT


# ---- kernels

cdef inline void* _data(Block* block) noexcept:
    return <char*>block + zc_page()


cdef inline Block* _block(void* data) noexcept:
    return <Block*>(<char*>data - zc_page())


cdef void _shrink(size_t most) noexcept:
    """Give the system what is kept beyond `most` bytes, the oldest first."""
    global _kept
    cdef Block** at = &_newest
    cdef Block* block
    cdef size_t room = most
    while at[0] != NULL and at[0].size <= room:
        room -= at[0].size
        at = &at[0].older
    while at[0] != NULL:
        block = at[0]
        at[0] = block.older
        _kept -= block.size
        zc_unmap(_data(block), block.size)


cdef void* _allocate(void* ctx, size_t size) noexcept:
    global _kept
    cdef Block** at = &_newest
    cdef Block* block
    cdef void* data
    while at[0] != NULL:
        block = at[0]
        if size <= block.size and block.size - size <= size >> 3:
            at[0] = block.older
            _kept -= block.size
            return _data(block)
        at = &block.older
    data = zc_map(size)
    if data == NULL:
        _shrink(0)
        data = zc_map(size)
    if data != NULL:
        _block(data).size = size
    return data


cdef void _free(void* ctx, void* data, size_t size) noexcept:
    global _newest, _kept
    cdef Block* block
    if data == NULL:
        return
    block = _block(data)
    if block.size > _limit or not zc_lend(data, block.size):
        zc_unmap(data, block.size)
        return
    block.older = _newest
    _newest = block
    _kept += block.size
    _shrink(_limit)


cdef void* _allocate_zeros(void* ctx, size_t n, size_t size) noexcept:
    cdef void* data
    if size and n > <size_t>-1 // size:
        return NULL
    data = _allocate(ctx, n * size)
    return NULL if data == NULL else memset(data, 0, n * size)


cdef void* _reallocate(void* ctx, void* data, size_t size) noexcept:
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


cdef cnp.ndarray empty(int ndim, const cnp.npy_intp* shape, cnp.dtype dtype, bint fortran):
    """Return a new array, not filled; the reference to the dtype is taken over."""
    cdef double nbytes = dtype.itemsize
    cdef int d
    for d in range(ndim):
        nbytes *= shape[d]
    if nbytes < LARGE:
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    before = PyDataMem_SetHandler(_handler)
    if <PyObject*>before != PyDataMem_DefaultHandler:
        # The program has its own ways with memory.
        PyDataMem_SetHandler(before)
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    try:
        return PyArray_Empty(ndim, <cnp.npy_intp*>shape, dtype, fortran)
    finally:
        PyDataMem_SetHandler(before)


def set_spare_memory(nbytes):
    """Keep up to `nbytes` bytes of the memory of results that are gone, for the next ones.

    New memory costs as much time as reading into it does. By default up to 512 MiB are kept, of results of 4 MiB
    and more. What is kept is still counted as this process's, but the system takes it as soon as memory is
    needed. Where addresses are limited (``ulimit -v``) nothing is kept; where the system promises no more memory
    than it has (``vm.overcommit_memory=2``), keep nothing.

    Parameters
    ----------
    nbytes : int or None
        Most bytes; 0 keeps none and frees what is kept now; None for the default.

    Raises
    ------
    ValueError
        A negative number.
    """
    global _limit
    most = DEFAULT if nbytes is None else operator.index(nbytes)
    if most < 0:
        raise ValueError(f"memory to keep must be 0 bytes or more, not {most}")
    _limit = min(most, <size_t>-1)
    _shrink(_limit)


def get_spare_memory():
    """Return how many bytes of results that are gone may be kept, and are at the moment.

    Returns
    -------
    tuple of int
        The limit that `set_spare_memory` set, and the bytes that are kept.
    """
    return _limit, _kept


def _drop():
    # A forked child would copy what it writes over.
    _shrink(0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop)
