"""Folders of new nodes, which are put in their place in one step."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.between_lines import interrupted
from tests.creation.test_opening import files
from tests.store_conformance import in_child
from zchunk.errors import BeingMadeError, ContainsArrayError, ContainsNodeError, ReadOnlyError
from zchunk.storage import DirectoryStore, marks
from zchunk.storage.local import leftovers, new_folders
from zchunk.storage.local.new_folders import put_new_folder
from zchunk.zarr3.storage import LocalStore

FILES = {".zattrs": b"{}", ".zarray": b"x" * 1000}


def test_a_folder_is_put_where_nothing_is(tmp_path: Path) -> None:
    assert put_new_folder(f"{tmp_path}/a", FILES)
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == FILES
    assert os.listdir(tmp_path) == ["a"]
    (tmp_path / "empty").mkdir()
    assert put_new_folder(f"{tmp_path}/empty", FILES)


IN_THE_WAY: dict[str, Callable[[Path], Any]] = {
    "file": lambda p: p.write_bytes(b"mine"),
    "folder": lambda p: (p / "chunks").mkdir(parents=True),
    "link": lambda p: p.symlink_to(p.parent),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_there_stays(tmp_path: Path, what: str) -> None:
    IN_THE_WAY[what](tmp_path / "a")
    before = sorted(map(str, tmp_path.rglob("*")))
    assert not put_new_folder(f"{tmp_path}/a", FILES)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_no_folder_is_made_above(tmp_path: Path) -> None:
    assert not put_new_folder(f"{tmp_path}/gone/a", FILES)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_or_broken_is_not_tried_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        put_new_folder(f"{tmp_path}/a", FILES, sync=True)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_deleted_meanwhile_is_not_made_anew(tmp_path: Path) -> None:
    at = 0

    def delete() -> None:
        for path in tmp_path.glob("*.partial"):
            leftovers.remove_tree(str(path))

    made, handled = [], True
    while handled:
        at += 1
        folder = f"{tmp_path}/{at}"
        with interrupted(new_folders, delete, at) as lines:
            if put_new_folder(folder, FILES):
                made.append(folder)
        handled = lines.handled
        found = sorted(os.listdir(tmp_path))
        assert found == sorted(map(os.path.basename, made))
    # Before the folder is made, and after it is in its place.
    assert 2 <= len(made) < at
    assert all(sorted(os.listdir(folder)) == sorted(FILES) for folder in made)


def test_a_killed_maker_leaves_what_the_next_writer_removes(tmp_path: Path) -> None:
    group, at = zchunk.open_group(tmp_path), 0
    killed = True
    while killed:
        at += 1
        child = os.fork()
        if not child:
            with interrupted(new_folders, lambda: os.kill(os.getpid(), signal.SIGKILL), at):
                zchunk.create(4, store=tmp_path, path=f"a{at}", attributes={"at": at})
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert {*group} <= {f"a{n}" for n in range(1, at + 1)}
        assert all(dict(array.attrs) == {"at": int(name[1:])} for name, array in group.arrays())
    assert at > 5
    assert any(name.startswith("making.") for name in os.listdir(tmp_path))
    leftovers.tidy.folders.discard(str(tmp_path))
    leftovers.tidy._writes.pop(str(tmp_path), None)
    group.create_group("new")
    assert not any(name.startswith("making.") for name in os.listdir(tmp_path))


MAKE: dict[str, Callable[[Path], Any]] = {
    "array": lambda p: zchunk.create(4, store=p, path="g/a", dtype="i4", attributes={"of": 1}),
    "plain": lambda p: zchunk.create(4, store=p, path="g/a", dtype="i4", zarr_format=2),
    "group": lambda p: zchunk.open_group(p, "w-", path="g/a", attributes={"of": 1}),
}
OTHERS: dict[str, Callable[[Path], Any]] = {
    **MAKE,
    "data": lambda p: zchunk.array(np.arange(4, dtype="i4"), store=p, path="g/a"),
    "replace": lambda p: zchunk.save(str(p), np.arange(4, dtype="i4"), path="g/a"),
}


@pytest.mark.each_value
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("make", MAKE)
def test_one_of_two_makers_wins_whenever_the_other_comes(tmp_path: Path, make: str, other: str) -> None:
    at, handled = 0, True
    while handled:
        at += 1
        folder, second = tmp_path / str(at), []
        zchunk.open_group(folder, path="g")

        def come(folder: Path = folder, second: list[Any] = second) -> None:
            thread = threading.Thread(target=lambda: second.append(_made(OTHERS[other], folder)))
            thread.start()
            thread.join()

        with interrupted(new_folders, come, at) as lines:
            first = _made(MAKE[make], folder)
        handled = lines.handled
        made = [name for name, done in ((make, first), (other, handled and second[0])) if done]
        if other == "replace":
            assert made in ([other], [make, other]) or not handled
        else:
            assert len(made) == 1
        last = made[-1] if handled else make
        node = zchunk.open(folder, "r", path="g/a")
        assert dict(node.attrs) == ({"of": 1} if last in ("array", "group") else {})
        assert isinstance(node, zchunk.Group) == (last == "group")
        assert not any(name.endswith(("partial", "unfinished")) for name in files(folder))
    assert at > 5


def _made(make: Callable[[Path], Any], folder: Path) -> bool:
    try:
        make(folder)
    except ContainsNodeError:
        return False
    return True


def test_that_holds_a_mark_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It came after the maker had seen that nothing is there."""
    monkeypatch.setattr(marks, "_PATIENCE", 0.0)
    store = DirectoryStore(tmp_path)
    zchunk.open_group(store)
    held = []

    def mark() -> None:
        if not held:
            held.append(marks.set_mark(store, "a"))

    with interrupted(new_folders, mark, 1), pytest.raises(BeingMadeError):
        zchunk.create(4, store=store, path="a", attributes={"of": 1})
    assert [*files(tmp_path / "a")] == [".unfinished"]
    held[0].remove()


def test_a_store_that_refuses_changes_refuses_this_one(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path)
    with pytest.raises(ReadOnlyError):
        zchunk.create(4, store=LocalStore(tmp_path, read_only=True), path="a")
    assert zchunk.create(4, store=LocalStore(tmp_path), path="a").shape == (4,)
    assert sorted(files(tmp_path)) == [".zgroup", "a/.zarray"]


class Own(DirectoryStore):
    """A store that has its own way to set what is new."""

    verbatim = True
    keys: list[str]

    def set_new(self, key: str, value: Any) -> bool:
        self.keys.append(key)
        return super().set_new(key, value)


def test_a_store_with_its_own_way_is_asked(tmp_path: Path) -> None:
    store = Own(tmp_path)
    store.keys = []
    zchunk.create(4, store=store, path="a")
    assert store.keys[-1] == "a/.zarray"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_with_fsync_all_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, fsync, rename = DirectoryStore(tmp_path, durability="fsync"), os.fsync, os.rename
    zchunk.open_group(store)
    done: list[str] = []

    def synced(fd: int) -> None:
        done.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")).partition(".0")[0])
        fsync(fd)

    def renamed(old: str, new: str) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    zchunk.create(4, store=store, path="a", attributes={"of": 1})
    # Files and their names, then the name of the folder.
    assert [name.partition(".")[0] or name for name in done] == [
        ".zattrs", ".zarray", "making", "rename", tmp_path.name.partition(".")[0]
    ]  # fmt: skip


def test_threads_and_children_make_different_nodes(tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path)
    assert in_child(lambda: group.create("a", shape=4, attributes={"of": "a"}).shape == (4,))
    with pytest.raises(ContainsArrayError):
        group.create("a", shape=4)
    assert dict(group["a"].attrs) == {"of": "a"}
