"""Directories of archives that do not end with one: writers that were killed, disks that were full."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.storage.zip.test_store import good_archive
from zchunk.errors import StoreError
from zchunk.storage import (
    ZipStore,
)


def nested_archive(tmp_path: Path) -> bytes:
    good_archive(tmp_path / "inner.zip")
    return (tmp_path / "inner.zip").read_bytes()


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
