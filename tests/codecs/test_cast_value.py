"""The codec ``cast_value``, beside exact fractions and, for small floats, all numbers that there are."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.codecs.test_rounding import rounded
from zchunk.codecs.cast_value import CastValue, cast
from zchunk.codecs.rounding import MODES
from zchunk.errors import ChunkError, CodecError
from zchunk.spec.dtypes import integer_limits, is_integer

ml = pytest.importorskip("ml_dtypes")

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
INTEGERS += ["int2", "uint2", "int4", "uint4"]
SMALL_FLOATS = [
    "bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz",
    "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn",
]  # fmt: skip
FLOATS = ["float16", "float32", "float64", *SMALL_FLOATS]


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml, name, name))


@lru_cache
def numbers_of(name: str) -> tuple[np.ndarray[Any, Any], bool, bool]:
    """Return the finite numbers of a kind of floats in order, and whether it has infinities and NaN."""
    dtype = dtype_of(name)
    bits = {"float4_e2m1fn": 4, "float6_e2m3fn": 6, "float6_e3m2fn": 6}.get(name, 8 * dtype.itemsize)
    with np.errstate(invalid="ignore"):
        found = np.arange(2**bits, dtype=f"u{dtype.itemsize}").view(dtype).astype(np.float64)
    return np.unique(found[np.isfinite(found)]), bool(np.isinf(found).any()), bool(np.isnan(found).any())


def test_what_floats_there_are() -> None:
    from zchunk.codecs.cast_value import _FLOATS

    assert set(_FLOATS) == set(FLOATS)
    for name in (*SMALL_FLOATS, "float16"):
        finite, has_infinity, has_nan = numbers_of(name)
        floats = _FLOATS[name]
        least = -floats.greatest if floats.least is None else floats.least
        assert (finite[0], finite[-1]) == (least, floats.greatest)
        assert (has_infinity, has_nan) == (floats.has_infinity, floats.has_nan)
    for name in ("float32", "float64"):
        info, floats = np.finfo(name), _FLOATS[name]
        assert (floats.mantissa, 2.0**floats.exponent) == (info.nmant, float(info.tiny))


def to_float(value: Fraction, name: str, mode: str) -> Fraction | None:
    """Return the number of a kind of floats that a number is rounded to; None if that is out of range."""
    if name in ("float32", "float64"):
        mantissa, exponent = (23, -126) if name == "float32" else (52, -1022)
        size = abs(value)
        power = exponent
        if size:
            power = math.floor(math.log2(size.numerator) - math.log2(size.denominator))
            power += (size >= Fraction(2) ** (power + 1)) - (size < Fraction(2) ** power)
        last = Fraction(2) ** (max(power, exponent) - mantissa)
        found = rounded(value / last, mode) * last
        return found if abs(found) <= Fraction(float(np.finfo(name).max)) else None
    finite = numbers_of(name)[0]
    index = int(np.searchsorted(finite, float(value)))
    near = [Fraction(n) for n in finite[max(index - 2, 0) : index + 2].tolist()]
    below = max((n for n in near if n <= value), default=None)
    above = min((n for n in near if n >= value), default=None)
    if below is not None and above is not None:
        step = above - below
    elif name == "float8_e8m0fnu" and above is None:
        step = near[-1]
    else:
        step = near[1] - near[0] if below is None else near[-1] - near[-2]
    # Of two numbers side by side, the even one is an even multiple of what lies between them.
    found = rounded(value / step, mode) * step if step else value
    return found if found in near else None


def floats_near(name: str) -> st.SearchStrategy[float]:
    """Numbers of a kind, those in the middle of two, and those just beside these."""
    finite = numbers_of(name)[0].tolist()

    def beside(index: int, step: int) -> float:
        middle = (finite[index] + finite[index + 1]) / 2
        return middle if not step else math.nextafter(middle, step * math.inf)

    return st.builds(beside, st.integers(0, len(finite) - 2), st.sampled_from([-1, 0, 1]))


@given(st.data())
def test_floats_to_floats(data: st.DataObject) -> None:
    name, mode = data.draw(st.sampled_from(FLOATS[:2] + SMALL_FLOATS)), data.draw(st.sampled_from(MODES))
    near = floats_near(name) if name != "float32" else st.floats(width=64)
    value = data.draw(near | st.floats(allow_nan=False, allow_infinity=False))
    expected = to_float(Fraction(value), name, mode)
    items, dtype = np.array([value]), dtype_of(name)
    if expected is None:
        with pytest.raises(ValueError, match="is out of the range of"):
            cast(items, dtype, mode)
        (found,) = cast(items, dtype, mode, "clamp").astype(np.float64)
        if name == "float32" or numbers_of(name)[1]:
            assert found == math.copysign(math.inf, value)
        else:
            finite = numbers_of(name)[0]
            assert found == (finite[-1] if value > finite[-1] else finite[0])
    else:
        (found,) = cast(items, dtype, mode).astype(np.float64)
        assert Fraction(float(found)) == expected


@given(st.integers(-(2**63), 2**64 - 1), st.sampled_from(["float16", "float32", "float64", "bfloat16"]))
def test_integers_to_floats(value: int, name: str) -> None:
    items = np.array([value], "i8" if value < 2**63 else "u8")
    for mode in MODES:
        expected = to_float(Fraction(value), name, mode)
        if expected is None:
            with pytest.raises(ValueError, match="is out of the range of"):
                cast(items, dtype_of(name), mode)
        else:
            assert Fraction(float(cast(items, dtype_of(name), mode)[0])) == expected


@given(st.data())
def test_to_integers(data: st.DataObject) -> None:
    name, mode = data.draw(st.sampled_from(INTEGERS)), data.draw(st.sampled_from(MODES))
    dtype = dtype_of(name)
    least, greatest = integer_limits(dtype)
    edges = st.sampled_from([least, greatest, 0]).flatmap(lambda n: st.integers(n - 2, n + 2))
    if data.draw(st.booleans()):
        number = data.draw(edges | st.integers(-(2**63), 2**64 - 1))
        number = min(max(number, -(2**63)), 2**64 - 1)
        items = np.array([number], "i8" if number < 2**63 else "u8")
    else:
        near = st.builds(lambda n, part: n + part, edges, st.sampled_from([-0.5, 0.0, 0.25, 0.5]))
        value = data.draw(near | st.floats(allow_nan=False, allow_infinity=False))
        number, items = rounded(Fraction(value), mode), np.array([value])
    count = greatest - least + 1
    wrapped = (number - least) % count + least
    assert int(cast(items, dtype, mode, "wrap").astype(np.uint64)[0]) == wrapped % 2**64
    clamped = min(max(number, least), greatest)
    assert int(cast(items, dtype, mode, "clamp").astype(np.uint64)[0]) == clamped % 2**64
    if number == clamped:
        found = cast(items, dtype, mode)
        assert (found.dtype, int(found.astype(np.uint64)[0])) == (dtype, number % 2**64)
    else:
        with pytest.raises(ValueError, match="is out of the range of"):
            cast(items, dtype, mode)


def test_infinities_and_nan() -> None:
    wild = np.array([math.inf, -math.inf])
    assert cast(wild, np.dtype("f4"), "nearest-even").tolist() == [math.inf, -math.inf]
    assert cast(wild, dtype_of("float4_e2m1fn"), "nearest-even", "clamp").astype(float).tolist() == [6, -6]
    for name in ("float4_e2m1fn", "float8_e4m3fn"):
        with pytest.raises(ValueError, match="inf is out of the range"):
            cast(wild, dtype_of(name), "nearest-even")
    for what in (None, "clamp", "wrap"):
        with pytest.raises(ValueError, match="uint8 has no infinity; map it to a number by scalar_map"):
            cast(wild, np.dtype("u1"), "nearest-even", what)
    for name in ("uint8", "float6_e3m2fn"):
        for what in (None, "clamp"):
            with pytest.raises(ValueError, match="has no NaN; map it to a number by scalar_map"):
                cast(np.array([math.nan]), dtype_of(name), "nearest-even", what)
    assert np.isnan(cast(np.array([math.nan]), dtype_of("float8_e8m0fnu"), "nearest-even"))[0]
    # Not less than the greatest number before it is rounded, but then.
    assert cast(np.array([65519.0]), np.dtype("f2"), "nearest-even").tolist() == [65504.0]
    assert math.copysign(1, cast(np.array([-0.0]), np.dtype("f2"), "nearest-even")[0]) == -1


def codec_of(dtype: str, encoded: str, **given: Any) -> CastValue:
    parameters = {"rounding": "nearest-even", "out_of_range": None, "encode_map": (), "decode_map": ()}
    parameters |= given
    return CastValue(dtype_of(dtype), dtype_of(encoded), **parameters, configuration={})


def test_maps() -> None:
    nan = np.float32(math.nan)
    codec = codec_of(
        "float32",
        "uint8",
        encode_map=[(nan, np.uint8(255)), (np.float32(1.5), np.uint8(7)), (np.float32(1.5), np.uint8(8))],
        decode_map=[(np.uint8(255), nan)],
    )
    items = np.array([1.5, 2.5, math.nan, 0.0], "f4")
    stored = codec.encode(items)
    assert stored.tolist() == [7, 2, 255, 0]
    np.testing.assert_array_equal(codec.decode(stored.tobytes()), np.array([7, 2, math.nan, 0], "f4"))
    with pytest.raises(ValueError, match="300"):
        codec.encode(np.array([300, math.nan], "f4"))


def test_what_is_refused() -> None:
    with pytest.raises(CodecError, match="casts integers and floats, not complex64"):
        codec_of("complex64", "uint8")
    with pytest.raises(CodecError, match="not bool"):
        codec_of("uint8", "bool")
    with pytest.raises(CodecError, match="rounding is 'up', not one of nearest-even, towards-zero"):
        codec_of("float32", "uint8", rounding="up")
    with pytest.raises(CodecError, match="out_of_range is 'error', not 'clamp' or 'wrap'; leave it out"):
        codec_of("float32", "uint8", out_of_range="error")
    with pytest.raises(CodecError, match="'wrap' is for integers, not for float32"):
        codec_of("uint8", "float32", out_of_range="wrap")


def test_arrays() -> None:
    scale = {"name": "scale_offset", "configuration": {"offset": -10, "scale": 10}}
    to_bytes = {"name": "cast_value", "configuration": {"data_type": "uint8"}}
    for endian in ("little", "big"):
        z = zchunk.create(
            (5, 4),
            chunks=(2, 3),
            dtype="f4",
            zarr_format=3,
            filters=[scale, to_bytes],
            serializer={"name": "bytes", "configuration": {"endian": endian}},
        )
        values = np.linspace(-10, 15, 20, dtype="f4").reshape(5, 4)
        z[...] = values
        np.testing.assert_allclose(z[...], values, atol=0.05)
        again = zchunk.open(z.store)
        assert again.filters == z.filters
        np.testing.assert_array_equal(again[1:, [0, 2]], z[...][1:, [0, 2]])
        with pytest.raises(ValueError, match=r"260.0 is out of the range of uint8"):
            z[0, 0] = 16
        assert is_integer(again.filters[1].encoded)  # type: ignore[index, attr-defined]


def test_a_stored_number_that_is_out_of_range() -> None:
    codec = {"name": "cast_value", "configuration": {"data_type": "int16"}}
    z = zchunk.create(2, dtype="u1", zarr_format=3, filters=[codec], compressor=None)
    z[:] = [1, 255]
    assert bytes(z.store["c/0"]) == np.array([1, 255], "<i2").tobytes()
    z.store["c/0"] = np.array([1, -1], "<i2").tobytes()
    with pytest.raises(ChunkError, match="-1 is out of the range of uint8"):
        z[...]
