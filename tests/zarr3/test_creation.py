"""Making arrays and groups with zarr 3's signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import ContainsArrayError, InvalidKeyError, MixedFormatsError
from zchunk.zarr3.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zchunk.zarr3.metadata import GroupMetadata


def test_create_array() -> None:
    store: dict[str, bytes] = {}
    z = zarr.create_array(
        store, name="a/b", shape=(6, 8), chunks=(2, 2), shards=(6, 4), dtype="i2", fill_value=7,
        attributes={"x": 1}, dimension_names=["p", "q"], compressors=[GzipCodec(level=1)],
    )  # fmt: skip
    assert (z.path, z.shape, z.chunks, z.shards, z.fill_value) == ("a/b", (6, 8), (2, 2), (6, 4), 7)
    assert (z.attrs.asdict(), z.dimension_names, z.compressors) == ({"x": 1}, ("p", "q"), (zchunk.GZip(1),))
    assert (z[...] == 7).all()
    with pytest.raises(ContainsArrayError):
        zarr.create_array(store, name="a/b", shape=3)
    assert zarr.create_array(store, name="a/b", shape=3, overwrite=True).shape == (3,)


def test_data_and_no_data() -> None:
    data = np.arange(12).reshape(3, 4)
    z = zarr.create_array({}, data=data, chunks=(2, 2))
    np.testing.assert_array_equal(z[...], data)
    z = zarr.create_array({}, data=data, chunks=(2, 2), write_data=False)
    assert (z.shape, z.dtype, z.nchunks_initialized) == ((3, 4), data.dtype, 0)
    assert zarr.create(3, data=[1, 2, 3])[:].tolist() == [1, 2, 3]


def test_empty_chunks_are_not_stored() -> None:
    z = zarr.ones((4, 4), chunks=2, dtype="i4")
    z[...] = 1
    assert z.nchunks_initialized == 0


@pytest.mark.parametrize("version", [2, 3])
def test_order(version: Any) -> None:
    z = zarr.create((4, 6), order="F", zarr_format=version, dtype="i4")
    z[...] = np.arange(24).reshape(4, 6)
    assert z[...].flags.f_contiguous
    # In format 3 nothing of it is stored.
    again = zchunk.open(z.store)
    assert again.order == ("F" if version == 2 else "C")
    np.testing.assert_array_equal(again[...], np.arange(24).reshape(4, 6))


def test_all_codecs_in_one_list() -> None:
    codecs = [TransposeCodec(order=(1, 0)), BytesCodec(endian="big"), ZstdCodec(level=3), Crc32cCodec()]
    z = zarr.create((4, 6), chunk_shape=(2, 3), codecs=codecs, dtype="i4")
    assert z.chunks == (2, 3)
    names = [codec["name"] for codec in z.metadata.to_dict()["codecs"]]
    assert names == ["transpose", "bytes", "zstd", "crc32c"]
    z[...] = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(z[...], np.arange(24).reshape(4, 6))
    z = zarr.create((4, 6), chunks=(4, 6), codecs=[ShardingCodec(chunk_shape=(2, 3))], dtype="i4")
    assert (z.chunks, z.shards) == ((2, 3), (4, 6))


def test_parameters_that_mean_nothing() -> None:
    z = zarr.create(4, cache_metadata=None, synchronizer=None, meta_array=None, read_only=None, chunks=None)
    assert z.shape == (4,)
    assert zarr.create(4, compressor="auto", zarr_format=2).compressor == zchunk.Zstd(level=0)
    assert zarr.create(4, compressor=None, zarr_format=2).compressor is None
    assert zarr.create(4, compressor=zchunk.Zlib(), zarr_format=2).compressor == zchunk.Zlib()
    assert zarr.create(4, fill_value=None, zarr_format=2).fill_value is None


def test_in_groups_of_format_2() -> None:
    store: dict[str, bytes] = {}
    zarr.create_group(store, zarr_format=2)
    assert zarr.create_array(store, name="a", shape=3).zarr_format == 2
    assert zarr.create_group(store, path="b").zarr_format == 2


def test_like() -> None:
    z = zarr.full((4, 6), 5, chunks=(2, 3), dtype="i2", compressors=[GzipCodec(level=1)])
    for new, value in (
        (zarr.zeros_like(z), 0), (zarr.ones_like(z), 1), (zarr.empty_like(z), 0), (zarr.full_like(z), 5),
    ):  # fmt: skip
        assert (new.chunks, new.dtype, new.compressors) == (z.chunks, z.dtype, z.compressors)
        assert new.zarr_format == 3
        assert new.fill_value == value
    assert zarr.zeros_like(z, zarr_format=2).zarr_format == 2
    assert zarr.zeros_like(np.zeros((2, 2), "i1")).zarr_format == 3


def test_from_array() -> None:
    z = zarr.create_array(
        {}, data=np.arange(24).reshape(4, 6), chunks=(2, 3), attributes={"x": 1}, fill_value=9
    )
    new = zarr.from_array({}, data=z, name="a", chunks="keep")
    assert (new.chunks, new.attrs.asdict(), new.fill_value, new.path) == ((2, 3), {"x": 1}, 9, "a")
    np.testing.assert_array_equal(new[...], z[...])
    new = zarr.from_array({}, data=z, chunks=(4, 6), shards=None, attributes={})
    assert (new.chunks, new.attrs.asdict()) == ((4, 6), {})
    assert zarr.from_array({}, data=z, write_data=False).nchunks_initialized == 0
    new = zarr.from_array({}, data=np.arange(3))
    assert (new.zarr_format, new[:].tolist()) == (3, [0, 1, 2])


def test_groups_hand_the_defaults_on() -> None:
    g = zarr.create_group({}, attributes={"x": 1})
    assert (g.zarr_format, g.attrs["x"]) == (3, 1)
    for z in (
        g.create_array("a", shape=4, dtype="i4"), g.zeros("b/c", shape=4), g.array("d", [1, 2]), g["b/c"],
        g["b"]["c"], g.require_array("e", shape=4, dtype="i4"),
    ):  # fmt: skip
        assert (z.zarr_format, z.compressors, z.write_empty_chunks) == (3, (zchunk.Zstd(level=0),), False)
    g["f"] = [1, 2, 3]
    assert g["f"].compressors == (zchunk.Zstd(level=0),)


def test_create_hierarchy(tmp_path: Path) -> None:
    root = zarr.group({}, attributes={"name": "root"})
    z = root.create_array("a/b", shape=(4, 4), chunks=2, dtype="f4", attributes={"x": 1})
    nodes = {"": root.metadata, "a/b": z, "c/d": GroupMetadata({"y": 2}), "e": z.metadata}
    made = dict(zarr.create_hierarchy(store=str(tmp_path / "x"), nodes=nodes))
    assert list(made) == ["", "a", "c", "e", "a/b", "c/d"]
    assert made[""].attrs == root.attrs
    new: Any = made["a/b"]
    assert (new.shape, new.chunks, new.dtype, new.attrs["x"]) == (z.shape, z.chunks, z.dtype, 1)
    assert made["c/d"].attrs["y"] == 2
    again = zarr.open_group(tmp_path / "x")
    assert sorted(path for path, _ in again.members(None)) == ["a", "a/b", "c", "c/d", "e"]
    with pytest.raises(zchunk.errors.ContainsNodeError):
        zarr.create_hierarchy(store=str(tmp_path / "x"), nodes={"e": z.metadata})
    assert dict(zarr.create_hierarchy(store={}, nodes={})) == {}


def test_hierarchies_that_cannot_be() -> None:
    z = zarr.zeros(3)
    store: dict[str, bytes] = {}
    with pytest.raises(InvalidKeyError, match="'a/b' would be in 'a', which is to be an array"):
        zarr.create_hierarchy(store=store, nodes={"a": z, "a/b": z})
    with pytest.raises(MixedFormatsError):
        zarr.create_hierarchy(store=store, nodes={"a": z, "b": GroupMetadata(zarr_format=2)})
    with pytest.raises(TypeError, match="a node is made of GroupMetadata"):
        zarr.create_hierarchy(store=store, nodes={"a": 5})
    assert store == {}


def test_save_and_load(tmp_path: Path) -> None:
    zarr.save(tmp_path / "a", np.arange(3))
    assert zarr.open(tmp_path / "a").zarr_format == 3
    assert zarr.load(tmp_path / "a").tolist() == [0, 1, 2]
    zarr.save(tmp_path / "b", np.arange(3), x=np.arange(4), path="g")
    assert sorted(zarr.load(tmp_path / "b", path="g")) == ["arr_0", "x"]
    g = zarr.open_group(tmp_path / "b", path="g")
    assert (g.zarr_format, g["x"].compressors) == (3, (zchunk.Zstd(level=0),))
    zarr.save_array(tmp_path / "c.zip", np.arange(3), mode="w", chunks=2, zarr_format=2)
    z = zarr.open_array(zarr.storage.ZipStore(tmp_path / "c.zip"))
    assert (z.zarr_format, z.chunks, z[:].tolist()) == (2, (2,), [0, 1, 2])
    zarr.save_array("memory://saved", np.arange(3), storage_options={"skip_instance_cache": True})
    assert zarr.load("memory://saved").tolist() == [0, 1, 2]
