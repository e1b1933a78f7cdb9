"""CRC-32C (Castagnoli) of plain memory.

The checksum of no bytes is 0, that of the nine bytes ``123456789`` is 0xE3069283. Other extension modules call the
kernel without the GIL. Python calls it with a buffer, or the tables alone, for the test that both agree.
"""

from libc.stdint cimport uint8_t, uint32_t
from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer, PyBuffer_Release

cdef extern from "codecs/crc32c.h" nogil:
    void zc_crc_init()
    int zc_crc_hardware()
    uint32_t zc_crc_table(uint32_t crc, const uint8_t* p, size_t n)
    uint32_t zc_crc_fast(uint32_t crc, const uint8_t* p, size_t n)

zc_crc_init()
cdef bint _hardware = zc_crc_hardware()


cdef uint32_t crc32c_more(uint32_t crc, const uint8_t* p, size_t n) noexcept nogil:
    if _hardware:
        return ~zc_crc_fast(~crc, p, n)
    return ~zc_crc_table(~crc, p, n)


cdef uint32_t crc32c(const uint8_t* p, size_t n) noexcept nogil:
    return crc32c_more(0, p, n)


def checksum(data, *, bint table=False):
    """Return the CRC-32C of a bytes-like object; with `table` not by the processor's instruction."""
    cdef Py_buffer v
    cdef uint32_t crc
    PyObject_GetBuffer(data, &v, PyBUF_SIMPLE)
    try:
        with nogil:
            if table:
                crc = ~zc_crc_table(0xFFFFFFFFU, <const uint8_t*>v.buf, v.len)
            else:
                crc = crc32c(<const uint8_t*>v.buf, v.len)
        return crc
    finally:
        PyBuffer_Release(&v)


def has_hardware():
    """Whether the processor's instruction is used."""
    return _hardware
