"""A store and a path in it."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk
from zchunk.errors import InvalidKeyError
from zchunk.storage import StorePath
from zchunk.storage.store_path import with_path


def test_values() -> None:
    store = zchunk.MemoryStore()
    place = StorePath(store, "a") / "b"
    assert not place.exists()
    assert place.get() is None
    place.delete()
    place.set(b"x")
    assert (place.exists(), place.get(), store["a/b"]) == (True, b"x", b"x")
    place.delete()
    assert not place.exists()
    assert place == StorePath(store, "a/b") != StorePath(store, "a")
    assert not place.read_only
    with pytest.raises(InvalidKeyError):
        place / "../c"


def test_how_it_shows_itself(tmp_path: Path) -> None:
    assert str(StorePath(zchunk.DirectoryStore(tmp_path), "a")) == f"file://{tmp_path}/a"
    assert repr(StorePath(zchunk.MemoryStore())).startswith("StorePath(MemoryStore, 'memory://")


def test_functions_take_it() -> None:
    place = StorePath({}, "a")
    assert with_path(place, "b/c") == (place.store, "a/b/c")
    assert with_path(place, None) == (place.store, "a")
    z = zchunk.zeros(3, store=place, path="b")
    assert (z.path, z.store_path) == ("a/b", place / "b")
    assert zchunk.open(place, "r", path="b") == z.view() or zchunk.open(place, path="b") == z
    assert list(zchunk.open_group(place)) == ["b"]
