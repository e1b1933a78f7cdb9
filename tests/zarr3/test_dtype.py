"""zarr 3's data types by its names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk.zarr3 as zarr
from zchunk.errors import MetadataError
from zchunk.zarr3 import dtype as zdtypes
from zchunk.zarr3.dtype import DateTime64, Int8, Int16, ZDType, parse_dtype

# What zarr 3.4 shows, and the names in the metadata of format 3.
SHOWN = {
    "|b1": ("Bool()", "bool"),
    "|i1": ("Int8()", "int8"),
    ">i2": ("Int16(endianness='big')", "int16"),
    "<f2": ("Float16(endianness='little')", "float16"),
    "<c8": ("Complex64(endianness='little')", "complex64"),
    "<U3": (
        "FixedLengthUTF32(endianness='little', length=3)",
        {"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}},
    ),
    "|S3": (
        "NullTerminatedBytes(length=3)",
        {"name": "null_terminated_bytes", "configuration": {"length_bytes": 3}},
    ),
    "<M8[10s]": (
        "DateTime64(endianness='little', scale_factor=10, unit='s')",
        {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 10}},
    ),
    "|V3": ("RawBytes(length=3)", {"name": "raw_bytes", "configuration": {"length_bytes": 3}}),
}


@pytest.mark.parametrize("native", SHOWN)
def test_there_and_back(native: str) -> None:
    found = parse_dtype(np.dtype(native), zarr_format=3)
    assert (repr(found), found.to_json(zarr_format=3)) == SHOWN[native]
    assert found.to_json(zarr_format=2) == {"name": native, "object_codec_id": None}
    assert found.to_native_dtype() == np.dtype(native)
    assert found.item_size == np.dtype(native).itemsize
    assert parse_dtype(found, zarr_format=2) is found
    assert parse_dtype(native, zarr_format=2) == found
    assert parse_dtype(found.to_json(zarr_format=2), zarr_format=2) == found
    assert type(parse_dtype(found.to_json(zarr_format=3), zarr_format=3)) is type(found)
    assert type(found).from_native_dtype(np.dtype(native)) == found
    assert ZDType.from_json(native, zarr_format=2) == found
    z = zarr.create_array({}, shape=2, dtype=found)
    assert z.dtype == np.dtype(native).newbyteorder("=")
    default = found.default_scalar()
    for version in (2, 3):
        stored = found.to_json_scalar(default, zarr_format=version)
        read = found.from_json_scalar(stored, zarr_format=version)
        assert np.asarray(read).astype(native).tobytes() == np.asarray(default).astype(native).tobytes()


def test_scalars() -> None:
    assert Int8().default_scalar() == np.int8(0)
    assert Int8().to_json_scalar(42, zarr_format=3) == 42
    assert Int8().from_json_scalar(42, zarr_format=3) == np.int8(42)
    assert zdtypes.Float32().to_json_scalar(float("inf"), zarr_format=2) == "Infinity"


def test_of_any_length() -> None:
    for given in (str, "string", {"name": "|O", "object_codec_id": "vlen-utf8"}):
        found = parse_dtype(given, zarr_format=3)
        assert found == zdtypes.VariableLengthUTF8()
        assert found.to_json(zarr_format=3) == "string"
        assert (found.default_scalar(), found.cast_scalar(5)) == ("", "5")
    for given in (bytes, "variable_length_bytes", {"name": "|O", "object_codec_id": "vlen-bytes"}):
        found = parse_dtype(given, zarr_format=3)
        assert found == zdtypes.VariableLengthBytes()
        assert found.to_json(zarr_format=2) == {"name": "|O", "object_codec_id": "vlen-bytes"}
        assert (found.default_scalar(), found.cast_scalar(b"a")) == (b"", b"a")
    z = zarr.create_array({}, shape=2, dtype=zdtypes.VariableLengthUTF8())
    z[:] = ["a", "bc"]
    assert z.metadata.to_dict()["data_type"] == "string"
    assert z[:].tolist() == ["a", "bc"]
    z = zarr.create_array({}, shape=2, dtype=zdtypes.VariableLengthBytes())
    assert z.metadata.to_dict()["data_type"] == "variable_length_bytes"


def test_structures() -> None:
    native = np.dtype([("a", "<i4"), ("b", "<f8")])
    found: Any = parse_dtype(native)
    assert repr(found) == (
        "Struct(fields=(('a', Int32(endianness='little')), ('b', Float64(endianness='little'))))"
    )
    assert found.to_native_dtype() == native
    assert found.default_scalar() == np.zeros((), native)[()]


def test_what_is_none() -> None:
    with pytest.raises(MetadataError, match="no Int8"):
        Int8.from_native_dtype(np.dtype("i2"))
    with pytest.raises(MetadataError, match="no DateTime64"):
        DateTime64.from_json("int8", zarr_format=3)
    with pytest.raises(MetadataError, match="no data type in zarr 3"):
        parse_dtype(np.dtype("O"))
    with pytest.raises((TypeError, MetadataError)):
        parse_dtype("no such type", zarr_format=3)


def test_registry() -> None:
    registry = zdtypes.data_type_registry
    assert registry.get("int8") is Int8
    assert registry.contents["numpy.datetime64"] is DateTime64
    assert registry.match_dtype(np.dtype("<i2")) == Int16("little")
    assert registry.match_json("<i2", zarr_format=2) == Int16("little")
