"""The codec ``cast_value`` of format 3: items as numbers of another dtype, by value.

Numbers are rounded once, from their exact value to one that the other dtype has, in the way that the metadata
name; what lies beyond that dtype is an error unless the metadata say more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zchunk.codecs.bound import ItemCodec
from zchunk.codecs.rounding import MODES, bit_lengths, drop_bits, round_floats
from zchunk.errors import CodecError
from zchunk.spec.dtypes import integer_limits, is_integer

OUT_OF_RANGE = (None, "clamp", "wrap")

_Array = np.ndarray[Any, Any]
# What takes the place of items that are mapped, while the others are cast: all dtypes have it.
_ONE = 1


class _Floats(NamedTuple):
    """A kind of floats."""

    # Bits of the mantissa that are stored, exponent of the least normal number, greatest finite number.
    mantissa: int
    exponent: int
    greatest: float
    has_infinity: bool = True
    has_nan: bool = True
    # That of others is the greatest with its sign changed.
    least: float | None = None


_FLOATS = {
    "float16": _Floats(10, -14, 65504.0),
    "float32": _Floats(23, -126, float(np.finfo(np.float32).max)),
    "float64": _Floats(52, -1022, float(np.finfo(np.float64).max)),
    "bfloat16": _Floats(7, -126, (2 - 2**-7) * 2.0**127),
    "float8_e3m4": _Floats(4, -2, 15.5),
    "float8_e4m3": _Floats(3, -6, 240.0),
    "float8_e4m3b11fnuz": _Floats(3, -10, 30.0, has_infinity=False),
    "float8_e4m3fn": _Floats(3, -6, 448.0, has_infinity=False),
    "float8_e4m3fnuz": _Floats(3, -7, 240.0, has_infinity=False),
    "float8_e5m2": _Floats(2, -14, 57344.0),
    "float8_e5m2fnuz": _Floats(2, -15, 57344.0, has_infinity=False),
    "float8_e8m0fnu": _Floats(0, -127, 2.0**127, has_infinity=False, least=2.0**-127),
    "float4_e2m1fn": _Floats(1, 0, 6.0, has_infinity=False, has_nan=False),
    "float6_e2m3fn": _Floats(3, 0, 7.5, has_infinity=False, has_nan=False),
    "float6_e3m2fn": _Floats(2, -2, 28.0, has_infinity=False, has_nan=False),
}


class CastValue(ItemCodec):
    """Items as numbers of another dtype.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items: integers or floats.
    encoded : numpy.dtype
        Of what is stored: integers or floats.
    rounding : str
        One of `zchunk.codecs.rounding.MODES`.
    out_of_range : {None, "clamp", "wrap"}
        What becomes of numbers that the other dtype has not: an error; its least or greatest number, an
        infinity if there is one; or the number modulo how many there are, if it is of integers.
    encode_map, decode_map : sequence of pairs of scalars
        Numbers, and what they become instead. The first pair of a number holds.
    configuration : dict
        The parameters as JSON.

    Raises
    ------
    CodecError
        One of the dtypes is not of integers or floats, or what is to become of numbers is not known.
    """

    codec_id = "cast_value"

    def __init__(
        self,
        dtype: np.dtype[Any],
        encoded: np.dtype[Any],
        rounding: str,
        out_of_range: str | None,
        encode_map: Sequence[tuple[Any, Any]],
        decode_map: Sequence[tuple[Any, Any]],
        configuration: dict[str, Any],
    ) -> None:
        super().__init__(dtype, configuration, encoded)
        self.rounding = rounding
        self.out_of_range = out_of_range
        self._maps = tuple(encode_map), tuple(decode_map)
        for numbers in (dtype, encoded):
            check_castable(numbers)
        if rounding not in MODES:
            raise CodecError(
                f"codec 'cast_value': rounding is {rounding!r:.80}, not one of {', '.join(MODES)}"
            )
        if out_of_range not in OUT_OF_RANGE:
            raise CodecError(
                f"codec 'cast_value': out_of_range is {out_of_range!r:.80}, not 'clamp' or 'wrap'; leave it "
                "out to get an error"
            )
        if out_of_range == "wrap" and not is_integer(encoded):
            raise CodecError(f"codec 'cast_value': out_of_range 'wrap' is for integers, not for {encoded}")

    def _encode(self, items: _Array) -> _Array:
        return self._cast(items, self.encoded, self._maps[0])

    def _decode(self, items: _Array) -> _Array:
        return self._cast(items, self.dtype, self._maps[1])

    def _cast(self, items: _Array, dtype: np.dtype[Any], pairs: tuple[tuple[Any, Any], ...]) -> _Array:
        if not pairs:
            return cast(items, dtype, self.rounding, self.out_of_range)
        mapped: list[tuple[_Array, Any]] = []
        left = np.ones(items.shape, bool)
        for old, new in pairs:
            found = left & (np.isnan(items) if _is_nan(old) else items == old)
            mapped.append((found, new))
            left = left & ~found
        others = np.where(left, items, np.array(_ONE).astype(items.dtype))
        result = cast(others, dtype, self.rounding, self.out_of_range)
        for found, new in mapped:
            result[found] = new
        return result


def check_castable(dtype: np.dtype[Any]) -> None:
    """Raise `CodecError` if items are neither integers nor floats."""
    if not is_integer(dtype) and dtype.name not in _FLOATS:
        raise CodecError(f"codec 'cast_value' casts integers and floats, not {dtype}")


def _is_nan(number: Any) -> bool:
    return bool(number != number)


def cast(items: _Array, dtype: np.dtype[Any], rounding: str, out_of_range: str | None = None) -> _Array:
    """Return numbers as those of another dtype.

    Parameters
    ----------
    items : array
        Integers or floats.
    dtype : numpy.dtype
        Of integers or floats.
    rounding, out_of_range
        See `CastValue`; to floats, "wrap" is an error.

    Returns
    -------
    array
        A new one.

    Raises
    ------
    ValueError
        A number is out of range, or NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> cast(np.array([-3.0, 2.5, 300.0]), np.dtype("u1"), "nearest-even", "clamp")
    array([  0,   2, 255], dtype=uint8)
    """
    # Exact: of wider integers there are no others, and no floats have more bits.
    if is_integer(items.dtype):
        wide = items.astype(np.uint64 if items.dtype == np.uint64 else np.int64)
    else:
        wide = items.astype(np.float64)
    with np.errstate(all="ignore"):
        if not is_integer(dtype):
            return _to_floats(wide, dtype, rounding, out_of_range)
        if wide.dtype.kind == "f":
            return _floats_to_integers(wide, dtype, rounding, out_of_range)
        return _to_integers(wide, dtype, out_of_range)


def _out_of_range(number: Any, dtype: np.dtype[Any]) -> ValueError:
    if _is_nan(number):
        return ValueError(f"codec 'cast_value': {dtype} has no NaN; map it to a number by scalar_map")
    if is_integer(dtype) and math.isinf(number):
        return ValueError(f"codec 'cast_value': {dtype} has no infinity; map it to a number by scalar_map")
    return ValueError(
        f"codec 'cast_value': {number} is out of the range of {dtype}; out_of_range says what to store "
        "instead"
    )


def _floats_to_integers(
    values: _Array, dtype: np.dtype[Any], rounding: str, out_of_range: str | None
) -> _Array:
    whole = round_floats(values, rounding)
    least, greatest = integer_limits(dtype)
    # A power of two, which floats have.
    low, high = whole < float(least), whole >= float(greatest + 1)
    # Infinities are nothing to clamp: in zarr they are errors, too.
    wrong = ~np.isfinite(values)
    if out_of_range is None:
        wrong |= low | high
    if wrong.any():
        raise _out_of_range(values[wrong][0], dtype)
    if out_of_range == "wrap":
        size = np.fmod(np.abs(whole), 2.0**64).astype(np.uint64)
        return _to_integers(np.where(whole < 0, np.uint64(0) - size, size), dtype, "wrap")
    kept = np.where(low | high, 0.0, whole).astype(np.int64 if least else np.uint64)
    kept[low], kept[high] = least, greatest
    return _narrowed(kept, dtype)


def _to_integers(values: _Array, dtype: np.dtype[Any], out_of_range: str | None) -> _Array:
    """Return int64 or uint64 as integers of another dtype."""
    least, greatest = integer_limits(dtype)
    from_least, from_greatest = integer_limits(values.dtype)
    # Limits that the values cannot pass may be none of their dtype.
    low = values < least if from_least < least else np.zeros(values.shape, bool)
    high = values > greatest if from_greatest > greatest else np.zeros(values.shape, bool)
    wrong = low | high
    if not wrong.any():
        return _narrowed(values, dtype)
    if out_of_range is None:
        raise _out_of_range(values[wrong][0], dtype)
    if out_of_range == "clamp":
        return _narrowed(np.clip(values, max(least, from_least), min(greatest, from_greatest)), dtype)
    bits = np.uint64(greatest - least)
    size = values.astype(np.uint64) & bits
    if least:
        # The highest bit is the sign.
        size = np.where(size > np.uint64(greatest), size | ~bits, size)
        return _narrowed(size.astype(np.int64), dtype)
    return _narrowed(size, dtype)


def _narrowed(values: _Array, dtype: np.dtype[Any]) -> _Array:
    """Return int64 or uint64 that fit `dtype` in that."""
    # NumPy casts to the integers of ml_dtypes from those of one byte for sure.
    return values.astype(np.int8).astype(dtype) if dtype.isbuiltin == 2 else values.astype(dtype)


def _to_floats(values: _Array, dtype: np.dtype[Any], rounding: str, out_of_range: str | None) -> _Array:
    floats = _FLOATS[dtype.name]
    if values.dtype.kind == "f":
        found = values if dtype == np.float64 else _round_to(values, floats, rounding)
    else:
        found = _integers_to_floats(values, floats.mantissa + 1, rounding)
    finite = np.isfinite(values)
    least = -floats.greatest if floats.least is None else floats.least
    # After rounding: what is rounded to the greatest number is in range.
    low, high = finite & (found < least), finite & (found > floats.greatest)
    if not floats.has_infinity:
        low, high = low | (values == -math.inf), high | (values == math.inf)
    wrong = np.zeros(values.shape, bool) if floats.has_nan else np.isnan(values)
    if out_of_range != "clamp":
        wrong = wrong | low | high
    if wrong.any():
        raise _out_of_range(values[wrong][0], dtype)
    if floats.has_infinity:
        ends = -math.inf, math.inf
    else:
        ends = least, floats.greatest
    # These are numbers of the dtype now, whatever its way of rounding is.
    return np.where(low, ends[0], np.where(high, ends[1], found)).astype(dtype)


def _round_to(values: _Array, floats: _Floats, rounding: str) -> _Array:
    """Return float64 rounded to as many bits as `floats` have, whatever their greatest number is."""
    finite = np.where(np.isfinite(values), values, 0.0)
    # Of what the last bit stands for, the numbers are multiples.
    last = np.maximum(np.frexp(finite)[1] - 1, floats.exponent) - floats.mantissa
    rounded = np.ldexp(round_floats(np.ldexp(finite, -last), rounding), last)
    return np.where(np.isfinite(values), rounded, values)


def _integers_to_floats(values: _Array, bits: int, rounding: str) -> _Array:
    """Return int64 or uint64 as float64, rounded to so many bits."""
    negative = values < 0
    wide = values.astype(np.uint64)
    size = np.where(negative, np.uint64(0) - wide, wide)
    lengths, most = bit_lengths(size), np.uint64(bits)
    drop = np.where(lengths > most, lengths - most, np.uint64(0))
    found = np.ldexp(drop_bits(size, drop, rounding, negative).astype(np.float64), drop.astype(np.int32))
    return np.where(negative, -found, found)
