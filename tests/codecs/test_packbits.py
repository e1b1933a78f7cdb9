"""The codec ``packbits``, beside bits one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.codecs.packbits import PADDINGS, PackBits
from zchunk.errors import ChunkError, CodecError
from zchunk.spec.dtypes import bits_of, is_complex, is_integer

ml = pytest.importorskip("ml_dtypes")

NAMES = ["bool", "int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64", "complex64"]
NAMES += ["complex128", "int2", "uint2", "int4", "uint4", "float4_e2m1fn", "float6_e3m2fn", "bfloat16"]
NAMES += ["float8_e5m2", "complex32", "bcomplex32"]


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml, name, name))


def codec_of(
    name: str, size: int, padding: str = "none", first: int | None = None, last: int | None = None
) -> PackBits:
    return PackBits(dtype_of(name), size, padding, first, last, {})


def parts_of(items: np.ndarray[Any, Any]) -> list[int]:
    """Return the bits of items, or of the parts of complex numbers, as integers."""
    return items.view(f"u{items.itemsize // (2 if is_complex(items.dtype) else 1)}").tolist()


def items_of(name: str, raw: bytes) -> np.ndarray[Any, Any]:
    """Return any bytes as items: whole ones, of no more bits than there are."""
    dtype = dtype_of(name)
    found = np.frombuffer(raw[: len(raw) // dtype.itemsize * dtype.itemsize], np.uint8)
    return (found & np.uint8(2 ** min(bits_of(dtype), 8) - 1)).view(dtype)


@given(st.sampled_from(NAMES), st.binary(max_size=90), st.sampled_from(PADDINGS), st.data())
def test_bits(name: str, raw: bytes, padding: str, data: st.DataObject) -> None:
    items = items_of(name, raw)
    dtype = items.dtype
    bits = bits_of(dtype) // (2 if is_complex(dtype) else 1)
    first = data.draw(st.integers(0, bits - 1))
    last = data.draw(st.integers(first, bits - 1))
    width = last - first + 1
    codec = codec_of(name, items.size, padding, first, last)
    number = count = 0
    expected = []
    for part in parts_of(items):
        found = (part >> first) % 2**width
        number |= found << count
        count += width
        if is_integer(dtype) and dtype.name[0] == "i" and found >> (width - 1):
            found |= -1 << width
        expected.append((found << first) % 2**bits)
    packed = number.to_bytes(-(-count // 8), "little")
    filling = bytes([-count % 8])
    packed = {"none": packed, "first_byte": filling + packed, "last_byte": packed + filling}[padding]
    assert codec.encode(items) == packed
    decoded = codec.decode(packed)
    assert (decoded.dtype, parts_of(decoded)) == (dtype, expected)


def test_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zchunk.codecs.packbits._AT_ONCE", 64)
    items = np.arange(1000, dtype="u2")
    codec = codec_of("uint16", 1000, "last_byte", 0, 10)
    packed = codec.encode(items)
    assert len(packed) == 1000 * 11 // 8 + 1 == codec.nbytes
    assert codec.decode(packed).tolist() == items.tolist()
    out = np.empty((10, 100), "u2")
    assert codec.decode(packed, out) is out
    assert out.reshape(-1).tolist() == items.tolist()


def test_damaged_chunks() -> None:
    codec = codec_of("bool", 11, "first_byte")
    packed = codec.encode(np.arange(11) % 3 == 0)
    assert packed == bytes([5, 0b01001001, 0b00000010])
    for data, message in (
        (packed[:-1], "it has 2 bytes, 11 items are packed to 3"),
        (packed + b"\0", "it has 4 bytes"),
        (b"", "it has 0 bytes"),
        (b"\4" + packed[1:], "4 bits are filling, not 5"),
    ):
        with pytest.raises(ValueError, match=message):
            codec.decode(data)
    with pytest.raises(ValueError, match="gets 3 items of 11"):
        codec.encode(np.zeros(3, bool))


def test_what_is_refused() -> None:
    for name in ("S3", "M8[s]", "V4", "U2"):
        with pytest.raises(CodecError, match="packs booleans and numbers, not"):
            codec_of(name, 4)
    for name, first, last in (("int4", 0, 4), ("uint8", 5, 4), ("bool", 1, None), ("float32", None, 32)):
        with pytest.raises(CodecError, match="there are no bits"):
            codec_of(name, 4, "none", first, last)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays(order: Any) -> None:
    serializer = {"name": "packbits", "configuration": {"padding_encoding": "first_byte"}}
    mask = np.arange(35).reshape(5, 7) % 3 == 0
    z = zchunk.create(
        (5, 7),
        chunks=(5, 4),
        dtype="?",
        zarr_format=3,
        serializer=serializer,
        compressor=None,
        order=order,
    )
    z[...] = mask
    bits = np.packbits(mask[:, :4].reshape(-1, order=order), bitorder="little")
    assert bytes(z.store["c/0/0"]) == bytes([4, *bits])
    z[1:3, 2:] = ~mask[1:3, 2:]
    mask[1:3, 2:] = ~mask[1:3, 2:]
    again = zchunk.open(z.store)
    np.testing.assert_array_equal(again[...], mask)
    assert again.serializer == serializer
    assert again.filters == z.filters
    # In another array it is for other chunks.
    other = zchunk.full_like(again, shape=(3, 3), chunks=(2, 2), fill_value=True)
    other[0] = False
    np.testing.assert_array_equal(other[...], [[False] * 3, [True] * 3, [True] * 3])
    assert other.serializer == serializer
    again.store["c/0/0"] = bytes([3, *bits])
    with pytest.raises(ChunkError, match="3 bits are filling"):
        again[0, 0]


def test_shards_and_checksums() -> None:
    serializer = {"name": "packbits", "configuration": {"last_bit": 5}}
    z = zchunk.create(
        (8, 8),
        chunks=(2, 4),
        shards=(4, 8),
        dtype="u1",
        zarr_format=3,
        serializer=serializer,
        compressors=[{"name": "crc32c"}],
    )
    values = np.arange(64, dtype="u1").reshape(8, 8)
    z[...] = values
    np.testing.assert_array_equal(zchunk.open(z.store)[...], values)
