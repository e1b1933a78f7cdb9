"""BloscLZ streams, inlined into `codecs`.

C-Blosc2's own BloscLZ gives up on data that C-Blosc 1's compresses (1.2 to 7 times larger frames were measured
on masks, rounded and noisy values), and has no public header; hence these two functions.

A stream is a row of tokens. Below 32, a token says how many literals follow, less one. Else its upper three
bits are the length of a match, less two; seven means nine and the bytes that follow up to and including the
first that is not 255. Its lower five bits and one byte more are the distance, less one, high byte first. All
ones there mean that two bytes more follow: the distance less 8192. The first token is literals, with 32 set as
a mark. Other readers refuse a stream that ends with a match.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    BLOSCLZ_LOG = 14
    BLOSCLZ_TABLE = (1 << BLOSCLZ_LOG) * 4 + (1 << 12) * 4
    NEAR = 8191
    FAR = 65535 + 8191
    TAIL = 12


cdef inline uint32_t _word(const uint8_t* p) noexcept nogil:
    cdef uint32_t v
    memcpy(&v, p, 4)
    return v


cdef inline uint32_t _three(const uint8_t* p) noexcept nogil:
    return p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16


cdef inline uint64_t _eight(const uint8_t* p) noexcept nogil:
    cdef uint64_t v
    memcpy(&v, p, 8)
    return v


cdef inline int64_t _literals(const uint8_t* src, int64_t n, uint8_t* dst, int64_t room) noexcept nogil:
    """Write `n` literals; return the bytes used, -1 if they do not fit."""
    cdef int64_t used = 0, k
    if n + (n + 31) // 32 > room:
        return -1
    while n:
        k = 32 if n > 32 else n
        dst[used] = <uint8_t>(k - 1)
        memcpy(dst + used + 1, src, k)
        used += k + 1
        src += k
        n -= k
    return used


cdef inline int64_t blosclz_encode(
    uint32_t* table, const uint8_t* src, int64_t n, uint8_t* dst, int64_t cap
) noexcept nogil:
    """Return the size of the stream, 0 if it does not fit `cap`. `table` has `BLOSCLZ_TABLE` bytes."""
    cdef uint32_t* table3 = table + (1 << BLOSCLZ_LOG)
    cdef int64_t i = 1, anchor = 0, used = 0, ref, ref3, distance, length, last, got, extra
    cdef uint32_t v, h, h3
    if n < 32 or cap < 32:
        return 0
    memset(table, 0, BLOSCLZ_TABLE)
    last = n - 4
    while i < n - TAIL:
        v = _word(src + i)
        h = (v * <uint32_t>2654435761) >> (32 - BLOSCLZ_LOG)
        h3 = ((v << 8) * <uint32_t>2654435761) >> 20
        ref, ref3 = table[h], table3[h3]
        table[h] = table3[h3] = <uint32_t>i
        length = 0
        if _word(src + i - 1) == v:
            ref = i - 1
            length = 4
        elif _word(src + ref) == v and i - ref <= FAR:
            length = 4
        elif i == anchor and i - ref3 <= NEAR and _three(src + ref3) == _three(src + i):
            # In the middle of literals, three bytes cost as much as a match.
            ref = ref3
            length = 3
        if length == 0:
            # Ever longer steps through what does not compress.
            i += 1 + ((i - anchor) >> 9)
            continue
        while i + length + 8 <= last and _eight(src + ref + length) == _eight(src + i + length):
            length += 8
        while i + length < last and src[ref + length] == src[i + length]:
            length += 1
        distance = i - ref - 1
        if distance >= NEAR and length < 6:
            i += 1
            continue
        got = _literals(src + anchor, i - anchor, dst + used, cap - used)
        if got < 0 or cap - used - got < 6 + length // 255:
            return 0
        used += got
        extra = length - 9
        dst[used] = <uint8_t>((7 if extra >= 0 else length - 2) << 5 | (31 if distance >= NEAR else distance >> 8))
        used += 1
        if extra >= 0:
            while extra >= 255:
                dst[used] = 255
                used += 1
                extra -= 255
            dst[used] = <uint8_t>extra
            used += 1
        if distance >= NEAR:
            distance -= NEAR
            dst[used] = 255
            dst[used + 1] = <uint8_t>(distance >> 8)
            used += 2
        dst[used] = <uint8_t>distance
        used += 1
        i += length
        anchor = i
        # Two positions inside the match, for what comes next.
        v = _word(src + i - 2)
        table[(v * <uint32_t>2654435761) >> (32 - BLOSCLZ_LOG)] = <uint32_t>(i - 2)
        table3[((v << 8) * <uint32_t>2654435761) >> 20] = <uint32_t>(i - 2)
    got = _literals(src + anchor, n - anchor, dst + used, cap - used)
    if got < 0:
        return 0
    dst[0] |= 32
    return used + got


cdef inline int64_t blosclz_decode(const uint8_t* src, int64_t n, uint8_t* dst, int64_t nbytes) noexcept nogil:
    """Return the bytes written, -1 if the stream makes no sense or wants to write more than `nbytes`."""
    cdef int64_t at = 1, done = 0, length, distance, k
    cdef uint32_t token, code
    cdef uint8_t* to
    cdef const uint8_t* ref
    if n < 1:
        return -1
    token = src[0] & 31
    while True:
        if token < 32:
            length = token + 1
            if length > n - at or length > nbytes - done:
                return -1
            if n - at >= 32 and nbytes - done >= 32:
                # A copy of constant size is a few instructions.
                memcpy(dst + done, src + at, 32)
            else:
                memcpy(dst + done, src + at, length)
            at += length
            done += length
        else:
            length = (token >> 5) + 2
            distance = (token & 31) << 8
            if length == 9:
                code = 255
                while code == 255:
                    if at >= n:
                        return -1
                    code = src[at]
                    at += 1
                    length += code
            if at >= n:
                return -1
            distance += src[at]
            at += 1
            if distance == NEAR:
                if n - at < 2:
                    return -1
                distance += <int64_t>src[at] << 8 | src[at + 1]
                at += 2
            distance += 1
            if distance > done or length > nbytes - done:
                return -1
            to = dst + done
            ref = to - distance
            if distance == 1:
                memset(to, ref[0], length)
            elif distance >= 16 and length <= 256 and nbytes - done - length >= 16:
                k = 0
                while k < length:
                    memcpy(to + k, ref + k, 16)
                    k += 16
            else:
                # What is copied repeats every `distance` bytes, so that each copy can be as long as all before it.
                k = 0
                while k < length:
                    distance = length - k if length - k < distance + k else distance + k
                    memcpy(to + k, ref, distance)
                    k += distance
                    distance = to - ref
            done += length
        if at >= n:
            return done
        token = src[at]
        at += 1
