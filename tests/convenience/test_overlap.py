"""Where nodes are, by names that all stores over the same values share."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk
from zchunk.convenience.overlap import check_apart, is_below, place, places
from zchunk.errors import CopyError


def test_folders_have_the_name_of_their_real_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store", target_is_directory=True)
    name = place(zchunk.DirectoryStore(tmp_path / "store"), "a/b")
    assert place(zchunk.DirectoryStore(tmp_path / "store" / "a"), "b") == name
    assert place(zchunk.DirectoryStore(tmp_path / "link"), "a/b") == name
    assert place(zchunk.DirectoryStore(tmp_path / "other"), "a/b") != name


def test_chunks_may_be_elsewhere(tmp_path: Path) -> None:
    values, chunks = zchunk.MemoryStore(), zchunk.MemoryStore()
    z = zchunk.zeros(3, store=values, chunk_store=chunks, path="a")
    assert places(z) == {place(values, "a"), place(chunks, "a")}
    assert places(z, "b") == {place(values, "b"), place(chunks, "b")}


def test_below() -> None:
    assert is_below("a/b", "a")
    assert is_below("a", "a")
    assert is_below("a", "")
    assert is_below("a/b", "a/")
    assert not is_below("ab", "a")
    assert not is_below("a", "a/b")


@pytest.mark.parametrize("path", ["g", "g/a", "g/a/b", ""])
def test_what_would_be_in_or_instead_of_its_source(path: str) -> None:
    store = zchunk.MemoryStore()
    z = zchunk.zeros(3, store=store, path="g/a")
    with pytest.raises(CopyError, match=r"its source .* give another path"):
        check_apart([z], store, path, "; give another path")
    check_apart([z], store, "g/b")
    check_apart([z], zchunk.MemoryStore(), path)
