"""Parameters of zarr 3 for new arrays: shards, codecs, key encodings, names of axes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.creation.parameters_v3 import chunks_and_shards


def document(z: Any) -> dict[str, Any]:
    return json.loads(z.store["zarr.json"])  # type: ignore[no-any-return]


def test_defaults_of_format_3() -> None:
    z = zchunk.create((10, 6), chunks=(5, 3), dtype="i4", zarr_format=3)
    found = document(z)
    assert found["chunk_key_encoding"] == {"name": "default", "configuration": {"separator": "/"}}
    assert [codec["name"] for codec in found["codecs"]] == ["bytes", "blosc"]
    assert found["codecs"][1]["configuration"] == {
        "typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0
    }  # fmt: skip
    assert (z.chunks, z.shards, z.dimension_names, z.filters) == ((5, 3), None, None, None)
    assert z.serializer == {"name": "bytes", "configuration": {"endian": "little"}}
    assert z.compressors == (z.compressor,)
    assert zchunk.empty(3, zarr_format=3).fill_value == 0
    assert zchunk.zeros((), zarr_format=3).compressors == ()


def test_by_zarr_2s_names() -> None:
    z = zchunk.create(4, compressor=zchunk.Zstd(1), dimension_separator=".", zarr_format=3)
    z[...] = 1
    assert z.compressors == (zchunk.Zstd(1),)
    assert "c.0" in z.store
    v2 = zchunk.create(
        4, compressors=[zchunk.Zstd(1)], chunk_key_encoding=("v2", "/"), serializer="auto", filters="auto"
    )
    assert (v2.compressor, v2.dimension_separator, v2.shards, v2.serializer) == (
        zchunk.Zstd(1),
        "/",
        None,
        None,
    )
    assert v2.compressors == (zchunk.Zstd(1),)
    assert zchunk.create(4, compressors=None).compressor is None


def test_create_array() -> None:
    store: dict[str, bytes] = {}
    z = zchunk.create_array(store, name="a", shape=(4, 6), dtype="i2", zarr_format=3, shards="auto")
    assert (z.path, z.shape, z.shards) == ("a", (4, 6), (4, 6))
    w = zchunk.create_array(store, name="b", data=np.arange(3), attributes={"x": 1}, dimension_names=["t"])
    assert (w[:].tolist(), w.zarr_format, w.attrs["x"], w.dimension_names) == ([0, 1, 2], 3, 1, ("t",))
    assert zchunk.create_array(shape=3, dtype="i4").zarr_format == 2
    g = zchunk.create_group(store, path="g", attributes={"k": 1})
    assert g.create_array("c", shape=3, dtype="u1").path == "g/c"
    assert g.create_array("d", data=[1, 2])[:].tolist() == [1, 2]
    for wrong in ({}, {"data": [1], "shape": 3}, {"data": [1], "dtype": "i4"}):
        with pytest.raises(ValueError, match="give"):
            zchunk.create_array(**wrong)
    with pytest.raises(zchunk.errors.ContainsGroupError):
        zchunk.create_group(store, path="g")


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("how", ["dtype", "serializer"])
def test_byte_order(endian: str, how: str) -> None:
    if how == "dtype":
        kwargs: dict[str, Any] = {"dtype": ">i4" if endian == "big" else "<i4"}
    else:
        kwargs = {"dtype": "i4", "serializer": {"name": "bytes", "configuration": {"endian": endian}}}
    z = zchunk.create(3, chunks=3, compressor=None, zarr_format=3, **kwargs)
    z[:] = [1, 2, 3]
    assert z.dtype.isnative
    assert document(z)["codecs"] == [{"name": "bytes", "configuration": {"endian": endian}}]
    assert z.store["c/0"] == np.array([1, 2, 3], ">i4" if endian == "big" else "<i4").tobytes()
    assert z[:].tolist() == z.astype("f8")[:].tolist() == z.view(dtype="u4")[:].tolist() == [1, 2, 3]
    if endian == "big":
        with pytest.raises(ValueError, match="byte order"):
            z.view(dtype="u2", shape=6, chunks=6)


@pytest.mark.parametrize("shape", [(), (0, 5), (7,), (4096, 4096, 64), (10**9,), (3, 10**7)])
def test_shards_that_are_guessed(shape: tuple[int, ...]) -> None:
    chunks, shards = chunks_and_shards("auto", "auto", shape, 2)
    assert shards is not None
    assert all(s % c == 0 for s, c in zip(shards, chunks, strict=True))
    # No longer than the array, in whole chunks, and about 128 MiB unless that is all.
    most = [-(-max(n, 1) // c) * c for n, c in zip(shape, chunks, strict=True)]
    assert all(s <= m for s, m in zip(shards, most, strict=True))
    nbytes = math.prod(shards) * 2
    assert nbytes <= 128 << 20
    assert list(shards) == most or nbytes > 32 << 20


def test_shards_that_are_given() -> None:
    assert chunks_and_shards((2, 3), (4, 6), (10, 10), 8) == ((2, 3), (4, 6))
    assert chunks_and_shards(2, 4, (10, 10), 8) == ((2, 2), (4, 4))
    chunks, shards = chunks_and_shards("auto", (1000, 999), (2000, 2000), 8)
    assert shards == (1000, 999)
    assert all(s % c == 0 for s, c in zip(shards, chunks, strict=True))
    for wrong in ((5, 6), (4, 7)):
        with pytest.raises(ValueError, match="do not divide"):
            chunks_and_shards((2, 3), wrong, (10, 10), 8)


def test_properties_count_chunks_in_shards_as_zarr_3_does() -> None:
    z = zchunk.zeros((9, 6), chunks=(2, 3), shards=(4, 6), zarr_format=3)
    assert (z.chunks, z.shards, z.cdata_shape, z.nchunks) == ((2, 3), (4, 6), (5, 2), 10)
    assert z.nchunks_initialized == 0
    z[0, 0] = 1
    assert z.nchunks_initialized == 4
    # As in zarr 3 blocks are what is stored.
    assert z.blocks[1, 0].shape == (4, 6)
    rows = dict(z.info_items())
    assert (rows["Zarr format"], rows["Chunk shape"], rows["Shard shape"]) == ("3", "(2, 3)", "(4, 6)")


def test_objects_and_texts() -> None:
    for dtype, values in (
        (str, ["a", "bc"]),
        ("string", ["a", ""]),
        (bytes, [b"a", b""]),
        ("U3", ["a", "abc"]),
    ):
        z = zchunk.create(2, dtype=dtype, zarr_format=3)
        assert z[0] in ("", b"")
        z[:] = values
        assert zchunk.open(z.store)[:].tolist() == values
    assert zchunk.zeros(2, dtype="r16", zarr_format=3).dtype == "V2"
    padded = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    z = zchunk.full(2, (3, 1.5), dtype=padded, zarr_format=3)
    assert (z[0].item(), z.dtype.itemsize) == ((3, 1.5), 9)
    with pytest.raises(ValueError, match="no data type"):
        zchunk.create(2, dtype="array:i4", zarr_format=3)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"shards": 2}, {"shards": "auto"}, {"dimension_names": ["a"]}, {"serializer": {"name": "bytes"}},
        {"chunk_key_encoding": ("default", "/")}, {"compressors": [zchunk.Zstd(), zchunk.Zlib()]},
        {"chunk_key_encoding": ("v2", "/"), "dimension_separator": "."},
    ],
    ids=repr,
)  # fmt: skip
def test_what_format_2_has_not(kwargs: dict[str, Any]) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(ValueError):
        zchunk.create(4, store=store, zarr_format=2, **kwargs)
    assert store == {}


@pytest.mark.parametrize("kwargs", [{"shards": 2}, {"shards": "auto"}, {"dimension_names": ["a"]}], ids=repr)
def test_what_only_format_3_has_means_it(kwargs: dict[str, Any]) -> None:
    assert zchunk.create(4, **kwargs).zarr_format == 3
    assert zchunk.create(4, shards=None, dimension_names=None).zarr_format == 2
    # But not where the group above is of the other.
    store: dict[str, bytes] = {}
    zchunk.group(store)
    with pytest.raises(ValueError, match="add zarr_format=3"):
        zchunk.create(4, store=store, path="a", **kwargs)
