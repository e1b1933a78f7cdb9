"""Saving one array or a group of them by zarr 2.18's functions for either."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.codecs import Zlib
from zchunk.errors import InvalidKeyError

pytestmark = pytest.mark.usefixtures("variant")


def test_save_array(tmp_path: Path) -> None:
    data = np.arange(6).reshape(3, 2)
    for name in ("a.zarr", "a.zip"):
        zchunk.save_array(tmp_path / name, data, chunks=(2, 1), compressor=Zlib(3), dimension_separator="/")
        z = zchunk.open(tmp_path / name, "r")
        assert (z.chunks, z.compressor, z.dimension_separator) == ((2, 1), Zlib(3), "/")
        assert zchunk.load(tmp_path / name).tolist() == data.tolist()
    zchunk.save_array(tmp_path / "a.zarr", z, path="x/y")
    assert zchunk.open(tmp_path / "a.zarr", "r", path="x/y").chunks == (2, 1)
    # What is saved may be what is replaced.
    again = zchunk.open(tmp_path / "b", "w", shape=3, chunks=2, dtype="i4")
    again[...] = 5
    zchunk.save_array(tmp_path / "b", again, dtype="f8")
    assert zchunk.load(tmp_path / "b").tolist() == [5.0] * 3


def test_save_group(tmp_path: Path) -> None:
    zchunk.save_group(tmp_path / "a", np.arange(2), path="x", b=np.arange(3))
    assert {name: array.tolist() for name, array in zchunk.load(tmp_path / "a", path="x").items()} == {
        "arr_0": [0, 1], "b": [0, 1, 2],
    }  # fmt: skip
    # One array is a group too.
    zchunk.save_group(tmp_path / "a", np.arange(2))
    assert list(zchunk.load(tmp_path / "a")) == ["arr_0"]


@NO_ARRAYS
def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to save"):
        zchunk.save_group(tmp_path / "a")
    with pytest.raises(TypeError):
        zchunk.save_array(tmp_path / "a")  # type: ignore[call-arg]
    for call in (zchunk.save_array, zchunk.save_group):
        with pytest.raises(InvalidKeyError):
            call(tmp_path / "a", [1], path="../b")
        with pytest.raises(ValueError, match="zarr_format"):
            call(tmp_path / "a", [1], zarr_version=4)
    assert list(tmp_path.iterdir()) == []


def test_groups_are_loaded_when_asked_for(tmp_path: Path) -> None:
    zchunk.save(tmp_path / "a", foo=[1], bar=[2])
    loaded = zchunk.load(tmp_path / "a")
    zchunk.open(tmp_path / "a")["foo"][...] = 3
    assert loaded["foo"].tolist() == [3]
    assert loaded["foo"] is loaded["foo"]
    assert repr(loaded) == "<LazyLoader: bar, foo>"


def test_objects(variant: Variant, tmp_path: Path) -> None:
    numcodecs = pytest.importorskip("numcodecs")
    texts = np.array(["a", "bb"], object)
    store = tmp_path / "a"
    codec = numcodecs.VLenUTF8()
    for kwargs in ({"object_codec": codec}, {"dtype": str}, {"filters": [codec]}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zchunk.save_array(store, texts, **kwargs)
        assert zchunk.load(store).tolist() == ["a", "bb"]
        assert zchunk.open(store, "r").filters == [numcodecs.VLenUTF8()]
    own = zchunk.array(texts, dtype=str)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zchunk.save_array(store, own)
        assert zchunk.load(store).tolist() == ["a", "bb"]
        if variant.kind == "v2":
            zchunk.save_array(store, own, object_codec=numcodecs.JSON())
            assert zchunk.open(store, "r").filters == [numcodecs.JSON()]
        zchunk.save_array(store, own, dtype="U2")
        assert zchunk.load(store).dtype == "U2"
        zchunk.save(store, x=own, y=np.arange(2))
        assert zchunk.load(store)["x"].tolist() == ["a", "bb"]
        if variant.kind == "v2":
            structure = zchunk.create(2, dtype=[("a", "i4"), ("b", "O")], object_codec=numcodecs.JSON())
            zchunk.save_array(store, structure, object_codec=numcodecs.JSON())
            assert zchunk.open(store, "r").dtype.names == ("a", "b")
    if variant.kind == "v2":
        with pytest.raises(ValueError, match="missing object_codec"):
            zchunk.save_array(store, texts)
        assert zchunk.open(store, "r").dtype.names == ("a", "b")
