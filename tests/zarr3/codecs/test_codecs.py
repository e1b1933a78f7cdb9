"""``ScaleOffset`` and ``CastValue`` by zarr 3's names."""

from __future__ import annotations

import json
import math
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import CodecError, MetadataError
from zchunk.zarr3 import codecs
from zchunk.zarr3.codecs import CastValue, ScaleOffset
from zchunk.zarr3.dtype import Int16


def test_json() -> None:
    assert ScaleOffset().to_dict() == {"name": "scale_offset"}
    assert ScaleOffset(scale=2).to_dict() == {"name": "scale_offset", "configuration": {"scale": 2}}
    codec = ScaleOffset(offset="0x40a00000", scale=0.5)
    assert codec.to_dict()["configuration"] == {"offset": "0x40a00000", "scale": 0.5}
    assert ScaleOffset.from_dict(codec.to_dict()) == codec
    with pytest.raises(TypeError, match="scale is a number or text, not None"):
        ScaleOffset(scale=None)  # type: ignore[arg-type]
    assert CastValue(data_type=Int16()).to_dict()["configuration"] == {"data_type": "int16"}
    cast = CastValue(
        data_type="int16",
        rounding="towards-zero",
        out_of_range="clamp",
        scalar_map={"encode": [("NaN", -1)], "decode": {-1: "NaN"}},
    )
    assert cast.dtype == Int16()
    assert cast.to_dict()["configuration"] == {
        "data_type": "int16",
        "rounding": "towards-zero",
        "out_of_range": "clamp",
        "scalar_map": {"encode": [["NaN", -1]], "decode": [[-1, "NaN"]]},
    }
    assert CastValue.from_dict(cast.to_dict()).to_dict() == cast.to_dict()
    with pytest.raises(CodecError, match="casts integers and floats, not bool"):
        CastValue(data_type="bool")
    with pytest.raises(MetadataError, match="'i2' is not known"):
        CastValue(data_type="i2")


def test_arrays() -> None:
    filters = [ScaleOffset(offset=-10, scale=10), CastValue(data_type="uint8", out_of_range="clamp")]
    z = zarr.create_array({}, shape=(6, 4), chunks=(3, 2), dtype="float32", filters=filters)
    z[...] = np.linspace(-10, 15, 24).reshape(6, 4)
    again = zchunk.open(z.store)
    np.testing.assert_allclose(again[...], np.linspace(-10, 15, 24).reshape(6, 4), atol=0.051)
    z[0, 0] = 1000
    assert again[0, 0] == 15.5
    assert z.metadata.to_dict()["codecs"][:2] == tuple(codec.to_dict() for codec in filters)


NAN = math.nan
# What zarr-python 3.4.2 (cast-value-rs 0.5.1) has stored: dtype, fill value, filters, what was written, the
# JSON of the codecs, the chunks, and what it reads.
GOLDEN: list[tuple[str, float, list[Any], list[float], str, str, list[float]]] = [
    (
        "f4",
        0.5,
        [
            ScaleOffset(offset=-10, scale=10),
            CastValue(
                data_type="uint8",
                out_of_range="clamp",
                rounding="nearest-away",
                scalar_map={"encode": [("NaN", 255)], "decode": [(255, "NaN")]},
            ),
        ],
        [-10, 0.25, NAN, 99],
        '[{"name": "scale_offset", "configuration": {"offset": -10, "scale": 10}}, {"name": "cast_value", '
        '"configuration": {"data_type": "uint8", "rounding": "nearest-away", "out_of_range": "clamp", '
        '"scalar_map": {"encode": [["NaN", 255]], "decode": [[255, "NaN"]]}}}, {"name": "bytes"}]',
        "0067ffff 00676969",
        [-10.0, 0.3000001907348633, NAN, NAN, -10.0, 0.3000001907348633],
    ),
    (
        "i2",
        -4,
        [ScaleOffset(offset=-20, scale=3)],
        [-20, 1, 300, -4],
        '[{"name": "scale_offset", "configuration": {"offset": -20, "scale": 3}}, {"name": "bytes", '
        '"configuration": {"endian": "little"}}]',
        "00003f00c0033000 00003f0030003000",
        [-20, 1, 300, -4, -20, 1],
    ),
    (
        "f8",
        0,
        [CastValue(data_type="int16", rounding="towards-negative", out_of_range="wrap")],
        [-1.5, 32768, 2.5, -0.0],
        '[{"name": "cast_value", "configuration": {"data_type": "int16", "rounding": "towards-negative", '
        '"out_of_range": "wrap"}}, {"name": "bytes", "configuration": {"endian": "little"}}]',
        "feff008002000000 feff008000000000",
        [-2.0, -32768.0, 2.0, 0.0, -2.0, -32768.0],
    ),
]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case[0])
def test_what_zarr_stores(case: tuple[str, float, list[Any], list[float], str, str, list[float]]) -> None:
    dtype, fill, filters, values, codecs, chunks, expected = case
    z = zarr.create_array(
        {}, shape=6, chunks=4, dtype=dtype, filters=filters, compressors=None, fill_value=fill
    )
    z[:4] = np.array(values, dtype)
    z[4:] = z[:2]
    assert json.dumps(z.metadata.to_dict()["codecs"]) == codecs
    assert " ".join(bytes(z.store[f"c/{i}"]).hex() for i in range(2)) == chunks
    np.testing.assert_array_equal(z[...], np.array(expected, dtype))


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (codecs.BloscCodec, {"cname": "no"}),
        (codecs.BloscCodec, {"shuffle": "no"}),
        (codecs.BytesCodec, {"endian": "no"}),
        (partial(codecs.ShardingCodec, chunk_shape=(2,)), {"index_location": "no"}),
        (codecs.ShardingCodec, {"chunk_shape": (2, 0)}),
        (partial(codecs.ShardingCodec, chunk_shape=(2,)), {"index_codecs": [codecs.GzipCodec()]}),
    ],
)
def test_parameters_that_codecs_have_not(make: Any, wrong: Any) -> None:
    with pytest.raises(CodecError, match=next(iter(wrong))):
        make(**wrong)


def test_items_without_a_byte_order() -> None:
    assert codecs.BytesCodec.from_dict({"name": "bytes"}).endian is None
    assert codecs.BytesCodec.from_dict("bytes").to_dict() == {"name": "bytes"}
    assert codecs.BytesCodec.from_dict(codecs.BytesCodec(endian="big").to_dict()).endian == "big"


def test_enumerations_are_their_texts() -> None:
    endian: Any = Enum("Endian", {"big": "big"})
    assert codecs.BytesCodec(endian=endian.big) == codecs.BytesCodec(endian="big")
