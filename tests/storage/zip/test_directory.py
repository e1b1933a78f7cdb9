"""Directories of archives that do not end with one: writers that were killed, disks that were full."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.storage.zip.test_store import good_archive
from zchunk.errors import StoreError
from zchunk.storage import KVStore, MemoryStore, ZipStore
from zchunk.storage.zip import directory


def nested_archive(tmp_path: Path) -> bytes:
    good_archive(tmp_path / "inner.zip")
    return (tmp_path / "inner.zip").read_bytes()


@pytest.mark.parametrize("comment", [b"", b"a comment" * 100])
@pytest.mark.parametrize("more", [1, 2])
def test_of_archives_one_behind_the_other_the_last_one_is_read(
    tmp_path: Path, comment: bytes, more: int
) -> None:
    good_archive(tmp_path / "old.zip", comment)
    whole = (tmp_path / "old.zip").read_bytes()
    for number in range(more):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
            new.writestr("a", f"new {number}")
            new.comment = comment
        whole += (tmp_path / "new.zip").read_bytes()
    (tmp_path / "both.zip").write_bytes(whole)
    with zipfile.ZipFile(tmp_path / "both.zip") as theirs:
        wanted = {name: theirs.read(name) for name in theirs.namelist()}
    assert dict(ZipStore(tmp_path / "both.zip", mode="r")) == wanted == {"a": b"new %d" % (more - 1)}


KILLED = """
import os, signal, sys
from zchunk.storage import ZipStore
store = ZipStore(sys.argv[1])
store["a"] = b"new"
store["d"] = open(sys.argv[2], "rb").read()
store["e"] = bytes(100_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("cut", [0, 1, 50_000, 100_031])
@pytest.mark.parametrize("comment", [b"", b"a comment" * 100])
def test_an_archive_whose_writer_was_killed_is_what_it_was_before(
    tmp_path: Path, cut: int, comment: bytes
) -> None:
    path = tmp_path / "a.zip"
    values = good_archive(path, comment)
    size = path.stat().st_size
    # A value that is an archive itself, with a directory that is not that of the whole.
    nested_archive(tmp_path)
    command = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "inner.zip")]
    subprocess.run(command, check=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    with pytest.warns(UserWarning, match=rf"{len(whole) - cut - size} bytes .* left out, values of 'a', 'd'"):
        store = ZipStore(path, mode="r")
    assert dict(store) == values
    with pytest.warns(UserWarning, match="left out"):
        store = ZipStore(path)
    assert dict(store) == values
    store["f"] = b"later"
    store.close()
    # Without a warning, to everybody.
    assert dict(ZipStore(path, mode="r")) == {**values, "f": b"later"}
    with zipfile.ZipFile(path) as theirs:
        assert theirs.testzip() is None
        assert theirs.comment == comment


def test_an_archive_is_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    values = good_archive(path)
    first = path.stat().st_size
    with ZipStore(path) as store:
        store["d"] = b"more"
        second = store._archive._end
    whole = path.read_bytes()
    assert dict(ZipStore(path, mode="r")) == {**values, "d": b"more"}
    for end in range(first + 1, len(whole), 3):
        path.write_bytes(whole[:end])
        with pytest.warns(UserWarning, match="values of 'd'" if end >= second else "left out"):
            assert dict(ZipStore(path, mode="r")) == values
    for end in range(0, first, 9):
        path.write_bytes(whole[:end])
        with pytest.raises(StoreError, match="probably not closed"):
            ZipStore(path, mode="r")


def test_zip64_directories_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    values = good_archive(path)
    assert b"PK\6\6" in path.read_bytes()
    with path.open("ab") as file:
        file.write(bytes(3_000_000))
    with pytest.warns(UserWarning, match="3000000 bytes"):
        assert dict(ZipStore(path, mode="r")) == values


def test_what_stands_in_front_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    values = good_archive(path)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert dict(ZipStore(path, mode="r")) == values


# ---- in other stores, which are asked for little


class Asked(MemoryStore):
    """A store that notes how many bytes it is asked for at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        data = super().get_range(key, start, stop)
        self.sizes.append(len(data))
        return data


def over(whole: bytes) -> Asked:
    store = Asked()
    store["a.zip"] = whole
    return store


@pytest.mark.parametrize("behind", [1, 70_000, 3_000_000])
@pytest.mark.parametrize("zip64", [False, True])
def test_an_archive_in_another_store_is_what_it_was_before(
    tmp_path: Path, behind: int, zip64: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if zip64:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    values = good_archive(tmp_path / "a.zip", b"a comment")
    store = over((tmp_path / "a.zip").read_bytes() + bytes(behind))
    with pytest.warns(UserWarning, match=f"'a.zip' in .* {behind} bytes behind its last complete directory"):
        found = ZipStore.over(store, "a.zip")
    assert dict(found) == values
    assert sum(store.sizes) < behind + 500_000
    with found.zf as theirs:
        assert theirs.testzip() is None
    with pytest.warns(UserWarning, match="left out"):
        assert dict(pickle.loads(pickle.dumps(found))) == values


def test_what_was_dropped_is_said_of_an_archive_in_another_store(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    values = good_archive(path)
    with ZipStore(path) as store:
        for n in range(100):
            store[f"new/{n}"] = b"more"
        end = store._archive._end
    asked = over(path.read_bytes()[:end])
    with pytest.warns(UserWarning, match=r"values of 'new/0', 'new/1', .*'new/4', \.\.\."):
        assert dict(ZipStore.over(asked, "a.zip")) == values
    # Not for the names that are not told.
    assert len(asked.sizes) < 40


def test_a_whole_archive_in_another_store_is_asked_for_its_end(tmp_path: Path) -> None:
    values = good_archive(tmp_path / "a.zip")
    asked = over((tmp_path / "a.zip").read_bytes())
    store = ZipStore.over(asked, "a.zip")
    assert len(asked.sizes) == 1
    assert dict(store) == values
    # A directory larger than what is read first.
    with ZipStore(tmp_path / "a.zip") as new:
        for n in range(2000):
            new[f"a/name/of/some/length/{n}"] = b""
    asked = over((tmp_path / "a.zip").read_bytes())
    assert len(ZipStore.over(asked, "a.zip")) == len(values) + 2000
    assert sum(asked.sizes) < 300_000


def test_another_store_is_not_asked_for_all_of_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "FAR", 1 << 20)
    values = good_archive(tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    asked = over(whole + bytes((1 << 20) - len(whole)))
    with pytest.warns(UserWarning, match="left out"):
        assert dict(ZipStore.over(asked, "a.zip")) == values
    asked = over(whole + bytes(5 << 20))
    with pytest.raises(StoreError, match=r"'a.zip' in .* the last 1 MiB .*local file"):
        ZipStore.over(asked, "a.zip")
    assert sum(asked.sizes) < 2 << 20
    # All of a local file is looked at.
    (tmp_path / "a.zip").write_bytes(whole + bytes(5 << 20))
    with pytest.warns(UserWarning, match="left out"):
        assert dict(ZipStore(tmp_path / "a.zip", mode="r")) == values


@pytest.mark.parametrize("whole", [b"", b"no archive", b"PK\3\4", b"PK\3\4" + bytes(100_000)])
def test_what_is_no_archive_in_another_store(whole: bytes) -> None:
    with pytest.raises(StoreError, match="probably not closed"):
        ZipStore.over(KVStore({"a.zip": whole}), "a.zip")


def test_what_stands_in_front_of_an_archive_in_another_store(tmp_path: Path) -> None:
    values = good_archive(tmp_path / "a.zip")
    store = over(b"#!/bin/sh\n" + (tmp_path / "a.zip").read_bytes())
    assert dict(ZipStore.over(store, "a.zip")) == values
