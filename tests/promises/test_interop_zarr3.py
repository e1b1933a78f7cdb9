"""Hierarchies of format 3 beside zarr-python 3: groups, attributes, names of axes, consolidated metadata."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk

zarr = pytest.importorskip("zarr", minversion="3.0")
pytestmark = pytest.mark.filterwarnings("ignore")

ATTRIBUTES = {"a": [1, 2.5, None, {"b": "ü"}], "c": True}


def test_zarr_reads_our_hierarchy(tmp_path: Path) -> None:
    g = zchunk.group(tmp_path, zarr_format=3, attributes=ATTRIBUTES)
    values = np.arange(96, dtype="i4").reshape(8, 12)
    g.array("x/plain", values, chunks=(3, 5), dimension_names=["y", None], attributes={"u": "m"})
    g.array("x/sharded", values, chunks=(2, 3), shards=(4, 6))
    g.array("big", values, dtype=">i4", order="F", fill_value=7)
    g["x/plain"].resize(9, 12)
    g["x/plain"].attrs["more"] = 1
    theirs = zarr.open_group(tmp_path, mode="r")
    assert dict(theirs.attrs) == ATTRIBUTES
    assert sorted(theirs.members(max_depth=None), key=str) is not None
    assert {name for name, _ in theirs.members(max_depth=None)} == {"x", "x/plain", "x/sharded", "big"}
    plain, sharded = theirs["x/plain"], theirs["x/sharded"]
    np.testing.assert_array_equal(plain[:8], values)
    assert (plain.shape, dict(plain.attrs)) == ((9, 12), {"u": "m", "more": 1})
    assert plain.metadata.dimension_names == ("y", None)
    np.testing.assert_array_equal(sharded[...], values)
    np.testing.assert_array_equal(theirs["big"][...], values)
    for name in ("x/plain", "x/sharded", "big"):
        ours = g[name]
        for what in (
            "shape",
            "chunks",
            "shards",
            "nchunks",
            "cdata_shape",
            "nchunks_initialized",
            "fill_value",
        ):
            assert getattr(ours, what) == getattr(theirs[name], what), (name, what)
        assert ours.serializer == theirs[name].serializer.to_dict()
        assert len(ours.compressors) == len(theirs[name].compressors)


def test_we_read_zarrs_hierarchy(tmp_path: Path) -> None:
    theirs = zarr.create_group(tmp_path, zarr_format=3, attributes=ATTRIBUTES)
    values = np.arange(60, dtype="f4").reshape(6, 10)
    plain = theirs.create_array("a/b", shape=(6, 10), chunks=(4, 3), dtype="f4", dimension_names=["p", "q"])
    plain[...] = values
    plain.attrs["u"] = 1
    sharded = theirs.create_array("s", shape=(6, 10), chunks=(2, 5), shards=(6, 10), dtype=">f4")
    sharded[...] = values
    theirs.create_group("empty")
    g = zchunk.open(tmp_path)
    assert (g.zarr_format, g.attrs.asdict(), list(g)) == (3, ATTRIBUTES, ["a", "empty", "s"])
    assert (g["a/b"].dimension_names, g["a/b"].attrs.asdict()) == (("p", "q"), {"u": 1})
    np.testing.assert_array_equal(g["a/b"][...], values)
    np.testing.assert_array_equal(g["s"][...], values)
    assert (g["s"].shards, g["s"].chunks, g["s"].dtype.isnative) == ((6, 10), (2, 5), True)
    # And change it, for zarr to read.
    g["a/b"].append(np.ones((2, 10)))
    g["a/b"].attrs["v"] = 2
    g.attrs["new"] = 3
    again = zarr.open_group(tmp_path, mode="r")
    assert (again["a/b"].shape, dict(again["a/b"].attrs)) == ((8, 10), {"u": 1, "v": 2})
    assert again["a/b"].metadata.dimension_names == ("p", "q")
    assert again.attrs["new"] == 3


def test_consolidated_metadata_both_ways(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    g = zchunk.group(ours, zarr_format=3, attributes=ATTRIBUTES)
    t = zarr.create_group(theirs, zarr_format=3, attributes=ATTRIBUTES)
    for group in (g, t):
        group.create_array(
            "a/b", shape=(3,), chunks=(3,), dtype="i4", attributes={"z": 1}, dimension_names=["x"]
        )
        group.create_group("c/d")
    zchunk.consolidate_metadata(ours)
    zarr.consolidate_metadata(theirs)
    for path in (ours, theirs):
        found = zarr.open_consolidated(path, zarr_format=3)
        assert {name for name, _ in found.members(max_depth=None)} == {"a", "a/b", "c", "c/d"}
        assert found["a/b"].attrs["z"] == 1
        mine = zchunk.open_consolidated(path)
        assert (list(mine), list(mine["c"]), mine["a/b"].dimension_names) == (["a", "c"], ["d"], ("x",))
        assert mine.attrs.asdict() == ATTRIBUTES
    entries = []
    for path in (ours, theirs):
        found = zarr.open_consolidated(path, zarr_format=3).metadata.consolidated_metadata
        entries.append(list(found.flattened_metadata))
    assert sorted(entries[0]) == sorted(entries[1])


@pytest.mark.parametrize(
    "codecs",
    [
        lambda c: {"compressors": [c.BloscCodec(cname="zstd")]},
        lambda c: {"compressors": [c.ZstdCodec(level=2), c.Crc32cCodec()]},
        lambda c: {"compressors": c.GzipCodec(), "serializer": c.BytesCodec(endian="big")},
        lambda c: {"filters": [c.TransposeCodec(order=(1, 0))], "compressors": None},
    ],
)
def test_codec_objects_of_zarr(codecs: Any, tmp_path: Path) -> None:
    values = np.arange(12, dtype="i2").reshape(3, 4)
    kwargs = codecs(zarr.codecs)
    ours = zchunk.create_array(tmp_path / "a", data=values, chunks=(2, 2), zarr_format=3, **kwargs)
    theirs = zarr.create_array(tmp_path / "b", shape=(3, 4), dtype="i2", chunks=(2, 2), **kwargs)
    theirs[...] = values
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a")[...], values)
    np.testing.assert_array_equal(zchunk.open(tmp_path / "b")[...], values)
    assert zchunk.open(tmp_path / "b").compressors == ours.compressors
    assert zchunk.open(tmp_path / "b").serializer == ours.serializer


def test_nodes_of_both_formats_as_after_zarrs_migration(tmp_path: Path) -> None:
    zchunk.array([1, 2, 3], store=tmp_path, zarr_format=2)
    zchunk.array([4, 5], store=tmp_path / "x", zarr_format=3)
    (tmp_path / "x" / "zarr.json").rename(tmp_path / "zarr.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert zarr.open_array(tmp_path, zarr_format=3).shape == (2,)
    with pytest.raises(zchunk.errors.MixedFormatsError):
        zchunk.open(tmp_path)
    assert (zchunk.open(tmp_path, zarr_format=2).shape, zchunk.open(tmp_path, zarr_format=3).shape) == (
        (3,),
        (2,),
    )
