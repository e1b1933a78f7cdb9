"""Parameters of zarr 3 for new arrays: shards, codecs, key encodings, names of axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.nonsense import Nonsense
from zchunk import storage
from zchunk.creation import parameters
from zchunk.creation.parameters import make_metadata
from zchunk.creation.recipe import ArrayRecipe
from zchunk.errors import MetadataError
from zchunk.metadata.v2 import render_array


@pytest.mark.parametrize(
    "kwargs",
    [
        {"shards": (3, 3)}, {"shards": 0}, {"dimension_names": "ab"}, {"dimension_names": ["a"]},
        {"dimension_names": [1, 2]}, {"serializer": {"name": "nope"}}, {"serializer": 3},
        {"chunk_key_encoding": "nope"}, {"chunk_key_encoding": ("default", ":")}, {"compressors": "bolsc"},
        {"compressors": [{"name": "nope"}]}, {"compressors": [3]}, {"filters": [{"name": "zstd"}]},
        {"filters": {"name": "zstd"}}, {"compressor": zchunk.Zstd(), "compressors": [zchunk.Zstd()]},
        {"dimension_separator": "/", "chunk_key_encoding": ("v2", "/")}, {"attributes": {"a": Nonsense()}},
    ],
    ids=repr,
)  # fmt: skip
def test_nonsense_is_refused(kwargs: dict[str, Any]) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises((ValueError, TypeError)):
        zchunk.create((4, 4), chunks=2, store=store, zarr_format=3, **kwargs)
    assert store == {}


def test_like() -> None:
    a = zchunk.zeros((8, 8), chunks=2, shards=4, dtype=">i2", dimension_names=("a", "b"), zarr_format=3)
    b = zchunk.ones_like(a)
    assert (b.zarr_format, b.shards, b.chunks, b.dimension_names) == (3, (4, 4), (2, 2), ("a", "b"))
    assert b.serializer == a.serializer
    c = zchunk.zeros_like(a, zarr_format=2)
    assert (c.zarr_format, c.chunks, c.compressor, c.dtype.str) == (2, (2, 2), zchunk.Blosc(), ">i2")
    d = zchunk.zeros_like(zchunk.zeros(4, compressor=zchunk.Zlib(1)), zarr_format=3, shards=4)
    assert (d.compressor, d.shards) == (zchunk.Zlib(1), (4,))
    assert (
        zchunk.empty_like(a, compressor=None, dtype="f4", shape=(4, 4, 4), chunks=2, shards=None).compressors
        == ()
    )


# ---- parameters that were given before


SCALARS = [0, 1, True, False, None, 0.0, -0.0, 1.0, float("nan"), float("inf"), 2]
COMPRESSORS = [None, "default", zchunk.Blosc(), zchunk.Blosc(shuffle=2), zchunk.Blosc(typesize=4)]
COMPRESSORS += [zchunk.Zstd(1)]


@pytest.mark.each_value
@pytest.mark.parametrize("dtype", ["f8", "<f8", ">f8", np.dtype("f4"), float, "i4", "M8[s]", "S3"], ids=str)
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=str)
def test_what_is_remembered_is_what_would_be_made(dtype: Any, compressor: Any) -> None:
    parameters._made.clear()
    for separator in (None, "/"):
        for chunks in (True, False, 3, (3,)):
            for fill_value in SCALARS:
                given = {
                    "shape": 7, "chunks": chunks, "dtype": dtype, "compressor": compressor,
                    "fill_value": fill_value, "dimension_separator": separator,
                }  # fmt: skip
                results = []
                for _ in range(2):
                    try:
                        results.append(render_array(make_metadata(ArrayRecipe(**given))))
                    except Exception as err:
                        results.append(str(err).encode())
                parameters._made.clear()
                try:
                    wanted = render_array(make_metadata(ArrayRecipe(**given)).replace())
                except Exception as err:
                    wanted = str(err).encode()
                assert results == [wanted, wanted]


def test_like_parameters_are_told_apart() -> None:
    parameters._made.clear()
    wanted = {}
    for remembered in (False, True):
        for shape in (6, (6,), (6, 1)):
            for fill_value in SCALARS:
                for dtype in ("f8", "i8", "?"):
                    try:
                        made = make_metadata(ArrayRecipe(shape, 1, dtype, None, fill_value))
                    except (ValueError, TypeError, MetadataError):
                        continue
                    value = None if fill_value is None else made.fill_value.tobytes()
                    key = (shape, repr(fill_value), dtype)
                    assert wanted.setdefault(key, (made.shape, value)) == (made.shape, value), remembered
    assert len(parameters._made) <= parameters._MADE_MAX


def test_what_is_alike_shares_metadata_and_nothing_else(tmp_path: Path) -> None:
    arrays = [zchunk.zeros((4, 4), chunks=2, store=str(tmp_path / name)) for name in "ab"]
    assert arrays[0].metadata is arrays[1].metadata
    arrays[0][...] = 5
    arrays[0].attrs["x"] = 1
    arrays[0].resize(2, 2)
    assert not arrays[1][...].any()
    assert "x" not in arrays[1].attrs
    assert zchunk.open(str(tmp_path / "b")).shape == (4, 4)


def test_the_default_compressor_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_metadata(ArrayRecipe((4,), 2)).compressor == zchunk.Blosc()
    monkeypatch.setattr(storage, "default_compressor", zchunk.Zstd(3), raising=False)
    assert make_metadata(ArrayRecipe((4,), 2)).compressor == zchunk.Zstd(3)


def test_warnings_come_every_time() -> None:
    for _ in range(2):
        with pytest.warns(UserWarning, match="10.0"):
            make_metadata(ArrayRecipe(10.0, 5, "f8"))


@pytest.mark.parametrize(("first", "second"), ["lq", "ql", "LQ"])
def test_dtypes_stay_what_they_are(first: str, second: str) -> None:
    assert make_metadata(ArrayRecipe(3, 3, np.dtype(first))).dtype.char == first
    assert make_metadata(ArrayRecipe(3, 3, np.dtype(second))).dtype.char == second


# ---- checksums


class TestChecksum:
    @pytest.mark.parametrize(
        ("given", "filters", "compressor"),
        [
            ({}, [zchunk.Blosc()], zchunk.codecs.CRC32()),
            ({"compressor": None}, None, zchunk.codecs.CRC32()),
            ({"compressor": "zstd:3"}, [zchunk.Zstd(3)], zchunk.codecs.CRC32()),
            ({"compressor": "crc32"}, None, zchunk.codecs.CRC32()),
            ({"compressor": "crc32c"}, None, zchunk.codecs.Crc32c()),
            ({"shape": (), "chunks": ()}, None, zchunk.codecs.CRC32()),
        ],
    )
    def test_format_2(self, given: dict[str, Any], filters: Any, compressor: Any) -> None:
        z = zchunk.create(**{"shape": 4, "dtype": "i4", "zarr_format": 2, "checksum": True} | given)
        assert (z.filters, z.compressor) == (filters, compressor)
        assert z._chunked.chain.native_spec is not None
        again = zchunk.open_array(z.store, mode="r")
        assert (again.filters, again.compressor) == (filters, compressor)

    @pytest.mark.parametrize("shards", [None, 4])
    @pytest.mark.parametrize("compressors", ["auto", None, "zstd", {"name": "crc32c"}, ["gzip", "crc32c"]])
    def test_format_3(self, compressors: Any, shards: Any) -> None:
        plain, z = (
            zchunk.create(4, 2, "i4", compressors=compressors, shards=shards, zarr_format=3, checksum=given)
            for given in (False, True)
        )
        others = [codec for codec in plain.compressors if codec.codec_id != "crc32c"]
        assert list(z.compressors) == [*others, zchunk.codecs.Crc32c()]

    def test_objects(self) -> None:
        for zarr_format in (2, 3):
            z = zchunk.array(["a", "bc"], dtype=str, zarr_format=zarr_format, checksum=True)
            assert list(z[:]) == ["a", "bc"]
            assert z.compressors[-1].codec_id == ("crc32", "crc32c")[zarr_format - 2]
            with pytest.raises(ValueError, match="object_codec"):
                zchunk.create(3, dtype=object, zarr_format=zarr_format, checksum=True)

    def test_what_makes_arrays_takes_it(self) -> None:
        group = zchunk.group()
        source = zchunk.array([1, 2, 3])
        for z in (
            zchunk.zeros(3, checksum=True),
            zchunk.create_array(shape=3, checksum=True),
            zchunk.create_array(data=[1, 2], checksum=True),
            zchunk.open_array({}, mode="a", shape=3, checksum=True),
            zchunk.open_like(source, {}, checksum=True),
            zchunk.zeros_like(source, checksum=True),
            group.create("a", shape=3, checksum=True),
            group.create_array("b", shape=3, checksum=True),
            zchunk.rechunk(source, 2, checksum=True),
            zchunk.zeros_like(zchunk.zeros(3, checksum=True)),
        ):
            assert z.compressor == zchunk.codecs.CRC32(), z
        zchunk.copy(source, group, name="c", checksum=True)
        assert group["c"].compressor == zchunk.codecs.CRC32()
        np.testing.assert_array_equal(group["c"][:], [1, 2, 3])

    def test_only_a_bool_says_so(self) -> None:
        with pytest.raises(TypeError, match="checksum is True or False, not 'crc32c'"):
            zchunk.create(3, checksum="crc32c")  # type: ignore[arg-type]
        z = zchunk.create(3, checksum=np.True_)  # type: ignore[arg-type]
        assert z.compressor == zchunk.codecs.CRC32()

    @pytest.mark.parametrize("dtype", ["f8", str])
    def test_to_the_other_format(self, dtype: Any) -> None:
        z = zchunk.create(4, 2, dtype, zarr_format=2, checksum=True)
        z[:] = np.arange(4).astype(str)
        group = zchunk.group(zarr_format=3)
        zchunk.copy(z, group, name="a")
        assert [codec.codec_id for codec in group["a"].compressors] == ["blosc", "crc32c"]
        assert not group["a"].filters or dtype is str
        assert list(group["a"][:]) == list(z[:])
