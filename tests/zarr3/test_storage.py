"""zarr 3's stores by its names."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk.zarr3 as zarr
from zchunk.errors import ReadOnlyError
from zchunk.storage import Store
from zchunk.zarr3 import storage

fsspec = pytest.importorskip("fsspec")

STORES: dict[str, Callable[[Path], Any]] = {
    "local": lambda path: storage.LocalStore(path / "a"),
    "memory": lambda path: storage.MemoryStore(),
    "zip": lambda path: storage.ZipStore(path / "a.zip", mode="w"),
    "fsspec": lambda path: storage.FsspecStore(fsspec.filesystem("memory"), path=str(path)),
    "wrapper": lambda path: storage.WrapperStore({}),
    "logging": lambda path: storage.LoggingStore({}, "CRITICAL"),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = STORES[request.param](tmp_path)
    return made


def test_arrays_and_groups(store: Store) -> None:
    g = zarr.group(store)
    z = g.create_array("a/b", shape=(4, 4), chunks=(2, 2), dtype="i4")
    z[...] = np.arange(16).reshape(4, 4)
    np.testing.assert_array_equal(zarr.open_group(store)["a/b"][...], np.arange(16).reshape(4, 4))
    assert [path for path, _ in zarr.open_group(store).members(None)] == ["a", "a/b"]
    del g["a"]
    assert list(g) == []


def test_refusing_changes(store: Store) -> None:
    if not hasattr(store, "with_read_only"):
        pytest.skip("stores in front of others are as these are")
    zarr.group(store).create_array("a", shape=3, dtype="i4")
    only = store.with_read_only(True)
    assert only.read_only
    assert not only.supports_writes
    assert not store.read_only
    changes: list[Callable[[], Any]] = [
        lambda: only.__setitem__("x", b""), lambda: only.__delitem__("a/zarr.json"), only.clear,
        lambda: only.modify("x", lambda old: b""), lambda: only.set_new("x", b""),
        lambda: only.set_new_many({"x": b""}), lambda: only.set_many({"x": b""}),
        lambda: only.erase_many(["a/zarr.json"]), lambda: only.erase_prefix("a"),
        lambda: only.rename("a", "b"),
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(PermissionError):
            change()
    z = zarr.open_group(only)["a"]
    with pytest.raises(ReadOnlyError):
        z[:] = 1
    assert z[:].tolist() == [0, 0, 0]
    assert only.with_read_only(False).read_only is False


def test_local_stores_are_as_fast_as_folders(tmp_path: Path) -> None:
    store = storage.LocalStore(tmp_path)
    assert store.root == str(tmp_path)
    again = pickle.loads(pickle.dumps(store.with_read_only(True)))
    assert (again.path, again.read_only) == (str(tmp_path), True)


def test_values_in_dicts_have_zarrs_methods() -> None:
    values: dict[str, Any] = {}
    z = zarr.create_array(values, shape=3, dtype="i4", config={"write_empty_chunks": True})
    z[:] = 1
    assert sorted(values) == ["c/0", "zarr.json"]
    for value in values.values():
        assert value.to_bytes() == bytes(value)
        assert type(value.to_bytes()) is bytes
    assert zarr.open(values)[:].tolist() == [1, 1, 1]
    store = storage.MemoryStore(values, read_only=True)
    assert store["zarr.json"] == bytes(values["zarr.json"])
    # Any mapping is a store, and what is in it stays what it is.
    other: Any = zarr.storage.MemoryStore(fsspec.get_mapper("memory://mapped"))
    other["x"] = b"y"
    assert other["x"] == b"y"


def test_zip_files(tmp_path: Path) -> None:
    with storage.ZipStore(tmp_path / "a.zip", mode="w") as store:
        zarr.create_array(store, data=np.arange(5), chunks=(2,))
    path = tmp_path / "a.zip"
    for again in (storage.ZipStore(path), storage.ZipStore(str(path), mode="r")):
        assert again.read_only
        assert zarr.open_array(again)[:].tolist() == [0, 1, 2, 3, 4]
    with open(tmp_path / "a.zip", "rb") as file:
        assert zarr.open_array(storage.ZipStore(file), mode="r")[1:4].tolist() == [1, 2, 3]
        with pytest.raises(ValueError, match="an open file can be read, not changed"):
            storage.ZipStore(file, mode="a")
        inside = storage._OneFile(file)
        assert inside["archive"] == (tmp_path / "a.zip").read_bytes()
        assert list(inside) == ["archive"]
        assert (len(inside), inside.size("archive")) == (1, len(inside["archive"]))
        with pytest.raises(ReadOnlyError):
            inside["archive"] = b""
        with pytest.raises(ReadOnlyError):
            del inside["archive"]
    only = storage.ZipStore(path, mode="a", read_only=True)
    with pytest.raises(ReadOnlyError):
        only["x"] = b""
    only.close()


def test_fsspec_stores() -> None:
    store = storage.FsspecStore.from_url("memory://fsspec-store")
    zarr.create_array(store, data=np.arange(3), overwrite=True)
    mapper = fsspec.get_mapper("memory://fsspec-store")
    for again in (
        storage.FsspecStore.from_mapper(mapper, read_only=True),
        storage.FsspecStore(fsspec.filesystem("memory"), path="/fsspec-store", read_only=True),
        store.with_read_only(True),
    ):
        assert zarr.open_array(again)[:].tolist() == [0, 1, 2]
        with pytest.raises(PermissionError):
            again["x"] = b""

    class Path:
        fs, path = store.fs, store.path

    assert storage.FsspecStore.from_upath(Path).path == store.path


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    store = storage.LoggingStore(storage.MemoryStore(), log_handler=logging.NullHandler())
    with caplog.at_level(logging.DEBUG, logger=store.logger.name):
        zarr.create_array(store, shape=3, dtype="i4")
        zarr.open(store)
    assert store.counter["set"] == 1
    assert store.counter["get"] >= 1
    assert "set('zarr.json')" in caplog.text
    store.get_range("zarr.json", 0, 1)
    store.list_dir()
    del store["zarr.json"]
    assert (store.counter["delete"], store.counter["list_dir"]) == (1, 1)


def test_wrappers_are_as_read_only_as_what_they_wrap() -> None:
    assert storage.WrapperStore(storage.MemoryStore(read_only=True)).read_only
    assert not storage.WrapperStore({}).read_only


@pytest.mark.parametrize("inner", [{}, storage.MemoryStore(), storage.MemoryStore(read_only=True)])
@pytest.mark.parametrize("kind", [storage.WrapperStore, storage.LoggingStore])
def test_stores_in_front_of_others_refuse_changes_or_do_not(
    kind: type[storage.WrapperStore], inner: Any
) -> None:
    store = kind(inner)
    closed, opened = store.with_read_only(True), store.with_read_only(False)
    opened["x"] = b"value"
    assert (closed["x"], store["x"]) == (b"value", b"value")
    assert (closed.supports_writes, opened.supports_writes) == (False, True)
    with pytest.raises(ReadOnlyError):
        closed["x"] = b"other"
    assert closed.supports_deletes
    assert closed.supports_listing


def test_no_gpu() -> None:
    with pytest.raises(NotImplementedError, match="cupy"):
        storage.GpuMemoryStore()


def test_object_stores() -> None:
    memory = pytest.importorskip("obstore.store").MemoryStore()
    store = storage.ObjectStore(memory)
    zarr.create_array(store, data=np.arange(3))
    assert zarr.open_array(storage.ObjectStore(memory, read_only=True))[:].tolist() == [0, 1, 2]
    closed = store.with_read_only(True)
    assert (store.supports_writes, closed.supports_writes, closed.supports_deletes) == (True, False, True)
    assert zarr.open_array(closed)[:].tolist() == [0, 1, 2]
    with pytest.raises(ReadOnlyError):
        closed["x"] = b"value"
