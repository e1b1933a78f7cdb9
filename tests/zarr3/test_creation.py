"""Making arrays and groups with zarr 3's signatures."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import CodecError, ContainsArrayError, CopyError, InvalidKeyError, MixedFormatsError
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
    z = zarr.create(3, data=np.array([1, 2, 3], "i1"))
    assert (z.dtype, z[:].tolist()) == (np.dtype("f8"), [1, 2, 3])
    assert zarr.create((2, 3), data=[1, 2, 3], dtype="i1")[...].tolist() == [[1, 2, 3]] * 2


def test_empty_chunks_are_not_stored() -> None:
    z = zarr.ones((4, 4), chunks=2, dtype="i4")
    z[...] = 1
    assert z.nchunks_initialized == 0


@pytest.mark.parametrize("version", [2, 3])
def test_order(version: Any) -> None:
    warned: Any = pytest.warns(zarr.errors.ZarrRuntimeWarning, match="config=")
    with nullcontext() if version == 2 else warned:
        z = zarr.create((4, 6), order="F", zarr_format=version, dtype="i4")
    z[...] = np.arange(24).reshape(4, 6)
    assert z[...].flags.f_contiguous == (version == 2)
    z = zarr.create((4, 6), config={"order": "F"}, zarr_format=version, dtype="i4")
    z[...] = np.arange(24).reshape(4, 6)
    assert z[...].flags.f_contiguous
    # In format 3 nothing of it is stored.
    again = zchunk.open(z.store)
    assert again.order == ("F" if version == 2 else "C")
    np.testing.assert_array_equal(again[...], np.arange(24).reshape(4, 6))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"chunks": 2, "chunk_shape": 2}, "which mean the same; give one"),
        ({"filters": []}, "filters is of arrays of format 2; in format 3, codecs says it"),
        ({"compressor": "blosc"}, "compressor is of arrays of format 2"),
        ({"dimension_separator": "/"}, "in format 3, chunk_key_encoding says it"),
    ],
)
def test_what_is_of_the_other_format(given: Any, message: str) -> None:
    store: dict[str, bytes] = {}
    for make in (zarr.create, zarr.zeros, zarr.ones):
        with pytest.raises(ValueError, match=message):
            make(4, store=store, **given)
    with pytest.raises(ValueError, match=message):
        zarr.array([1, 2], store=store, **given)
    assert not store


def test_from_array_keeps_the_order_of_format_2() -> None:
    for order in ("C", "F"):
        z = zarr.create_array({}, data=np.ones((4, 4)), chunks=2, zarr_format=2, order=order)  # type: ignore[arg-type]
        assert zarr.from_array({}, data=z).metadata == z.metadata


def test_from_array_keeps_how_chunks_are_named() -> None:
    z = zarr.create_array(
        {}, data=np.ones((4, 4)), chunks=2, zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "/"}
    )
    assert zarr.from_array({}, data=z).metadata == z.metadata
    assert zchunk.from_array({}, data=z).metadata.chunk_key_encoding.separator == "/"
    assert zarr.from_array({}, data=z, zarr_format=3).metadata.encode_chunk_key((0, 1)) == "c/0/1"
    new = zarr.from_array({}, data=z, chunk_key_encoding={"name": "v2", "separator": "."})
    assert new.metadata.encode_chunk_key((0, 1)) == "0.1"


@pytest.mark.parametrize("version", [2, 3])
def test_from_array_without_a_fill_value(version: Any) -> None:
    z = zarr.create_array({}, data=[1, 2], fill_value=7, zarr_format=version)
    assert zarr.from_array({}, data=z).fill_value == 7
    expected = None if version == 2 else 0
    assert zarr.from_array({}, data=z, fill_value=None).fill_value == expected
    assert zchunk.from_array({}, data=z, fill_value=None).fill_value == expected


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
    assert zarr.create(4, filters=None, dimension_separator=None, compressor="auto").zarr_format == 3
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
        (zarr.zeros_like(z), 0), (zarr.ones_like(z), 1), (zarr.empty_like(z), 5), (zarr.full_like(z), 5),
    ):  # fmt: skip
        assert (new.chunks, new.dtype, new.compressors) == (z.chunks, z.dtype, z.compressors)
        assert new.zarr_format == 3
        assert new.fill_value == value
    # Codecs are those of one format, as in zarr 3; `zchunk` keeps what both have.
    other = zarr.zeros_like(z, zarr_format=2)
    assert (other.zarr_format, other.compressors) == (2, (zchunk.Zstd(level=0),))
    assert zchunk.zeros_like(z, zarr_format=2).compressor == zchunk.GZip(level=1)
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


@pytest.mark.parametrize(("source", "target"), [("a", "a"), ("g/a", "g"), ("g/a", ""), ("a", "a/c")])
@pytest.mark.parametrize("from_array", [zchunk.from_array, zarr.from_array])
def test_an_array_of_an_array_does_not_replace_its_source(
    from_array: Any, source: str, target: str, tmp_path: Path
) -> None:
    z = zarr.create_array(tmp_path, name=source, data=np.arange(4.0))
    with pytest.raises(CopyError, match=r"give data=array\[...\]"):
        from_array(tmp_path, name=target, data=z, overwrite=True)
    np.testing.assert_array_equal(z[...], np.arange(4.0))
    other = from_array(tmp_path / "other", name=target, data=z, overwrite=True)
    np.testing.assert_array_equal(other[...], np.arange(4.0))


def test_from_array_at_the_top_has_its_defaults() -> None:
    z = zchunk.create((4, 6), chunks=(2, 3), dtype="i2", fill_value=5, compressor="zstd:3", order="F")
    z[:2] = 1
    z.attrs["x"] = 1
    new = zchunk.from_array({}, data=z, name="a", chunks="keep", shards=None)
    assert (new.path, new.zarr_format, new.chunks, new.order, new.fill_value) == ("a", 2, (2, 3), "F", 5)
    assert (new.compressor, new.attrs.asdict()) == (z.compressor, {"x": 1})
    np.testing.assert_array_equal(new[...], z[...])
    empty = zchunk.from_array({}, data=z, write_data=False, attributes={})
    assert (empty[...] == 5).all()
    assert empty.attrs.asdict() == {}
    assert zchunk.from_array({}, data=np.ones(3)).zarr_format == 2
    new = zchunk.from_array({}, data=z, zarr_format=3)
    assert new.zarr_format == 3
    np.testing.assert_array_equal(new[...], z[...])
    with pytest.raises(TypeError, match="did you mean 'chunks'"):
        zchunk.from_array({}, data=z, chunk=3)  # type: ignore[call-arg]


def test_hierarchies_at_the_top() -> None:
    made = dict(zchunk.create_hierarchy(store={}, nodes={"g/a": zchunk.zeros(3, zarr_format=3)}))
    assert [type(node).__name__ for node in made.values()] == ["Group", "Array"]
    assert made["g"].zarr_format == 3


def test_create_with_a_mode() -> None:
    store: dict[str, bytes] = {}
    zarr.create(3, store=store, mode="w-")
    for mode, overwrite in (("w-", True), ("a", False), ("r+", False), (None, False)):
        with pytest.raises(ContainsArrayError):
            zarr.create(4, store=store, mode=mode, overwrite=overwrite)  # type: ignore[arg-type]
    assert zarr.create(4, store=store, mode="w").shape == (4,)
    assert zarr.create(5, store=store, mode="a", overwrite=True).shape == (5,)
    with pytest.raises(ValueError, match="mode 'r' makes no array; open_array opens"):
        zarr.create(3, store=store, mode="r")
    with pytest.raises(ValueError, match="mode 'x' is none"):
        zarr.create(3, store={}, mode="x")  # type: ignore[arg-type]


def test_a_parameter_that_save_does_not_have_is_no_array(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="mode='w' is no array"):
        zarr.save(tmp_path / "a", [1, 2], mode="w")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("version", [2, 3])
def test_the_fill_value_where_none_is_given(version: Any) -> None:
    g = zarr.group(zarr_format=version)
    for make in (g.create_array, lambda name, **kw: zarr.create_array({}, zarr_format=version, **kw)):
        for dtype in ("M8[s]", "m8[ms]"):
            assert np.isnat(make(name="t" + dtype[0], shape=2, dtype=dtype, overwrite=True)[:]).all()
        text = make(name="s", shape=2, dtype=str, overwrite=True)
        assert (text.fill_value, text[0]) == ("", "")
        assert make(name="b", shape=2, dtype="f4", overwrite=True).fill_value == 0
    assert g.create_array("x", shape=2, dtype="M8[s]", fill_value=np.datetime64(5, "s"))[0].astype(int) == 5
    # Without zarr 3's defaults it is 0, as in zarr 2.
    assert zchunk.zeros(2, dtype="M8[s]", zarr_format=version)[0].astype(int) == 0


def test_an_array_above_is_not_replaced(tmp_path: Path) -> None:
    g = zarr.group(tmp_path)
    z = g.create_array("a", data=[1, 2])
    for make in (
        lambda: g.create_array("a/b", shape=3, overwrite=True),
        lambda: zarr.create_array(tmp_path, name="a/b", shape=3, overwrite=True),
        lambda: zarr.create(3, store=tmp_path, path="a/b", mode="w"),
        lambda: zarr.create_array(tmp_path, name="a/b", data=[3], overwrite=True),
        lambda: zarr.create_group(tmp_path, path="a/b", overwrite=True),
        lambda: zarr.open_group(tmp_path, path="a/b", mode="w"),
    ):
        with pytest.raises(ContainsArrayError):
            make()
        assert z[:].tolist() == [1, 2]


@pytest.mark.parametrize("version", [2, 3])
def test_the_format_is_that_of_the_template(version: Any) -> None:
    z = zarr.create_array({}, shape=4, dtype="i4", fill_value=7, zarr_format=version)
    for make in (zarr.zeros_like, zarr.ones_like, zarr.empty_like, zarr.full_like):
        assert make(z).zarr_format == make(z, zarr_format=None).zarr_format == version
        assert make(z, zarr_format=3).zarr_format == 3


@pytest.mark.parametrize("version", [2, 3])
def test_texts_that_are_required(version: Any) -> None:
    g = zarr.group(zarr_format=version)
    z = g.create_array("a", shape=3, dtype=str)
    for exact in (True, False):
        assert g.require_array("a", shape=3, dtype=str, exact=exact) == z
    with pytest.raises(TypeError):
        g.require_array("a", shape=3, dtype="i4", exact=True)


@pytest.mark.parametrize("location", ["start", "end"])
def test_shards_with_the_place_of_their_index(location: str) -> None:
    store: dict[str, Any] = {}
    shards: Any = {"shape": (4, 4), "index_location": location}
    z = zarr.create_array(store, data=np.arange(64).reshape(8, 8), chunks=(2, 2), shards=shards)
    assert (z.shards, z.chunks) == ((4, 4), (2, 2))
    assert z.metadata.to_dict()["codecs"][0]["configuration"]["index_location"] == location
    np.testing.assert_array_equal(zchunk.open(store)[...], np.arange(64).reshape(8, 8))
    assert zchunk.zeros((8, 8), chunks=2, shards={"shape": 4}).shards == (4, 4)
    with pytest.raises(CodecError, match="index_location is 'middle'"):
        zarr.create_array({}, shape=4, dtype="i4", chunks=2, shards={"shape": 4, "index_location": "middle"})


def test_zeros_without_a_fill_value() -> None:
    z = zarr.create_array({}, shape=4, chunks=2, dtype="f4", zarr_format=2, fill_value=None)
    z[:] = 0
    assert (z.fill_value, z.nchunks_initialized, z[:].tolist()) == (None, 0, [0] * 4)
    own = zchunk.empty(4, chunks=2, dtype="f4", write_empty_chunks=False)
    own[:] = 0
    assert own.nchunks_initialized == 2
