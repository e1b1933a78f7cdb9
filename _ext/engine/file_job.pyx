"""Jobs on an array whose chunks lie in one file that is not theirs alone, such as an archive.

Such files have a CRC-32 of the bytes of every chunk. It is checked where all of them are read.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
cimport cython

from zchunk._ext.codecs.libraries cimport crc32_more
from zchunk._ext.engine.job cimport Job
from zchunk._ext.engine.plan cimport Value


@cython.no_gc_clear
cdef class PlacedJob(Job):
    """A regular selection of an array, to be read. Made as any `Job`."""

    def place(self, int64_t first, list places not None, int fd):
        """Make `run` read the chunks from `first` on.

        Parameters
        ----------
        first : int
            Of the chunks that the selection touches.
        places : list of (int, int, int) or None
            Offset, size and CRC-32 of what is stored of each chunk; None if it is not there.
        fd : int
            Descriptor of the file. It must stay open until `run` is done.
        """
        cdef int64_t i
        cdef Value* value
        self._batch(first, len(places))
        self.plan.file = fd
        for i in range(self._count):
            value = &self.plan.values[i]
            value.size = -1
            if places[i] is None:
                continue
            value.number, value.size, value.sum = places[i]
            if value.number < 0 or value.size < 0:
                raise ValueError(f"chunk {first + i} at {places[i]}")


def crc32(data):
    """Return the CRC-32 of zip and gzip of a bytes-like object, by the processor's instructions where it has them."""
    cdef Py_buffer v
    cdef uint32_t crc
    PyObject_GetBuffer(data, &v, PyBUF_SIMPLE)
    try:
        with nogil:
            crc = crc32_more(0, <const uint8_t*>v.buf, v.len)
        return crc
    finally:
        PyBuffer_Release(&v)
