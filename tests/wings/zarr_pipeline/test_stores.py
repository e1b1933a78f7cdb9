"""Stores of zarr-python as stores of zchunk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")
from zarr.core.buffer import cpu  # noqa: E402
from zarr.storage import LocalStore, MemoryStore, ZipStore  # noqa: E402

import zchunk.zarr_pipeline  # noqa: E402
from tests.wings.zarr_pipeline.counting import counted  # noqa: E402
from zchunk.wings.zarr_pipeline.stores import (  # noqa: E402
    ArchiveStore,
    BufferStore,
    is_near,
    place_of,
    store_at,
)

ITEMS = np.arange(100, dtype="f4").reshape(10, 10)


class DerivedFolder(LocalStore):
    """May do anything."""


def test_places(tmp_path: Path) -> None:
    folder, memory = LocalStore(tmp_path), MemoryStore()
    places = place_of(folder), place_of(memory)
    assert places[0] is not None
    assert places[1] is not None
    assert places[0].is_of(folder)
    assert places[1].is_of(memory)
    assert not places[0].is_of(LocalStore(tmp_path / "x"))
    assert not places[1].is_of(MemoryStore())
    assert store_at(places[0]).root == str(tmp_path)
    for store in (DerivedFolder(tmp_path), zarr.storage.WrapperStore(MemoryStore())):
        assert place_of(store) is None


def test_a_bucket_is_not_near(tmp_path: Path) -> None:
    obstore = pytest.importorskip("obstore")
    assert not is_near(zarr.storage.ObjectStore(obstore.store.MemoryStore()))
    assert is_near(LocalStore(tmp_path))


def test_a_managed_store_with_a_path_is_zarrs(installed: str) -> None:
    if not hasattr(zarr.storage, "ManagedMemoryStore"):
        pytest.skip("this zarr-python has no managed stores")
    store = zarr.storage.ManagedMemoryStore("managed", path="below")
    z = zarr.create_array(store, name="a", shape=4, chunks=2, dtype="i4")
    with counted(other_writes=1, other_reads=1):
        z[:] = [1, 2, 3, 4]
        np.testing.assert_array_equal(z[:], [1, 2, 3, 4])
    assert "below/a/c/0" in store._store_dict


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore("x")
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        found.append(place_of(store))
        assert found[-1] is not None
        assert found[-1].is_of(store)
        assert found[0] is found[-1] or not found[0].is_of(store)
    assert [place and place.at for place in found] == [os.path.join(tmp_path, name, "x") for name in "ab"]


def test_buffers() -> None:
    buffers: dict[str, Any] = {"a": cpu.Buffer.from_bytes(b"value")}
    store = BufferStore(buffers)
    assert store["a"] == b"value"
    (found,) = store.get_many(["a", "b"]).values()
    assert bytes(found) == b"value"
    assert found.readonly
    store["b/c"] = bytearray(b"other")
    assert buffers["b/c"].to_bytes() == b"other"
    assert sorted(store) == ["a", "b/c"]
    assert len(store) == 2
    assert "b/c" in store
    del store["a"]
    assert list(buffers) == ["b/c"]
    with pytest.raises(KeyError):
        store["a"]
    store.erase_many(["a", "b/c"])
    assert not buffers
    # Writers by several arrays wait for each other.
    assert store.lock_identity == BufferStore(buffers).lock_identity


@pytest.mark.parametrize("options", [{}, {"shards": (8, 4)}], ids=["chunks", "shards"])
def test_archives(options: dict[str, Any], tmp_path: Path, installed: str) -> None:
    with ZipStore(tmp_path / "z.zip", mode="w") as store:
        z = zarr.create_array(store, shape=(10, 10), chunks=(4, 4), dtype="f4", **options)
        with counted(native_writes=1, native_reads=1):
            z[...] = ITEMS
            np.testing.assert_array_equal(z[5], ITEMS[5])
    default = zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"})
    with default, ZipStore(tmp_path / "z.zip", mode="r") as store:
        np.testing.assert_array_equal(zarr.open_array(store, mode="r")[...], ITEMS)
    with ZipStore(tmp_path / "z.zip", mode="a") as store:
        z = zarr.open_array(store)
        with pytest.warns(UserWarning, match="Duplicate name"), counted(native_writes=1):
            z[0, 0] = -1
        # What is in an archive cannot be deleted.
        with counted(other_writes=1), pytest.raises(NotImplementedError):
            z[8:, 8:] = 0
        assert z[0, 0] == -1
        z[0, 0] = ITEMS[0, 0]
    with ZipStore(tmp_path / "z.zip", mode="r") as store:
        z = zarr.open_array(store, mode="r")
        with counted(native_reads=2):
            np.testing.assert_array_equal(z[...], ITEMS)
            np.testing.assert_array_equal(z[3, ::2], ITEMS[3, ::2])


@pytest.mark.parametrize("options", [{}, {"shards": (8, 4)}], ids=["chunks", "shards"])
def test_buckets(options: dict[str, Any], installed: str) -> None:
    obstore = pytest.importorskip("obstore")
    store = zarr.storage.ObjectStore(obstore.store.MemoryStore())
    z = zarr.create_array(store, name="a", shape=(10, 10), chunks=(4, 4), dtype="f4", **options)
    with counted(native_writes=2, native_reads=2):
        z[...] = ITEMS
        np.testing.assert_array_equal(z[...], ITEMS)
        z[2:5, 3] = 0
        assert (z[2:5, 3] == 0).all()
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}):
        np.testing.assert_array_equal(zarr.open_array(store, path="a")[5:], ITEMS[5:])
    assert zchunk.zarr_pipeline.calls["native_reads"] > 0


def test_values_of_archives(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "z.zip", mode="w") as archive:
        zarr.create_group(archive)
        place = place_of(archive)
        assert place is not None
        store = store_at(place)
        assert isinstance(store, ArchiveStore)
        assert place.is_of(archive)
        store["a"] = b"value"
        store["b/c"] = bytearray(b"other")
        assert store["a"] == b"value"
        assert sorted(store) == ["a", "b/c", "zarr.json"]
        assert len(store) == 3
        assert "b/c" in store
        assert "b" not in store
        with pytest.raises(KeyError):
            store["x"]
        with pytest.raises(OSError, match="archive"):
            store.erase_many(["a"])
        store.erase_many(["x"])


@pytest.mark.parametrize("makes_folders", [True, False])
def test_local_files_of_fsspec(makes_folders: bool, tmp_path: Path, installed: str) -> None:
    pytest.importorskip("fsspec.implementations.asyn_wrapper")
    options = {"auto_mkdir": makes_folders}
    # zarr-python makes no folders either, where it is told not to.
    zarr.create_array(LocalStore(tmp_path), shape=(10, 10), chunks=(4, 4), dtype="f4")[...] = 1
    store = zarr.storage.FsspecStore.from_url(f"file://{tmp_path}", storage_options=options)
    z = zarr.open_array(store)
    with counted(native_reads=1, **{f"{'native' if makes_folders else 'other'}_writes": 1}):
        z[...] = ITEMS
        np.testing.assert_array_equal(z[...], ITEMS)
    np.testing.assert_array_equal(zarr.open_array(tmp_path, mode="r")[3:], ITEMS[3:])


def test_other_files_of_fsspec_are_zarrs(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("fsspec.implementations.asyn_wrapper")
    for url in ("memory://a", f"dir::file://{tmp_path}"):
        try:
            store = zarr.storage.FsspecStore.from_url(url)
        except (ValueError, TypeError, AttributeError):
            assert fsspec.__version__
            continue
        assert place_of(store) is None
    # Errors of other kinds are no missing values there.
    store = zarr.storage.FsspecStore.from_url(f"file://{tmp_path}", allowed_exceptions=(FileNotFoundError,))
    assert place_of(store) is None
