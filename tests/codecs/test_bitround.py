"""The codec ``bitround``: beside numcodecs' for floats, and Python's integers."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import zchunk
from tests.codecs.test_rounding import rounded
from zchunk.codecs.bitround import BitRound
from zchunk.errors import CodecError

INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@given(
    st.sampled_from(["f2", "f4", "f8"]).flatmap(
        lambda dtype: arrays.arrays(dtype, st.integers(1, 6), elements={"allow_nan": False})
    ),
    st.integers(1, 60),
)
def test_floats(items: np.ndarray[Any, Any], keepbits: int) -> None:
    mantissa = np.finfo(items.dtype).nmant
    found = BitRound(items.dtype, keepbits).encode(items)
    expected = items
    if keepbits < mantissa:
        expected = numcodecs.BitRound(keepbits).encode(items).view(items.dtype)
    np.testing.assert_array_equal(found.view(np.uint8), expected.view(np.uint8))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_stays(dtype: str) -> None:
    size = np.dtype(dtype).itemsize
    # All kinds of them: numcodecs makes infinity of the first, and numbers of the last.
    infinity = int(np.array(np.inf, dtype).view(f"u{size}"))
    bits = np.array([infinity + 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size) - 1], f"u{size}")
    found = BitRound(np.dtype(dtype), 2).encode(bits.view(dtype))
    assert found.view(f"u{size}").tolist() == bits.tolist()


def test_other_floats() -> None:
    ml = pytest.importorskip("ml_dtypes")
    items = np.array([1.2345, -8.36, 98765.0, 0.0], "f4")
    found = BitRound(np.dtype(ml.bfloat16), 3).encode(items.astype(ml.bfloat16))
    assert found.astype("f4").tolist() == [1.25, -8.0, 98304.0, 0.0]
    parts = np.array([1.2345 - 8.36j], "c8")
    assert BitRound(np.dtype("c8"), 3).encode(parts).tolist() == [1.25 - 8j]
    assert BitRound(np.dtype(ml.complex32), 3).encode(parts.astype(ml.complex32)).astype("c8") == [1.25 - 8j]


@given(st.data())
def test_integers(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(INTEGERS)))
    limits, keepbits = np.iinfo(dtype), data.draw(st.integers(1, 70))
    item = data.draw(st.integers(int(limits.min), int(limits.max)))
    unit = 2 ** max(abs(item).bit_length() - keepbits, 0)
    from fractions import Fraction

    expected = rounded(Fraction(item, unit), "nearest-even") * unit
    if not limits.min <= expected <= limits.max:
        expected = item // unit * unit
    assert BitRound(dtype, keepbits).encode(np.array([item], dtype)).tolist() == [expected]


def test_what_zarrs_says_of_integers() -> None:
    items = [0, 1024, 1280, 1664, 1685, 123145182, 4294967295]
    rounded_items = [0, 1024, 1280, 1536, 1792, 117440512, 3758096384]
    assert BitRound(np.dtype("u4"), 3).encode(np.array(items, "u4")).tolist() == rounded_items
    items = [0, 3, 7, 15, 17, 54, 89, 128, 255]
    rounded_items = [0, 3, 7, 16, 16, 56, 96, 128, 224]
    assert BitRound(np.dtype("u1"), 3).encode(np.array(items, "u1")).tolist() == rounded_items


def test_dates() -> None:
    dates = np.array(["2026-11-30", "NaT"], "M8[s]")
    found = BitRound(np.dtype("M8[s]"), 12).encode(dates)
    assert (found.dtype, str(found[1])) == (dates.dtype, "NaT")
    assert int(found[0].astype("i8")) == round(int(dates[0].astype("i8")) / 2**19) * 2**19


def test_arrays() -> None:
    codec = {"name": "bitround", "configuration": {"keepbits": 3}}
    values = np.linspace(-3, 900, 24).reshape(6, 4)
    z = zchunk.create((6, 4), chunks=(4, 4), dtype="f8", zarr_format=3, filters=[codec])
    z[...] = values
    assert z[...].tolist() == numcodecs.BitRound(3).encode(values).view("f8").reshape(6, 4).tolist()
    assert z.filters == zchunk.open(z.store).filters == [BitRound(np.dtype("f8"), 3)]
    assert repr(z.filters) == "[BitRound(keepbits=3)]"
    for dtype in ("?", "U3"):
        with pytest.raises(
            CodecError, match="rounds floats, complex numbers and integers, not"
        ):
            zchunk.create(4, dtype=dtype, zarr_format=3, filters=[codec])
    for keepbits in (0, "3", 2**32, True, None):
        codec["configuration"]["keepbits"] = keepbits  # type: ignore[index]
        with pytest.raises(CodecError, match="keepbits is"):
            zchunk.create(4, dtype="f4", zarr_format=3, filters=[codec])
