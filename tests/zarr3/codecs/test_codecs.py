"""``ScaleOffset`` and ``CastValue`` by zarr 3's names."""

from __future__ import annotations

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import CodecError, MetadataError
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
    assert z.metadata.to_dict()["codecs"][:2] == [codec.to_dict() for codec in filters]
