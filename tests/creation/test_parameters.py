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
