"""N-d strided copy, fill and comparison with the fill value. They work on bytes, not on dtypes.

Kernels assume nothing of alignment and take strides in bytes, of any sign and zero. Source and destination
must not overlap; the boundary functions refuse that.
"""

from libc.string cimport memcmp, memcpy, memset
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyObject_GetBuffer, PyBuffer_Release

from zchunk._ext.memory.copy cimport MAX_NDIM, Block


# ---- kernels

cdef void coalesce(Block* b) noexcept nogil:
    """Drop axes of length one and merge neighbours that are one run in both arrays."""
    cdef int i, n = 0
    for i in range(b.ndim):
        if b.shape[i] == 1:
            continue
        if (n and b.dst[n - 1] == b.dst[i] * b.shape[i] and b.src[n - 1] == b.src[i] * b.shape[i]):
            b.shape[n - 1] *= b.shape[i]
            b.dst[n - 1] = b.dst[i]
            b.src[n - 1] = b.src[i]
            continue
        b.shape[n] = b.shape[i]
        b.dst[n] = b.dst[i]
        b.src[n] = b.src[i]
        n += 1
    b.ndim = n


cdef inline void _run(char* dst, int64_t ds, const char* src, int64_t ss, int64_t n, size_t itemsize) noexcept nogil:
    # With a constant itemsize each memcpy is one load and one store.
    cdef int64_t i
    for i in range(n):
        memcpy(dst + i * ds, src + i * ss, itemsize)


cdef void copy_run(char* dst, int64_t ds, const char* src, int64_t ss, int64_t n, size_t itemsize) noexcept nogil:
    """Copy `n` items."""
    if ds == ss and ds == <int64_t>itemsize:
        memcpy(dst, src, <size_t>n * itemsize)
    elif itemsize == 4:
        _run(dst, ds, src, ss, n, 4)
    elif itemsize == 8:
        _run(dst, ds, src, ss, n, 8)
    elif itemsize == 1:
        _run(dst, ds, src, ss, n, 1)
    elif itemsize == 2:
        _run(dst, ds, src, ss, n, 2)
    elif itemsize == 16:
        _run(dst, ds, src, ss, n, 16)
    else:
        _run(dst, ds, src, ss, n, itemsize)


cdef void _fill_run(char* dst, int64_t ds, const char* item, int64_t n, size_t itemsize) noexcept nogil:
    cdef size_t done, step, total
    if ds != <int64_t>itemsize:
        copy_run(dst, ds, item, 0, n, itemsize)
        return
    total = <size_t>n * itemsize
    if itemsize == 1:
        memset(dst, item[0], total)
        return
    # Doubling: each memcpy copies what is already there.
    memcpy(dst, item, itemsize)
    done = itemsize
    while done < total:
        step = done if done <= total - done else total - done
        memcpy(dst + done, dst, step)
        done += step


cdef void copy_block(const Block* given, char* dst, const char* src, size_t itemsize) noexcept nogil:
    """Copy the block whose first items are at `dst` and `src`."""
    cdef Block b = given[0]
    cdef int64_t at[MAX_NDIM]
    cdef int i, outer
    cdef int64_t n, ds, ss
    for i in range(b.ndim):
        if b.shape[i] == 0:
            return
    if itemsize == 0:
        return
    coalesce(&b)
    if b.ndim == 0:
        memcpy(dst, src, itemsize)
        return
    outer = b.ndim - 1
    n, ds, ss = b.shape[outer], b.dst[outer], b.src[outer]
    for i in range(outer):
        at[i] = 0
    while True:
        copy_run(dst, ds, src, ss, n, itemsize)
        i = outer - 1
        while i >= 0:
            at[i] += 1
            dst += b.dst[i]
            src += b.src[i]
            if at[i] < b.shape[i]:
                break
            dst -= b.dst[i] * b.shape[i]
            src -= b.src[i] * b.shape[i]
            at[i] = 0
            i -= 1
        if i < 0:
            return


cdef void fill_block(const Block* given, char* dst, const char* item, size_t itemsize) noexcept nogil:
    """Set every item of the block's destination to `item`. The source strides are ignored."""
    cdef Block b = given[0]
    cdef int64_t at[MAX_NDIM]
    cdef int i, outer
    for i in range(b.ndim):
        if b.shape[i] == 0:
            return
        b.src[i] = 0
    if itemsize == 0:
        return
    coalesce(&b)
    if b.ndim == 0:
        memcpy(dst, item, itemsize)
        return
    outer = b.ndim - 1
    for i in range(outer):
        at[i] = 0
    while True:
        _fill_run(dst, b.dst[outer], item, b.shape[outer], itemsize)
        i = outer - 1
        while i >= 0:
            at[i] += 1
            dst += b.dst[i]
            if at[i] < b.shape[i]:
                break
            dst -= b.dst[i] * b.shape[i]
            at[i] = 0
            i -= 1
        if i < 0:
            return


cdef bint is_fill(const char* data, size_t nbytes, const char* item, size_t itemsize) noexcept nogil:
    """Whether contiguous `data` is `item` over and over, bit for bit (so -0.0 is not 0.0)."""
    if nbytes == 0 or itemsize == 0:
        return True
    if memcmp(data, item, itemsize) != 0:
        return False
    # Equal to itself one item further on, hence constant.
    return memcmp(data, data + itemsize, nbytes - itemsize) == 0


# ---- boundary: the kernels for Python, used by the tests and the generic path

cdef int _describe(Block* b, Py_buffer* dst, Py_buffer* src) except -1:
    cdef int i
    if dst.ndim > MAX_NDIM:
        raise ValueError(f"{dst.ndim} dimensions, at most {MAX_NDIM} are possible")
    b.ndim = dst.ndim
    for i in range(dst.ndim):
        b.shape[i] = dst.shape[i]
        b.dst[i] = dst.strides[i]
        b.src[i] = 0
    if src != NULL:
        if src.ndim != dst.ndim or src.itemsize != dst.itemsize:
            raise ValueError(f"source has {src.ndim} dimensions of {src.itemsize}-byte items, "
                             f"destination {dst.ndim} of {dst.itemsize}")
        for i in range(dst.ndim):
            if src.shape[i] != dst.shape[i]:
                raise ValueError(f"axis {i} has {src.shape[i]} items in the source, {dst.shape[i]} in the destination")
            b.src[i] = src.strides[i]
    return 0


cdef void _bounds(Py_buffer* v, const char** low, const char** high) noexcept:
    """Give the first byte of the array and the one after its last; the same for an empty array."""
    cdef int i
    low[0] = high[0] = <const char*>v.buf
    for i in range(v.ndim):
        if v.shape[i] == 0:
            low[0] = high[0] = NULL
            return
        if v.strides[i] < 0:
            low[0] += v.strides[i] * (v.shape[i] - 1)
        else:
            high[0] += v.strides[i] * (v.shape[i] - 1)
    high[0] += v.itemsize


def copy(dst, src):
    """Copy array `src` into array `dst` of the same shape and itemsize.

    Raises
    ------
    ValueError
        The shapes or itemsizes differ, or the two share memory.
    """
    cdef Py_buffer d, s
    cdef Block b
    cdef const char* dl
    cdef const char* dh
    cdef const char* sl
    cdef const char* sh
    PyObject_GetBuffer(dst, &d, PyBUF_STRIDED)
    try:
        PyObject_GetBuffer(src, &s, PyBUF_STRIDED_RO)
        try:
            _describe(&b, &d, &s)
            _bounds(&d, &dl, &dh)
            _bounds(&s, &sl, &sh)
            if dl < sh and sl < dh:
                raise ValueError("source and destination overlap")
            with nogil:
                copy_block(&b, <char*>d.buf, <const char*>s.buf, d.itemsize)
        finally:
            PyBuffer_Release(&s)
    finally:
        PyBuffer_Release(&d)


def fill(dst, bytes item):
    """Set every item of array `dst` to the bytes `item`."""
    cdef Py_buffer d
    cdef Block b
    cdef const char* p = item
    PyObject_GetBuffer(dst, &d, PyBUF_STRIDED)
    try:
        if len(item) != d.itemsize:
            raise ValueError(f"an item has {d.itemsize} bytes, the fill value {len(item)}")
        _describe(&b, &d, NULL)
        with nogil:
            fill_block(&b, <char*>d.buf, p, d.itemsize)
    finally:
        PyBuffer_Release(&d)


def equals_fill(data, bytes item):
    """Return whether contiguous `data` repeats the bytes `item`, bit for bit."""
    cdef Py_buffer d
    cdef bint same
    cdef const char* p = item
    cdef size_t n = len(item)
    PyObject_GetBuffer(data, &d, PyBUF_SIMPLE)
    try:
        if n and d.len % <Py_ssize_t>n:
            raise ValueError(f"{d.len} bytes are no whole number of {n}-byte items")
        with nogil:
            same = is_fill(<const char*>d.buf, d.len, p, n)
        return bool(same)
    finally:
        PyBuffer_Release(&d)
