"""The places that callers name."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk
from zchunk.errors import InvalidKeyError
from zchunk.wings.verification.places import QUARANTINE, keys_of, placed


def test_nodes_stand_for_their_stores(tmp_path: Path) -> None:
    chunks = zchunk.MemoryStore()
    group = zchunk.open_group(tmp_path / "a.zarr", "w", chunk_store=chunks)
    inner = group.create_group("a/b")
    with placed(inner, "c", None) as place:
        assert place == (group.store, chunks, "a/b/c")
        assert place.stores == [group.store, chunks]
    with placed(tmp_path / "a.zarr", "/a//b/", None) as place:
        assert place.path == "a/b"
        assert place.stores == [place.store]
    with pytest.raises(InvalidKeyError), placed({}, "..", None):
        pass


def test_a_zip_file_that_was_opened_here_is_closed(tmp_path: Path) -> None:
    with placed(tmp_path / "a.zip", "", None, "a") as place:
        place.store["a"] = b"value"
    with placed(tmp_path / "a.zip", "", None) as place:
        assert list(place.store) == ["a"]


def test_what_was_set_aside_is_no_key() -> None:
    store = zchunk.MemoryStore()
    store.set_many({f"{QUARANTINE}/a": b"", "b": b"", "c/d": b""})
    assert sorted(keys_of(store, "")) == ["b", "c/d"]
    assert sorted(keys_of(store, "c")) == ["c/d"]
