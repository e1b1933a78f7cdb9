"""Removing the folders of nodes, also where they cannot be moved; whose files lie in a folder."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import zchunk
from zchunk._ext.io.listing import Listing
from zchunk.errors import ForeignFilesError
from zchunk.storage import DirectoryStore
from zchunk.storage.local import removal
from zchunk.storage.local.leftovers import unfinished


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("n/.zgroup", "n/.zattrs", "n/a/.zarray", "n/a/0.0", "n/a/1/0", "other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_folder_goes_with_all_in_it(folder: Path) -> None:
    removal.remove_folder(str(folder / "n"))
    assert os.listdir(folder) == ["other"]
    removal.remove_folder(str(folder / "n"))


def test_a_link_goes_and_what_it_leads_to_stays(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "n")
    removal.remove_folder(str(folder / "link"))
    assert sorted(os.listdir(folder)) == ["n", "other"]
    # The folder of a store itself is emptied.
    (folder / "link").symlink_to(folder / "n")
    removal.remove_in_place(str(folder / "link"))
    assert (sorted(os.listdir(folder)), os.listdir(folder / "n")) == (["link", "n", "other"], [])


def test_a_folder_that_cannot_be_moved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, unlinked = os.rename, []

    def refuse(source: str, target: str) -> None:
        if source == str(folder / "n") or source == str(folder / "n" / "a"):
            raise OSError(16, "Device or resource busy", source)
        rename(source, target)

    unlink = os.unlink
    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(os, "unlink", lambda path, **kwargs: (unlinked.append(path), unlink(path, **kwargs)))
    unlink_files = removal.unlink_files

    def chunks_too(found: Listing, *args: Any, **kwargs: Any) -> None:
        unlinked.extend(found.keys(f"{folder}/n/a/"))
        unlink_files(found, *args, **kwargs)

    monkeypatch.setattr(removal, "unlink_files", chunks_too)
    removal.remove_folder(str(folder / "n"))
    assert os.listdir(folder) == ["other"]
    names = [os.path.relpath(path, folder) for path in unlinked if os.path.isabs(path)]
    names = [name for name in names if ".partial/" not in name]
    assert names == ["n/.zgroup", "n/.zattrs", "n/a/.zarray", "n/a/0.0"]


def test_deleting_that_was_not_finished(folder: Path) -> None:
    # A process that lives is at it.
    (folder / "n" / "erasing.0000000000000001.partial").mkdir()
    assert removal.foreign_files(str(folder / "n" / "a")) == []
    (folder / "n" / ".zgroup").unlink()
    (folder / "n" / ".zattrs").unlink()
    # It has not said yet what it deletes.
    assert removal.foreign_files(str(folder / "n")) == ["a/.zarray", "a/0.0", "a/1/0"]
    (folder / "n" / "erasing.0000000000000001.partial" / "names").write_bytes(b"a\0.zgroup")
    assert removal.foreign_files(str(folder / "n")) == []
    assert not unfinished(str(folder / "n"))
    assert DirectoryStore(folder / "n").list_dir() == ["a"]
    removal.remove_in_place(str(folder / "n"))
    assert not unfinished(str(folder / "n"))
    assert not (folder / "n").exists()


def killed_while_erasing(folder: Path, left: set[str]) -> None:
    """Let a process erase all in a folder, which is killed before some chunks are deleted."""

    def erase() -> None:
        unlink_files = removal.unlink_files

        def die(found: Listing, *args: Any, **kwargs: Any) -> None:
            if left & set(found.keys("")):
                os.kill(os.getpid(), signal.SIGKILL)
            unlink_files(found, *args, **kwargs)

        removal.unlink_files = die
        removal.remove_in_place(str(folder))

    pid = os.fork()
    if not pid:
        erase()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.fixture
def half_erased(tmp_path: Path) -> Path:
    """A group that a process has begun to erase and was killed, and what others have put there since."""
    zchunk.open_group(tmp_path / "n").create("a", shape=4, chunks=2)[:] = 1
    (tmp_path / "n" / "0.0").write_bytes(b"chunk")
    killed_while_erasing(tmp_path / "n", {"0.0"})
    assert unfinished(str(tmp_path / "n"))
    (tmp_path / "n" / "thesis.txt").write_bytes(b"mine")
    zchunk.array([1, 2], store=tmp_path / "n" / "arr")
    return tmp_path / "n"


def test_a_killed_erase_says_what_is_not_its_own(half_erased: Path) -> None:
    assert removal.foreign_files(str(half_erased)) == ["arr/.zarray", "arr/0", "thesis.txt"]
    with pytest.raises(ForeignFilesError, match=r"thesis\.txt"):
        zchunk.open_group(half_erased, "w")
    assert (half_erased / "thesis.txt").read_bytes() == b"mine"


def test_what_is_newer_than_a_killed_erase_is_not_its_own(half_erased: Path) -> None:
    (trace,) = half_erased.glob("erasing.*")
    os.utime(trace, ns=((half_erased / "0.0").stat().st_ctime_ns - 1,) * 2)
    assert "0.0" in removal.foreign_files(str(half_erased))
    removal.finish_erasing(str(half_erased))
    assert sorted(os.listdir(half_erased)) == ["0.0", "arr", "thesis.txt"]


@pytest.mark.parametrize("mode", ["a", "w-"])
def test_a_new_node_finishes_a_killed_erase_and_deletes_nothing_else(half_erased: Path, mode: Any) -> None:
    # A file that is moved here may have been written long ago.
    os.utime(half_erased / "thesis.txt", (0, 0))
    zchunk.open_array(half_erased, mode, shape=(2, 2), chunks=1)
    assert sorted(os.listdir(half_erased)) == [".zarray", "arr", "thesis.txt"]
    assert zchunk.open_array(half_erased / "arr", "r")[:].tolist() == [1, 2]
    assert not unfinished(str(half_erased))


def test_whose_files_they_are(folder: Path) -> None:
    assert len(removal.foreign_files(str(folder))) == 5
    assert removal.foreign_files(str(folder / "n")) == []
    assert removal.foreign_files(str(folder / "nothing")) == []
    assert removal.foreign_files(str(folder / "other")) == []
    # Chunks are somebody's, unless a mark says that their array was not finished.
    (folder / "n" / "a" / ".zarray").unlink()
    assert removal.foreign_files(str(folder / "n" / "a")) == ["0.0", "1/0"]
    (folder / "n" / "a" / ".unfinished").touch()
    assert removal.foreign_files(str(folder / "n" / "a")) == []
    (folder / "n" / "a" / "notes.txt").touch()
    assert removal.foreign_files(str(folder / "n" / "a")) == ["notes.txt"]


@pytest.mark.parametrize("what", ["node", "folder"])
def test_what_cannot_be_deleted_is_left_to_all(tmp_path: Path, with_calls: Any, what: str) -> None:
    code = """
import zchunk
store = DirectoryStore(folder / "s")
root = zchunk.open_group(store, "w", zarr_format=3)
root.create_dataset("a", shape=8, chunks=2)[...] = 1
library.watch(folder, Calls.NAME)
# The folder has a name of its own by then.
library.strike(Strike(4, How.FAIL, error=errno.EACCES))
try:
    if sys.argv[1] == "node":
        del root["a"]
    else:
        store.erase_prefix("a")
except PermissionError:
    assert library.end() > 4
else:
    raise AssertionError("it was swallowed")
assert list(root) == []
assert {finding.kind for finding in zchunk.verify(store).findings} == {"leftover"}
store["b"] = b"value"
assert sorted(os.listdir(folder / "s")) == ["b", "zarr.json"]
"""
    with_calls(tmp_path, code, what)


def test_an_erasing_that_fails_is_finished_by_the_next(tmp_path: Path, with_calls: Any) -> None:
    code = """
import zchunk
store = DirectoryStore(folder / "s")
zchunk.open_array(store, "w", shape=8, chunks=2, zarr_format=3)[...] = 1
listed = log.with_name("listed")
library.watch(folder, Calls.NAME)
library.list_to(listed)
library.strike(Strike(1000, How.FAIL))
z = zchunk.open_array(store, "w", shape=8, chunks=2, zarr_format=3)
z[...] = 1
calls = library.end()
for at in range(1, calls + 1):
    library.watch(folder, Calls.NAME)
    library.strike(Strike(at, How.FAIL, error=errno.EACCES))
    try:
        zchunk.open_array(store, "w", shape=8, chunks=2, zarr_format=3)[...] = 2
    except PermissionError:
        pass
    library.end()
    zchunk.open_array(store, "w", shape=8, chunks=2, zarr_format=3)[...] = 3
    assert (zchunk.open_array(store, "r")[...] == 3).all()
    store.remove_leftovers()
    assert not zchunk.verify(store).findings, (at, zchunk.verify(store))
"""
    with_calls(tmp_path, code)
