"""The codec ``bitround`` of format 3: items rounded to a number of significant bits, so that they compress.

Of floats these are bits of the mantissa, as numcodecs' codec of this name counts them; of integers they
count from the highest bit that is set. Decoding changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.codecs.bound import ItemCodec
from zchunk.codecs.rounding import bit_lengths, drop_bits
from zchunk.errors import CodecError
from zchunk.spec.dtypes import integer_limits

_Array = np.ndarray[Any, Any]
# Bits of the mantissa that are stored, by the name of the floats in an item.
_MANTISSAS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
_PARTS = {"complex64": "float32", "complex128": "float64", "complex32": "float16", "bcomplex32": "bfloat16"}


class BitRound(ItemCodec):
    """Items with fewer significant bits.

    NaN and NaT stay as they are. Of negative integers the magnitude is rounded; what would become larger than
    its dtype can hold is rounded down.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items: floats, complex numbers, integers or dates.
    keepbits : int
        How many bits to keep, at least 1.

    Raises
    ------
    CodecError
        It does not take such items.
    """

    codec_id = "bitround"

    def __init__(self, dtype: np.dtype[Any], keepbits: int) -> None:
        super().__init__(dtype, {"keepbits": keepbits}, dtype)
        self.keepbits = keepbits
        part = _PARTS.get(dtype.name, dtype.name)
        self._mantissa = _MANTISSAS.get(part)
        if self._mantissa is None and dtype.kind not in "iumM":
            raise CodecError(f"codec 'bitround' rounds floats, complex numbers and integers, not {dtype}")

    def _encode(self, items: _Array) -> _Array:
        if self._mantissa is not None:
            return self._round_floats(items, self._mantissa)
        whole = np.dtype("i8") if self.dtype.kind in "mM" else self.dtype
        return self._round_integers(items.view(whole)).view(self.dtype)

    def _round_floats(self, items: _Array, mantissa: int) -> _Array:
        if self.keepbits >= mantissa:
            return items
        nbytes = self.dtype.itemsize // (2 if self.dtype.name in _PARTS else 1)
        bits = items.view(f"u{nbytes}")
        kind = bits.dtype.type
        drop = kind(mantissa - self.keepbits)
        sign = kind(1 << (8 * nbytes - 1))
        infinity = kind((2 ** (8 * nbytes - 1) - 1) >> mantissa << mantissa)
        # To the nearest, of two the even one: what is carried goes into the exponent.
        half = (kind(1) << (drop - kind(1))) - kind(1)
        rounded = (bits + ((bits >> drop & kind(1)) + half)) >> drop << drop
        is_nan = (bits & ~sign) > infinity
        return np.where(is_nan, bits, rounded).view(self.dtype)

    def _round_integers(self, items: _Array) -> _Array:
        negative = items < 0
        wide = items.astype(np.uint64)
        size = np.where(negative, np.uint64(0) - wide, wide)
        lengths = bit_lengths(size)
        keep = np.uint64(min(self.keepbits, 64))
        drop = np.where(lengths > keep, lengths - keep, np.uint64(0))
        nearest = drop_bits(size, drop, "nearest-even")
        least, greatest = integer_limits(items.dtype)
        most = np.where(negative, np.uint64(-least), np.uint64(greatest))
        # Before it is moved back, so that nothing is lost at the top.
        size = np.where(nearest > most >> drop, size >> drop, nearest) << drop
        return np.where(negative, np.uint64(0) - size, size).astype(items.dtype)

    def _decode(self, items: _Array) -> _Array:
        return items
