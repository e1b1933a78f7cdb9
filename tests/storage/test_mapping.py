"""What is a mapping and yet no store: groups, of zchunk and of others, data sets and data frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.storage.test_base import Plain
from tests.store_conformance import StoreConformance
from zchunk import storage
from zchunk.storage import (
    DirectoryStore,
    KVStore,
    LRUStoreCache,
    MemoryStore,
    NestedDirectoryStore,
    Store,
    open_store,
)

DATA = np.arange(3)
# What would erase, or set, keys of a store.
CHANGES: dict[str, Callable[[Any], object]] = {
    "save": lambda g: zchunk.save(g, DATA),
    "save_array": lambda g: zchunk.save_array(g, DATA),
    "save_group": lambda g: zchunk.save_group(g, a=DATA),
    "open": lambda g: zchunk.open(g, mode="w"),
    "open_array": lambda g: zchunk.open_array(g, mode="w", shape=3),
    "open_group": lambda g: zchunk.open_group(g, mode="w"),
    "group": lambda g: zchunk.group(g, overwrite=True),
    "create": lambda g: zchunk.create(3, store=g, overwrite=True),
    "chunk_store": lambda g: zchunk.create(3, store={}, chunk_store=g, overwrite=True),
    "rmdir": lambda g: storage.rmdir(g),
    "rename": lambda g: storage.rename(g, "x", "y"),
    "init_array": lambda g: storage.init_array(g, 3, overwrite=True),
    "init_group": lambda g: storage.init_group(g, overwrite=True),
    "copy_store": lambda g: zchunk.copy_store({"x": b"1"}, g, if_exists="replace"),
    "rechunk": lambda g: zchunk.rechunk(zchunk.array(DATA), 2, target=g, overwrite=True),
    "LRUStoreCache": lambda g: storage.LRUStoreCache(g, 100).clear(),
    "KVStore": lambda g: storage.KVStore(g).clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_is_no_store(change: Callable[[Any], object], zarr_format: Any) -> None:
    group = zchunk.open_group(zchunk.MemoryStore(), "w", zarr_format=zarr_format)
    group["x"] = DATA
    group.create_group("sub")
    stored = dict(group.store)
    with pytest.raises(TypeError, match="a Group is no store"):
        change(group)
    assert dict(group.store) == stored


def _h5py() -> Any:
    h5py = pytest.importorskip("h5py")
    file = h5py.File("x", "w", driver="core", backing_store=False)
    file["x"] = DATA
    return file


def _data_set() -> Any:
    xarray = pytest.importorskip("xarray")
    return xarray.Dataset({"x": ("i", DATA)})


def _data_frame() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"x": DATA})


@pytest.mark.parametrize("make", [_h5py, _data_set, _data_frame])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_groups_of_others_are_no_stores(make: Callable[[], Any], change: Callable[[Any], object]) -> None:
    group = make()
    with pytest.raises(TypeError, match="is no store"):
        change(group)
    assert list(group) == ["x"]


class TestKVStore(StoreConformance):
    folders = False
    pickles_share = False

    def make(self, path: Path) -> Store:
        return KVStore({})


class TestKVStoreOverStore(StoreConformance):
    pickles_share = False

    def make(self, path: Path) -> Store:
        return KVStore(MemoryStore())


def test_kvstore_wraps_what_a_user_has() -> None:
    mapping: dict[Any, Any] = {
        "a": bytearray(b"v"),
        "n": np.arange(2, dtype="u1"),
        "../x": b"no",
        5: b"no",
        "b/": b"no",
    }
    store = KVStore(mapping)
    assert dict(store) == {"a": b"v", "n": b"\0\1"}
    assert len(store) == 2
    store["k"] = b"w"
    assert mapping["k"] == b"w"
    assert store == KVStore(mapping)
    assert KVStore(NestedDirectoryStore("x"))._dimension_separator == "/"


def test_foreign_root_is_not_believed(tmp_path: Path) -> None:
    foreign = Plain()
    foreign.root = str(tmp_path)  # type: ignore[attr-defined]
    assert open_store(foreign).root is None
    assert DirectoryStore(tmp_path).root == str(tmp_path)


class _Erased(dict[str, bytes]):
    """A dict that notes which keys are deleted, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[str] = []

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.gone.append(key)


@pytest.mark.parametrize("over", [KVStore, lambda values: LRUStoreCache(KVStore(values), None)])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_metadata_go_first(over: Callable[[Any], Store], zarr_format: Any) -> None:
    values = _Erased()
    root = zchunk.open_group(over(values), "w", zarr_format=zarr_format)
    root.create_dataset("g/a", data=DATA, chunks=1, attributes={"n": 1})
    shows = ["g/.zgroup", "g/a/.zarray"] if zarr_format == 2 else ["g/a/zarr.json", "g/zarr.json"]
    for erase in (lambda: root.__delitem__("g"), root.store.clear):
        values.gone.clear()
        present = set(values)
        erase()
        assert set(values.gone) == present - set(values)
        assert len(values.gone) == len(set(values.gone))
        if "g/a/0" in values.gone or "g/a/c/0" in values.gone:
            assert sorted(values.gone[:2]) == shows


def test_a_store_in_a_mapping_makes_all_metadata_of_a_node_at_once(tmp_path: Path) -> None:
    # In N5 they are one file, so that the second key alone would never be new.
    store = storage.KVStore(storage.N5Store(tmp_path))
    z = zchunk.zeros(4, store=store, path="a", attributes={"unit": "m"})
    assert dict(z.attrs) == {"unit": "m"}
