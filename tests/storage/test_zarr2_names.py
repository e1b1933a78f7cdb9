"""zarr 2's names of methods of stores do what ours do."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk


def test_values() -> None:
    store = zchunk.MemoryStore()
    store.setitems({"a/b": b"1", "a/c": b"2", "d": b"3"})
    assert store.getitems(["a/b", "d", "nothing"], contexts={}) == {"a/b": b"1", "d": b"3"}
    assert store.listdir("a") == ["b", "c"]
    assert store.listdir() == ["a", "d"]
    store.delitems(["a/b"])
    assert sorted(store) == ["a/c", "d"]
    store.rmdir("a")
    assert list(store) == ["d"]
    store.rmdir()
    assert not list(store)
    assert all([store.is_readable(), store.is_writeable(), store.is_listable(), store.is_erasable()])


def test_folders_of_chunks_are_listed_as_keys(tmp_path: Path) -> None:
    nested = zchunk.NestedDirectoryStore(tmp_path)
    zchunk.ones((4, 2), chunks=2, store=nested, path="a")[...] = 2
    assert nested.listdir("a") == [".zarray", "0/0", "1/0"]
    assert nested.list_dir("a") == [".zarray", "0", "1"]
    assert zchunk.DirectoryStore(tmp_path).listdir("a") == [".zarray", "0", "1"]


def test_what_stores_made_for_zarr_2_call() -> None:
    made = zchunk.storage.Store._ensure_store({})
    assert isinstance(made, zchunk.KVStore)
    with pytest.raises(ValueError, match="store"):
        zchunk.storage.Store._ensure_store(5)
    assert made._metadata_class.decode_array_metadata
