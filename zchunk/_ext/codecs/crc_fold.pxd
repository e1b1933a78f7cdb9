# Remainders of polynomials, for CRC-32C and CRC-32, by products without carries.
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "codecs/crc_fold.h" nogil:
    ctypedef struct zc_fold_table:
        pass
    const size_t ZC_FOLD_LEAST
    void zc_fold_init(zc_fold_table* t, uint32_t poly)
    int zc_fold_hardware()
    size_t zc_fold(const zc_fold_table* t, uint32_t crc, const uint8_t* p, size_t n, uint8_t* rest)
