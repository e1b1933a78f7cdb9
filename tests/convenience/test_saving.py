"""Saving one array or a group of them by zarr 2.18's functions for either."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.codecs import Zlib
from zchunk.errors import (
    InvalidKeyError,
)

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


def test_save_and_load_one(tmp_path: Path) -> None:
    for store in (tmp_path / "a", str(tmp_path / "a.zip"), {}):
        for source in (np.arange(12).reshape(3, 4), [1.5, 2.5]):
            zchunk.save(store, source)
            np.testing.assert_array_equal(zchunk.load(store), source)
    zchunk.save(tmp_path / "b", np.arange(3), path="x/y")
    np.testing.assert_array_equal(zchunk.load(tmp_path / "b", path="x/y"), np.arange(3))


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_save_and_load_many(name: str, tmp_path: Path) -> None:
    zchunk.save(tmp_path / name, np.arange(3), np.arange(4), x=np.ones((2, 2)), y=[5])
    found = zchunk.load(tmp_path / name)
    assert repr(found) == "<LazyLoader: arr_0, arr_1, x, y>"
    assert (sorted(found), len(found), "x" in found, "z" in found) == (
        ["arr_0", "arr_1", "x", "y"],
        4,
        True,
        False,
    )
    assert found["arr_1"].tolist() == [0, 1, 2, 3]
    assert found["x"] is found["x"]
    assert {name: array.tolist() for name, array in found.items()}["y"] == [5]
    with pytest.raises(KeyError):
        found["z"]


def test_save_nonsense_loses_nothing(tmp_path: Path) -> None:
    for name in ("a", "a.zip"):
        zchunk.save(tmp_path / name, x=np.arange(3))
        for args, kwargs in (
            ((), {}),
            ((object(),), {}),
            ((np.arange(3),), {"arr_0": 1}),
            ((), {"y": [object()]}),
            ((), {"../y": [1]}),
            ((), {"y": [1], ".zattrs": [1]}),
            ((), {"y": [1], "y/z": [1]}),
            ((), {"y": [1], "/y/": [1]}),
            ((), {"": [1]}),
            (([1],), {"path": ".."}),
            (([1],), {"path": "y.partial"}),
            (([1],), {"zarr_version": 4}),
            (([1],), {"zarr_version": 2, "zarr_format": 3}),
        ):
            with pytest.raises(ValueError):
                zchunk.save(tmp_path / name, *args, **kwargs)
        assert zchunk.load(tmp_path / name)["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_save_what_is_replaced(name: str, tmp_path: Path) -> None:
    store = tmp_path / name
    zchunk.save(store, np.arange(6))
    zchunk.save(store, zchunk.open(store, "r"))
    assert zchunk.load(store).tolist() == [0, 1, 2, 3, 4, 5]
    zchunk.save(store, x=zchunk.open(store, "r"), y=[1])
    zchunk.save(store, y=zchunk.open(store, "r")["x"], x=zchunk.open(store, "r")["y"])
    found = zchunk.load(store)
    assert (found["x"].tolist(), found["y"].tolist()) == ([1], [0, 1, 2, 3, 4, 5])
    with zchunk.storage.open_store(store) as target:
        z = zchunk.array(zchunk.open(target)["y"], store=target, overwrite=True)
        assert z[...].tolist() == [0, 1, 2, 3, 4, 5]


def test_save_keeps_chunks() -> None:
    store: dict[str, bytes] = {}
    zchunk.save(store, x=zchunk.ones(6, chunks=2), y=np.ones(6))
    assert (zchunk.open(store)["x"].chunks, zchunk.open(store)["y"].chunks) == ((2,), (6,))


def test_lazy_loader_has_arrays_only() -> None:
    g = zchunk.group({})
    g["s/a"] = [1]
    found = zchunk.load(g.store)
    assert (list(found), "s" in found, "s/a" in found, 3 in found, found.get("s")) == (
        [],
        False,
        True,
        False,
        None,
    )
    with pytest.raises(KeyError, match="s"):
        found["s"]
