"""The codec ``scale_offset``: beside Python's integers and NumPy's floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import zchunk
from zchunk.codecs.scale_offset import ScaleOffset
from zchunk.errors import ChunkError, CodecError

INTEGERS = [np.dtype(name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]


def codec_of(dtype: Any, offset: Any, scale: Any) -> ScaleOffset:
    dtype = np.dtype(dtype)
    return ScaleOffset(dtype, dtype.type(offset), dtype.type(scale), {})


@given(st.data())
def test_integers(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(INTEGERS))
    limits = np.iinfo(dtype)
    # Those that often fit, and any.
    numbers = st.integers(max(limits.min, -9), 9) | st.integers(int(limits.min), int(limits.max))
    offset, scale = data.draw(numbers), data.draw(numbers.filter(bool))
    items = data.draw(st.lists(numbers, min_size=1, max_size=6))
    codec = codec_of(dtype, offset, scale)
    expected = [(item - offset) * scale for item in items]
    if all(limits.min <= item <= limits.max for item in expected):
        stored = codec.encode(np.array(items, dtype))
        assert (stored.tolist(), stored.dtype) == (expected, dtype)
        assert codec.decode(stored.tobytes()).tolist() == items
    else:
        with pytest.raises(ValueError, match=f"which {dtype} cannot hold"):
            codec.encode(np.array(items, dtype))


@given(st.data())
def test_stored_integers(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(INTEGERS))
    limits = np.iinfo(dtype)
    numbers = st.integers(max(limits.min, -9), 9) | st.integers(int(limits.min), int(limits.max))
    offset, scale = data.draw(numbers), data.draw(numbers.filter(bool))
    items = data.draw(st.lists(numbers, min_size=1, max_size=6))
    codec = codec_of(dtype, offset, scale)
    expected = [item // scale + offset for item in items]
    whole = all(item % scale == 0 for item in items)
    if whole and all(limits.min <= item <= limits.max for item in expected):
        assert codec.decode(np.array(items, dtype)).tolist() == expected
    else:
        with pytest.raises(ValueError, match="cannot hold" if whole else "does not divide"):
            codec.decode(np.array(items, dtype))


@given(
    st.sampled_from(["f2", "f4", "f8"]).flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 5))),
    st.floats(width=16),
    st.floats(width=16).filter(bool),
)
def test_floats(items: np.ndarray[Any, Any], offset: float, scale: float) -> None:
    codec = codec_of(items.dtype, offset, scale)
    with np.errstate(all="ignore"):
        expected = (items - items.dtype.type(offset)) * items.dtype.type(scale)
        decoded = expected / items.dtype.type(scale) + items.dtype.type(offset)
    found = codec.encode(items)
    assert found.dtype == items.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(codec.decode(found.tobytes()), decoded)


def test_a_scale_of_zero() -> None:
    with pytest.raises(CodecError, match="scale is 0"):
        codec_of("f4", 1, 0)


def test_arrays() -> None:
    codec = {"name": "scale_offset", "configuration": {"offset": 100, "scale": 2}}
    z = zchunk.create(
        6, chunks=4, dtype="u1", fill_value=100, zarr_format=3, filters=[codec], compressor=None
    )
    z[:5] = [100, 101, 102, 200, 227]
    assert bytes(z.store["c/0"]) == bytes([0, 2, 4, 200])
    assert bytes(z.store["c/1"]) == bytes([254, 0, 0, 0])
    assert z[...].tolist() == [100, 101, 102, 200, 227, 100]
    with pytest.raises(ValueError, match="99 becomes -2 by offset 100 and scale 2, which uint8 cannot hold"):
        z[0] = 99
    with pytest.raises(ValueError, match="228 becomes 256"):
        z[:4] = 228
    assert z[0] == 100
    z.store["c/0"] = bytes([1, 2, 4, 6])
    with pytest.raises(ChunkError, match="1 is stored, the scale 2 does not divide it"):
        z[0]
    assert z[4] == 227
