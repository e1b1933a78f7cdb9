"""Codecs as text: what each means, alone and in arrays of both formats."""

from __future__ import annotations

import json
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.codecs import LZ4, Blosc, Crc32c, GZip, Zlib, Zstd, as_codec
from zchunk.codecs.texts import parse_text
from zchunk.errors import CodecError, MetadataError


@pytest.mark.parametrize(
    ("text", "of_2", "of_3"),
    [
        ("zstd", Zstd(), Zstd(0)),
        ("zstd:9", Zstd(9), Zstd(9)),
        ("zstd:-3", Zstd(-3), Zstd(-3)),
        ("gzip", GZip(), GZip(5)),
        ("gzip:2", GZip(2), GZip(2)),
        ("zlib:2", Zlib(2), Zlib(2)),
        ("numcodecs.zlib:2", Zlib(2), Zlib(2)),
        ("lz4:3", LZ4(3), LZ4(3)),
        ("lzma:3", numcodecs.LZMA(preset=3), numcodecs.LZMA(preset=3)),
        ("blosc", Blosc(), Blosc("zstd", shuffle=-1)),
        ("blosc-lz4", Blosc("lz4"), Blosc("lz4", shuffle=-1)),
        ("blosc-zlib:9", Blosc("zlib", 9), Blosc("zlib", 9, shuffle=-1)),
        ("crc32c", Crc32c(), Crc32c(location="end")),
    ],
)
def test_names_and_levels(text: str, of_2: Any, of_3: Any) -> None:
    assert as_codec(text) == of_2
    assert as_codec(text, 3) == of_3
    assert parse_text(f" {text}\n") == parse_text(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ztsd", "did you mean 'zstd'"),
        ("GZIP", "did you mean 'gzip'"),
        ("zstd:", "number after the colon"),
        ("zstd:fast", "number after the colon"),
        ("zstd:1:2", "number after the colon"),
        ("zstd:99", "level is 99"),
        ("blosc-lz5", "not one of blosclz"),
        ("blosc-", "not one of blosclz"),
        ("", "is known neither to zchunk nor to numcodecs: import"),
        ("pcodec:1", "numcodecs.pcodec.|level"),
        ("pickle", "runs code"),
        ("quantize", "digits"),
    ],
)
def test_texts_that_name_no_codec(text: str, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        as_codec(text)
    store: dict[str, bytes] = {}
    for zarr_format in (2, 3):
        with pytest.raises(CodecError):
            zchunk.create(4, compressor=text, zarr_format=zarr_format, store=store)
    assert not store


@pytest.mark.parametrize(
    "how", [{"compressor": "zstd:9"}, {"compressors": "zstd:9"}, {"compressors": ["zstd:9"]}]
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_compressors_of_arrays(how: dict[str, Any], zarr_format: Any) -> None:
    store: dict[str, bytes] = {}
    z = zchunk.create(9, chunks=3, dtype="i4", store=store, zarr_format=zarr_format, **how)
    z[...] = np.arange(9)
    assert z.compressors == (Zstd(9),)
    again = zchunk.open_array(store)
    assert again.compressors == (Zstd(9),)
    np.testing.assert_array_equal(again[...], np.arange(9))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_filters_fit_the_items(zarr_format: Any) -> None:
    z = zchunk.create(9, chunks=3, dtype="i2", filters=["delta"], zarr_format=zarr_format)
    z[...] = np.arange(9)
    assert z.filters == [numcodecs.Delta("<i2")]
    np.testing.assert_array_equal(z[...], np.arange(9))
    shuffled = zchunk.create(4, dtype="i8", filters=["shuffle"], compressor="zlib")
    assert shuffled.filters == [numcodecs.Shuffle(8)]


@pytest.mark.parametrize("library", [zchunk, zarr])
def test_a_name_that_format_3_has_means_its_codec(library: Any) -> None:
    def names(**kwargs: Any) -> list[Any]:
        store: dict[str, Any] = {}
        library.create_array(store, shape=4, dtype="f4", **kwargs)
        return [codec["name"] for codec in json.loads(store["zarr.json"])["codecs"]]

    assert names(filters=["bitround:3"], zarr_format=3)[0] == "bitround"
    assert names(filters=["numcodecs.bitround:3"], zarr_format=3)[0] == "numcodecs.bitround"
    old = library.create_array({}, shape=4, dtype="f4", filters=["bitround:3"], zarr_format=2)
    assert old.filters == [numcodecs.BitRound(3)]
    with pytest.raises(MetadataError, match="of 'cast_value' lacks 'data_type'"):
        names(filters=["cast_value"], zarr_format=3)


def test_other_places() -> None:
    g = zchunk.group()
    assert g.create_dataset("a", shape=4, compressor="gzip:3").compressor == GZip(3)
    assert g.create_dataset("b", shape=4, compression="gzip:3").compressor == GZip(3)
    assert zchunk.zeros_like(g["a"], compressor="lz4").compressor == LZ4()
    assert zchunk.zeros(4, dtype=object, object_codec="vlen-utf8").filters == [numcodecs.VLenUTF8()]
    with pytest.raises(ValueError, match="not both"):
        zchunk.zeros(4, compressor="zstd", compressors="zstd")
    with pytest.raises(ValueError, match="one compressor"):
        zchunk.zeros(4, compressors=["zstd", "crc32c"], zarr_format=2)


def test_a_name_means_what_is_registered_at_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    from zchunk.codecs import registry

    assert zchunk.zeros(4, chunks=2, compressor="zlib").compressor == Zlib()
    monkeypatch.setitem(registry._registry, "zlib", numcodecs.Zlib)
    assert type(zchunk.zeros(4, chunks=2, compressor="zlib").compressor) is numcodecs.Zlib


def test_zarr_3_has_its_own_defaults() -> None:
    z = zarr.create_array({}, shape=4, dtype="i4", compressors=["blosc", "crc32c"])
    assert z.compressors == (Blosc("zstd", typesize=4), Crc32c(location="end"))
    assert zarr.create_array({}, shape=4, compressors="gzip").compressors == (GZip(5),)
    assert zarr.create(4, dtype="u1", compressor="zstd:2", zarr_format=2).compressor == Zstd(2)
    listed = zarr.create(4, codecs=["delta", "bytes", "zlib:2"], dtype="i4")
    assert (listed.filters, listed.compressors) == ([numcodecs.Delta("<i4")], (Zlib(2),))
