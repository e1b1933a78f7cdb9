"""CRC-32C (Castagnoli) of plain memory.

The checksum of no bytes is 0, that of the nine bytes ``123456789`` is 0xE3069283. Other extension modules call the
kernel without the GIL. Python calls it with a buffer, or one of the ways to compute it, for the test that all agree.
"""

from libc.stdint cimport uint8_t, uint32_t
from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer, PyBuffer_Release

from zchunk._ext.codecs.crc_fold cimport ZC_FOLD_LEAST, zc_fold, zc_fold_hardware, zc_fold_init, zc_fold_table

cdef extern from "codecs/crc32c.h" nogil:
    const uint32_t ZC_CRC_POLY
    void zc_crc_init()
    int zc_crc_hardware()
    uint32_t zc_crc_table(uint32_t crc, const uint8_t* p, size_t n)
    uint32_t zc_crc_fast(uint32_t crc, const uint8_t* p, size_t n)

cdef zc_fold_table _table
zc_crc_init()
zc_fold_init(&_table, ZC_CRC_POLY)
cdef bint _hardware = zc_crc_hardware()
# The rest of what is folded is left to the instruction.
cdef bint _folds = _hardware and zc_fold_hardware()


cdef uint32_t _folded(uint32_t crc, const uint8_t* p, size_t n) noexcept nogil:
    cdef uint8_t rest[16]
    cdef size_t done = 0
    if n >= ZC_FOLD_LEAST:
        done = zc_fold(&_table, crc, p, n, rest)
        crc = zc_crc_fast(0, rest, 16)
    return zc_crc_fast(crc, p + done, n - done)


cdef uint32_t crc32c_more(uint32_t sum, const uint8_t* p, size_t n) noexcept nogil:
    if _folds:
        return ~_folded(~sum, p, n)
    return ~zc_crc_fast(~sum, p, n) if _hardware else ~zc_crc_table(~sum, p, n)


_WAYS = {"best": 0, "fold": 1, "instruction": 2, "table": 3}


def checksum(data, uint32_t before=0, *, str by="best"):
    """Return the CRC-32C of a bytes-like object, behind bytes whose checksum is `before`.

    The ways to compute it are ``"fold"``, ``"instruction"`` and ``"table"``; one that this processor does not have is
    a `ValueError`.
    """
    cdef Py_buffer v
    cdef uint32_t crc = before
    cdef int way = _WAYS[by]
    if (way == 1 and not _folds) or (way == 2 and not _hardware):
        raise ValueError(f"this processor does not have {by!r}")
    PyObject_GetBuffer(data, &v, PyBUF_SIMPLE)
    try:
        with nogil:
            if way == 0:
                crc = crc32c_more(crc, <const uint8_t*>v.buf, v.len)
            elif way == 1:
                crc = ~_folded(~crc, <const uint8_t*>v.buf, v.len)
            elif way == 2:
                crc = ~zc_crc_fast(~crc, <const uint8_t*>v.buf, v.len)
            else:
                crc = ~zc_crc_table(~crc, <const uint8_t*>v.buf, v.len)
        return crc
    finally:
        PyBuffer_Release(&v)


def ways():
    """Return the ways to compute it that this processor has, the best first."""
    return [way for way, there in (("fold", _folds), ("instruction", _hardware), ("table", True)) if there]
