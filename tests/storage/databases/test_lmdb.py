"""`LMDBStore`: open once in a process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.store_conformance import StoreConformance
from zchunk.errors import StoreError
from zchunk.storage import LMDBStore, Store


class TestLMDBStore(StoreConformance):
    folders = False

    def make(self, path: Path) -> Store:
        return LMDBStore(path)


def test_lmdb_is_open_once_in_a_process(tmp_path: Path) -> None:
    one, two = LMDBStore(tmp_path / "db"), LMDBStore(tmp_path / "db")
    assert one.db is two.db
    with pytest.raises(StoreError, match="other options"):
        LMDBStore(tmp_path / "db", map_size=1 << 20)
    one["k"] = b"v"
    one.close()
    assert two["k"] == b"v"
    two.close()
    with LMDBStore(tmp_path / "db", map_size=1 << 20, buffers=False) as small:
        assert type(small["k"]) is bytes
        with pytest.raises(StoreError, match="MDB_MAP_FULL"):
            small["large"] = bytes(1 << 21)
        assert small["k"] == b"v"


def test_lmdb_folder_that_was_replaced(tmp_path: Path) -> None:
    old = LMDBStore(tmp_path / "db")
    old["k"] = b"old"
    shutil.rmtree(tmp_path / "db")
    with LMDBStore(tmp_path / "db") as new:
        assert list(new) == []
        new["k"] = b"new"
    old.close()
    with LMDBStore(tmp_path / "db") as new:
        assert new["k"] == b"new"


def test_lmdb_long_keys(tmp_path: Path) -> None:
    with LMDBStore(tmp_path / "db") as store:
        key = "x/" * 255 + "y"
        store[key] = b"v"
        assert store[key] == b"v"
        for long in (key + "z", "x/" * 300 + "y"):
            with pytest.raises(StoreError, match="511 bytes"):
                store[long] = b"v"
            assert long not in store
            assert store.get(long) is None
            assert store.get_many([key, long]) == {key: b"v"}
            store.erase_many([long])


def test_lmdb_readonly(tmp_path: Path) -> None:
    with LMDBStore(tmp_path / "db") as store:
        store["k"] = b"v"
    with LMDBStore(tmp_path / "db", readonly=True) as store:
        assert store["k"] == b"v"
        with pytest.raises(StoreError):
            store["k"] = b"w"
