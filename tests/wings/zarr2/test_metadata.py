"""Metadata as dicts, as in zarr.meta."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import CodecError, MetadataError
from zchunk.wings.zarr2 import metadata as meta


@pytest.mark.parametrize("separator", [None, "/"])
def test_array_metadata_both_ways(separator: str | None) -> None:
    options = {"chunks": (5, 4), "filters": [{"id": "shuffle"}], "dimension_separator": separator}
    z = zchunk.full((10, 4), np.nan, dtype="<f4", **options)
    raw = z.store[".zarray"]
    found = meta.decode_array_metadata(raw)
    assert (found["shape"], found["chunks"], found["dtype"]) == ((10, 4), (5, 4), np.dtype("<f4"))
    assert found["compressor"] == z.compressor.get_config()
    assert np.isnan(found["fill_value"])
    assert found.get("dimension_separator") == separator
    assert meta.encode_array_metadata(found) == raw
    for same in (raw.decode(), json.loads(raw)):
        assert meta.encode_array_metadata(meta.decode_array_metadata(same)) == raw
    assert meta.Metadata2.decode_array_metadata(raw).keys() == found.keys()


def test_group_metadata_both_ways() -> None:
    raw = zchunk.group().store[".zgroup"]
    assert meta.decode_group_metadata(raw) == {"zarr_format": meta.ZARR_FORMAT}
    assert meta.encode_group_metadata() == raw


@pytest.mark.parametrize("bad", [b"", b"[]", b"{}", "{", {"zarr_format": 3}])
def test_bad_metadata(bad: bytes) -> None:
    for decode in (meta.decode_array_metadata, meta.decode_group_metadata):
        with pytest.raises(MetadataError):
            decode(bad)


def test_what_is_said_is_written() -> None:
    said: dict[str, Any] = {
        "shape": (), "chunks": (), "dtype": np.dtype("i4"), "compressor": {"id": "zlib", "level": 1},
        "fill_value": None, "order": "C", "filters": None,
    }  # fmt: skip
    assert json.loads(meta.encode_array_metadata(said))["compressor"] == said["compressor"]
    text = said | {"shape": (3,), "chunks": [2], "dtype": np.dtype("<U2"), "fill_value": 0}
    assert json.loads(meta.encode_array_metadata(text))["fill_value"] == 0
    assert json.loads(meta.encode_array_metadata(text | {"fill_value": np.str_("a")}))["fill_value"] == "a"
    with pytest.raises(MetadataError):
        meta.encode_array_metadata(text | {"chunks": (0,)})
    with pytest.raises(CodecError, match="names no codec"):
        meta.encode_array_metadata(said | {"compressor": {"inner": {"id": "pickle"}}})


def test_objects_both_ways_without_a_warning() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for codec in (numcodecs.VLenUTF8(), numcodecs.Pickle()):
            raw = zchunk.create(2, dtype=object, object_codec=codec).store[".zarray"]
            assert meta.encode_array_metadata(meta.decode_array_metadata(raw)) == raw
