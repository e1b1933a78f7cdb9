"""What stores tell of the folders that their keys are in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zchunk.storage import (
    DirectoryStore,
    FSStore,
    KVStore,
    LRUStoreCache,
    MemoryStore,
    N5Store,
    NestedDirectoryStore,
    SQLiteStore,
    Store,
    ZipStore,
)

OF_FILES: dict[str, Callable[[Path], Store]] = {
    "folder": DirectoryStore,
    "lower case": lambda path: DirectoryStore(path, normalize_keys=True),
    "nested": NestedDirectoryStore,
    "N5": N5Store,
    "fsspec": lambda path: FSStore(str(path)),
    "cache": lambda path: LRUStoreCache(DirectoryStore(path), None),
}
OTHERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "dict": lambda path: KVStore({}),
    "SQLite": lambda path: SQLiteStore(":memory:"),
    "zip": lambda path: ZipStore(path / "x.zip"),
    "memory of fsspec": lambda path: FSStore("memory://folders"),
}


@pytest.mark.parametrize("make", OF_FILES.values(), ids=OF_FILES)
def test_a_folder_that_is_gone(make: Callable[[Path], Store], tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    assert store.lost()
    store["a/b/x"] = b"value"
    assert [store.lost(path) for path in ("", "a", "a/b", "a/b/x", "c")] == [False, False, False, True, True]
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert store.lost("a")


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_stores_without_folders(make: Callable[[Path], Any], tmp_path: Path) -> None:
    store = make(tmp_path)
    assert not store.lost("nothing")
    assert not store.unfinished("nothing")
    assert store.root is None
    assert store.remove_leftovers() == []
    store.make_folder("nothing")
    store.tidy("nothing")
    assert not list(store)
