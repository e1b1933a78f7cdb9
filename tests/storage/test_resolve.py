"""What may be given as a store, and what it becomes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import zchunk.storage as storage
from zchunk.storage import (
    DirectoryStore,
    KVStore,
    MemoryStore,
    ZipStore,
    open_store,
)


@pytest.mark.parametrize("bad", [5, 1.5, ["a"], {"a"}, (1,), dict, b"path"], ids=repr)
def test_what_is_no_store(bad: Any) -> None:
    with pytest.raises(TypeError):
        open_store(bad)


def test_open_store(tmp_path: Path) -> None:
    assert type(open_store()) is MemoryStore
    assert type(open_store({})) is KVStore
    memory = MemoryStore()
    assert open_store(memory) is memory
    for path in (tmp_path / "d", str(tmp_path / "d")):
        store = open_store(path)
        assert type(store) is DirectoryStore
        assert store.path == str(tmp_path / "d")
    for url in (f"file://{tmp_path}/d", f"file://localhost{tmp_path}/%64"):
        opened = open_store(url)
        assert isinstance(opened, storage.FSStore)
        assert opened.path == str(tmp_path / "d")
    assert not os.listdir(tmp_path)
    archive = tmp_path / "d.zip"
    with pytest.raises(FileNotFoundError):
        open_store(archive, "r")
    with pytest.raises(FileNotFoundError):
        open_store(archive, "r+")
    for mode in ("a", "w-"):
        with open_store(archive, mode) as store:
            assert type(store) is ZipStore
            assert store.mode == "a"
            store[mode] = b"v"
    with open_store(f"file://{archive}", "r") as store:
        assert set(store) == {"a", "w-"}
    with pytest.raises(FileExistsError):
        open_store(archive, "x")
    with open_store(archive, "w") as store:
        assert not list(store)
    with pytest.raises(ValueError, match="mode"):
        open_store(tmp_path, "rw")  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["file://x/y", "file://", "file:///a?b", "file:///a#b"])
def test_bad_file_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="absolute path"):
        open_store(url)
