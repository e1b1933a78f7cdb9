"""What is in a folder, packed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from zchunk._ext.io.listing import Listing


def test_names_by_their_sort(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.partial").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    os.mkfifo(tmp_path / "fifo")
    for name in ("0", ".zarray", "partial", "a.partial", "ä", "back\\slash"):
        (tmp_path / name).touch()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    found = Listing(os.fsencode(tmp_path))
    assert sorted(found.keys("")) == [".zarray", "0", "partial"]
    assert sorted(found.keys("ä/")) == ["ä/.zarray", "ä/0", "ä/partial"]
    assert (found.files, found.folders) == (3, ["folder"])
    others = ["a.partial", "back\\slash", "fifo", "folder.partial", "link", "ä", os.fsdecode(b"\xff")]
    assert sorted(found.others) == sorted(others)


def test_more_names_than_are_read_at_once(tmp_path: Path) -> None:
    want = {f"{n:0200}" for n in range(40_000)}
    for name in want:
        os.close(os.open(f"{tmp_path}/{name}", os.O_CREAT | os.O_WRONLY))
    found = Listing(os.fsencode(tmp_path))
    keys = found.keys("")
    assert iter(keys) is keys
    # They stay as they were.
    for name in want:
        os.unlink(f"{tmp_path}/{name}")
    del found
    assert set(keys) == want
    assert list(keys) == []


def test_names_of_chunks_are_counted(tmp_path: Path) -> None:
    good = ("c.0.0", "c.2.10", "c.0.17")
    bad = ("c.3.0", "c.0.18", "c.00.0", "c.01.0", "c.0", "c.0.0.0", "c.0.", "c..0", "c.0.0x", "0.0", "c")
    big = (f"c.0.{10**18}", f"c.0.{10**19 - 1}", f"c.0.{2**64}", f"c.0.{10**20}")
    for name in (*good, *bad, *big):
        (tmp_path / name).touch()
    found = Listing(os.fsencode(tmp_path))
    assert found.count(b"c.", ".", [3, 18]) == len(good)
    # A number of 20 digits is no coordinate.
    assert found.count(b"c.", ".", [3, 10**19]) == len(good) + 1 + 2
    assert found.count(b"", ".", [1, 1]) == 1
    assert found.count(b"c.", ".", [3]) == 1
    with pytest.raises(ValueError, match="axes"):
        found.count(b"", ".", [1] * 65)


def test_errors_are_the_systems(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", errno.ENOENT), (tmp_path / "file", errno.ENOTDIR)):
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match=str(path)) as raised:
            Listing(os.fsencode(path))
        assert raised.value.errno == code
    with pytest.raises(ValueError, match="null"):
        Listing(b"a\0b")


def test_files_are_deleted_and_some_taken_out(tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / "a" / str(n)).parent.mkdir(exist_ok=True)
        (tmp_path / "a" / str(n)).touch()
    (tmp_path / "a" / "folder").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        found = Listing(b"a", fd)
        assert found.take_out(["3", "none", "folder", "1", "3", "10"]) == ["3", "1"]
        rest = list(found.keys(""))
        assert sorted(rest) == ["0", "2", "4", "5", "6", "7", "8", "9"]
        assert (found.files, found.text.split(b"\0")) == (8, [os.fsencode(name) for name in rest])
        below = os.open("a", os.O_RDONLY, dir_fd=fd)
        try:
            found.unlink_some(below, 3)
            assert set(os.listdir(below)) == {"1", "3", "folder", *rest[3:]}
            os.unlink(rest[3], dir_fd=below)
            os.unlink(rest[4], dir_fd=below)
            found.unlink_some(below, 1, missing=True)
            with pytest.raises(FileNotFoundError, match=rest[4]):
                found.unlink_some(below, 9)
            found.unlink_some(below, 9)
            assert set(os.listdir(below)) == {"1", "3", "folder", *rest[5:]}
        finally:
            os.close(below)
    finally:
        os.close(fd)
    empty = Listing(os.fsencode(tmp_path))
    assert (empty.text, empty.take_out(["a"])) == (b"", [])
