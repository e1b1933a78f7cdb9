"""Codecs by zarr 3's names, numcodecs' among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import CodecError
from zchunk.zarr3 import codecs
from zchunk.zarr3.codecs import numcodecs

MADE: dict[str, Any] = {
    "blosc": codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
    "zstd": codecs.ZstdCodec(level=3, checksum=True),
    "gzip": codecs.GzipCodec(level=1),
    "crc32c": codecs.Crc32cCodec(),
    "lzma": numcodecs.LZMA(preset=1),
    "bz2": numcodecs.BZ2(level=1),
    "zlib": numcodecs.Zlib(level=1),
    "lz4": numcodecs.LZ4(acceleration=2),
    "shuffle": numcodecs.Shuffle(elementsize=4),
    "adler32": numcodecs.Adler32(),
}


@pytest.mark.parametrize("name", MADE)
def test_compressors(name: str) -> None:
    codec = MADE[name]
    z = zarr.create_array({}, shape=(6, 4), chunks=(3, 2), dtype="i4", compressors=codec)
    items = np.arange(24).reshape(6, 4)
    z[...] = items
    np.testing.assert_array_equal(zchunk.open(z.store)[...], items)
    assert z.metadata.to_dict()["codecs"][1]["name"] in (codec.to_dict()["name"], name)
    assert type(codec).from_dict(codec.to_dict()) == codec
    with pytest.raises(CodecError):
        type(codec).from_dict({"name": "other"})


@pytest.mark.parametrize(
    "codec",
    [numcodecs.Delta(dtype="int32"), numcodecs.FixedScaleOffset(offset=0, scale=1, astype="<i4")],
    ids=repr,
)
def test_filters(codec: Any) -> None:
    z = zarr.create_array({}, shape=(6, 4), chunks=(3, 2), dtype="i4", filters=[codec])
    items = np.arange(24).reshape(6, 4)
    z[...] = items
    np.testing.assert_array_equal(zchunk.open(z.store)[...], items)


def test_what_the_items_decide() -> None:
    for dtype, shuffle in (("i4", 1), ("i1", 2)):
        z = zarr.create_array({}, shape=4, dtype=dtype, compressors=codecs.BloscCodec())
        found: Any = z.compressors[0]
        assert (found.cname, found.clevel, found.shuffle) == ("zstd", 5, shuffle)


def test_shards() -> None:
    codec = codecs.ShardingCodec(
        chunk_shape=(2,), codecs=[codecs.BytesCodec(endian="big"), codecs.GzipCodec()], index_location="start"
    )
    z = zarr.create_array({}, shape=8, chunks=(4,), dtype="i4", serializer=codec, compressors=None)
    z[...] = np.arange(8)
    again: Any = zchunk.open(z.store)
    assert (again.chunks, again.shards, again[...].tolist()) == ((2,), (4,), list(range(8)))
    assert codecs.ShardingCodec.from_dict(codec.to_dict()).to_dict() == codec.to_dict()


def test_serializers() -> None:
    z = zarr.create_array(
        {}, shape=4, dtype="i4", serializer=codecs.BytesCodec(endian="big"), compressors=None
    )
    z[:] = 1
    assert bytes(z.store["c/0"]) == np.ones(4, ">i4").tobytes()
    assert codecs.BytesCodec(endian=None).to_dict() == {"name": "bytes"}
    z = zarr.create_array({}, shape=2, dtype=str, serializer=codecs.VLenUTF8Codec())
    z[:] = ["a", "bc"]
    assert z[:].tolist() == ["a", "bc"]
    assert codecs.VLenBytesCodec().to_dict() == {"name": "vlen-bytes"}


def test_enumerations() -> None:
    codec = codecs.BloscCodec(cname=codecs.BloscCname.lz4, shuffle=codecs.BloscShuffle.noshuffle)
    assert codec.to_dict()["configuration"]["shuffle"] == "noshuffle"
    assert codecs.BytesCodec(endian=codecs.Endian.big).endian == "big"
    assert codecs.ShardingCodecIndexLocation.end == "end"


def test_all_names_are_there() -> None:
    for module in (codecs, numcodecs):
        assert all(hasattr(module, name) for name in module.__all__)


def test_packbits_is_a_filter_of_numcodecs() -> None:
    data = np.arange(256).reshape(16, 16) % 3 == 0
    z = zarr.create_array({}, data=data, chunks=(16, 16), filters=[codecs.numcodecs.PackBits()])
    names = [codec["name"] for codec in z.metadata.to_dict()["codecs"]]
    assert names == ["numcodecs.packbits", "bytes", "zstd"]
    np.testing.assert_array_equal(zarr.open_array(z.store, mode="r")[...], data)
