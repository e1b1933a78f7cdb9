"""CRC-32C of plain memory."""

from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define zc_from_little(x) __builtin_bswap32(x)
    #else
    #define zc_from_little(x) (x)
    #endif
    """
    # What is stored, little-endian, as a number of this machine; and back.
    uint32_t from_little "zc_from_little"(uint32_t x) noexcept nogil

# The checksum of bytes whose first part has the checksum `sum`; 0 if there is none.
cdef uint32_t crc32c_more(uint32_t sum, const uint8_t* p, size_t n) noexcept nogil
