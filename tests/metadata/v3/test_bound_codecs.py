"""Codecs that are bound to items, in chains and documents: what they take, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.codecs.test_v3 import BIG, LITTLE, sharding, transpose
from tests.metadata.v3.test_codecs import parse
from zchunk.codecs.bitround import BitRound
from zchunk.codecs.cast_value import CastValue
from zchunk.codecs.scale_offset import ScaleOffset
from zchunk.codecs.transpose import ByteSwap
from zchunk.errors import CodecError, MetadataError


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def make(*filters: Any, dtype: Any = "f4", **kwargs: Any) -> zchunk.Array:
    kwargs = {"shape": (4, 6), "chunks": (2, 3), "zarr_format": 3, "compressor": None} | kwargs
    return zchunk.create(dtype=dtype, filters=list(filters), **kwargs)


CAST = pair("cast_value", data_type="int16")


def test_what_a_chain_makes_of_items() -> None:
    found = parse(pair("scale_offset", scale=2), CAST, pair("bitround", keepbits=3), BIG, dtype="f4")
    scale, cast, rounding, swap = found["filters"]
    assert isinstance(scale, ScaleOffset)
    assert isinstance(cast, CastValue)
    assert (scale.dtype, cast.dtype, cast.encoded) == (np.float32, np.float32, np.int16)
    assert rounding == BitRound(np.dtype("i2"), 3)
    assert swap == ByteSwap(np.dtype("i2"))
    assert not found["swapped"]


def test_what_is_written_is_what_was_given() -> None:
    given = [
        pair("scale_offset", offset=5, scale=0.1),
        pair("scale_offset", scale="0x3f800000"),
        {"name": "scale_offset"},
        pair("cast_value", data_type="uint8", rounding="towards-zero", scalar_map={"encode": [["NaN", 0]]}),
        pair("bitround", keepbits=4),
    ]
    packbits = pair("packbits", padding_encoding="last_byte", last_bit=6)
    z = make(*given, serializer=packbits)
    assert z.metadata.to_dict()["codecs"] == [*given, packbits]
    again = zchunk.open(z.store)
    assert again.metadata.to_dict() == z.metadata.to_dict()
    assert again.filters == z.filters
    # What is the same text is parsed once.
    assert zchunk.open(z.store).metadata is again.metadata


@pytest.mark.parametrize("before", [True, False])
def test_transposed(before: bool) -> None:
    order = transpose(1, 0)
    z = make(*((order, CAST) if before else (CAST, order)))
    z[...] = np.arange(24).reshape(4, 6)
    stored = np.frombuffer(bytes(z.store["c/0/0"]), "<i2")
    assert stored.tolist() == [0, 6, 1, 7, 2, 8]
    assert zchunk.open(z.store)[...].tolist() == np.arange(24).reshape(4, 6).tolist()


def test_shards_hold_what_the_codecs_make_and_the_fill_value_too() -> None:
    """The codecs stand before the shards: missing inner chunks are the fill value that has passed them."""
    shards = sharding((1, 3), [LITTLE])
    z = make(
        pair("scale_offset", offset=-1, scale=10), CAST, serializer=shards, chunks=(2, 6), fill_value=2.0
    )
    z[0, 0] = 5
    z[1, 5] = 7.5
    inner: Any = z.metadata.filters[-1]
    assert (inner.format.inner.dtype, inner.format.inner.fill_value) == (np.int16, 30)
    data = bytes(z.store["c/0/0"])
    assert np.frombuffer(data[:6], "<i2").tolist() == [60, 30, 30]
    again = zchunk.open(z.store)
    expected = np.full((4, 6), 2.0)
    expected[0, 0], expected[1, 5] = 5, 7.5
    np.testing.assert_array_equal(again[...], expected)
    # In the shards, they see the items of the array.
    inside = make(CAST, shards=(4, 6))
    inside[...] = 3
    assert inside.metadata.shards is not None
    assert zchunk.open(inside.store)[...].sum() == 72


def test_fill_values_must_pass() -> None:
    with pytest.raises(
        CodecError, match=r"the fill value .*nan.* cannot be stored: codec 'cast_value': int16"
    ):
        make(CAST, fill_value=math.nan)
    mapped = CAST["configuration"] | {"scalar_map": {"encode": [["NaN", -1]], "decode": [[-1, "NaN"]]}}
    z = make(pair("cast_value", **mapped), fill_value=math.nan)
    z[0] = [1, math.nan, 3, -5, math.nan, math.nan]
    assert bytes(z.store["c/0/0"])[:6] == np.array([1, -1, 3], "<i2").tobytes()
    np.testing.assert_array_equal(z[0], [1, math.nan, 3, -5, math.nan, math.nan])
    assert np.isnan(z[3]).all()
    with pytest.raises(CodecError, match=r"the fill value .*200.* cannot be stored: codec 'scale_offset'"):
        make(pair("scale_offset", scale=2), dtype="u1", fill_value=200)


@pytest.mark.parametrize(
    ("codec", "dtype", "message"),
    [
        (pair("scale_offset", offset=1.5), "i4", "offset: 1.5 is no number of int32: not an integer"),
        (pair("scale_offset", offset=-1), "u1", "offset: -1 is no number of uint8: not between 0 and 255"),
        (pair("scale_offset", scale=0), "f4", "scale is 0"),
        (pair("scale_offset", scale="0x00000000"), "f4", "scale is 0"),
        (pair("scale_offset", scale=None), "f4", "scale: None is no number of float32: null"),
        (pair("scale_offset", scale=math.nan), "f4", "in JSON, NaN and the infinities are text"),
        (pair("scale_offset", scale=True), "f4", "True is no number of float32"),
        (pair("scale_offset", scale=[1]), "f4", "is no number of float32"),
        (pair("scale_offset", scale=1e300), "f4", "it does not have this value"),
        (pair("scale_offset", astype="u1"), "f4", "has unknown members 'astype'"),
        (pair("scale_offset"), "c8", "takes integers and floats of NumPy, not complex64"),
        (pair("scale_offset"), "?", "takes integers and floats of NumPy, not bool"),
        (pair("scale_offset"), "M8[s]", "takes integers and floats of NumPy, not datetime64"),
        (pair("scale_offset"), [("a", "i4")], "takes integers and floats of NumPy"),
        (pair("scale_offset"), str, "does not take strings or bytes of any length"),
        (pair("cast_value"), "f4", "lacks 'data_type'"),
        (pair("cast_value", data_type="complex64"), "f4", "casts integers and floats, not complex64"),
        (pair("cast_value", data_type="bool"), "f4", "casts integers and floats, not bool"),
        (pair("cast_value", data_type="string"), "f4", "casts integers and floats, not object"),
        (pair("cast_value", data_type="nothing"), "f4", "'nothing' is not known"),
        (CAST, "?", "casts integers and floats, not bool"),
        (pair("cast_value", data_type="i2"), "f4", "'i2' is not known"),
        (pair("cast_value", data_type="int8", rounding="nearest"), "f4", "rounding is 'nearest'"),
        (pair("cast_value", data_type="int8", rounding=["nearest-even"]), "f4", "rounding is"),
        (pair("cast_value", data_type="int8", out_of_range="error"), "f4", "out_of_range is 'error'"),
        (pair("cast_value", data_type="int8", out_of_range={}), "f4", "out_of_range is"),
        (pair("cast_value", data_type="float32", out_of_range="wrap"), "f8", "'wrap' is for integers"),
        (pair("cast_value", data_type="int8", nearest=1), "f4", "has unknown members 'nearest'"),
        (pair("cast_value", data_type="int8", scalar_map=[]), "f4", "scalar_map is"),
        (pair("cast_value", data_type="int8", scalar_map={"both": []}), "f4", "scalar_map is"),
        (pair("cast_value", data_type="int8", scalar_map={"encode": {}}), "f4", "not a list of pairs"),
        (pair("cast_value", data_type="int8", scalar_map={"encode": [[1]]}), "f4", "not a list of pairs"),
        (pair("cast_value", data_type="int8", scalar_map={"encode": [[1, 300]]}), "f4", "300 is no number"),
        (
            pair("cast_value", data_type="int8", scalar_map={"decode": [["NaN", 1]]}),
            "f4",
            "'NaN' is no number",
        ),
        (
            pair("cast_value", data_type="int8", scalar_map={"encode": [[1, 1]] * 4097}),
            "f4",
            "4097 pairs, the limit is 4096",
        ),
        (pair("bitround"), "f4", "lacks 'keepbits'"),
    ],
)
def test_what_is_refused(codec: dict[str, Any], dtype: Any, message: str) -> None:
    with pytest.raises((CodecError, MetadataError), match=message):
        make(codec, dtype=dtype)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (
            {"padding_encoding": "middle"},
            "padding_encoding is 'middle', not one of none, first_byte, last_byte",
        ),
        ({"padding_encoding": []}, "padding_encoding is"),
        ({"first_bit": -1}, "first_bit is -1, not an integer from 0 to 63"),
        ({"last_bit": 64}, "last_bit is 64"),
        ({"last_bit": "3"}, "last_bit is '3'"),
        ({"last_bit": True}, "last_bit is True"),
        ({"last_bit": 32}, "there are no bits 0 to 32 in items of float32, which have 32"),
        ({"first_bit": 5, "last_bit": 4}, "there are no bits 5 to 4"),
        ({"bits": 3}, "has unknown members 'bits'"),
    ],
)
def test_bits_that_are_refused(configuration: dict[str, Any], message: str) -> None:
    with pytest.raises((CodecError, MetadataError), match=message):
        make(serializer=pair("packbits", **configuration))


def test_where_they_cannot_stand() -> None:
    delta = pair("numcodecs.delta", dtype="<f4")
    with pytest.raises(CodecError, match="'packbits' cannot follow a filter that makes one axis of all"):
        parse(delta, pair("packbits"), dtype="f4")
    with pytest.raises(CodecError, match="'sharding_indexed' cannot follow filters of numcodecs"):
        parse(delta, CAST, sharding((2, 3)), dtype="f4")
    with pytest.raises(CodecError, match="cannot follow"):
        parse(LITTLE, CAST, dtype="f4")
    with pytest.raises(CodecError, match="'packbits' does not take"):
        parse(pair("packbits"), dtype=object, fill_value="", data_type="string")
    # After a filter of numcodecs they see what that makes.
    found = parse(pair("numcodecs.astype", encode_dtype="<i2"), CAST, LITTLE, dtype="f4")
    assert found["filters"][1].dtype == np.int16


def test_copies_in_format_2_are_without_them() -> None:
    z = make(CAST, serializer=pair("packbits"))
    z[...] = 5
    with pytest.warns(UserWarning, match="not all of the codecs .* are in format 2"):
        other = zchunk.full_like(z, zarr_format=2)
    assert other.filters is None
    same = zchunk.full_like(z)
    assert same.metadata.to_dict() == z.metadata.to_dict()
