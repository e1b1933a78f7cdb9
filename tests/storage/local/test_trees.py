"""Deleting files and trees of folders."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from tests.between_lines import confined, interrupted
from zchunk.storage.local import trees


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_what_the_system_does_not_tell_is_not_taken_for_nothing(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert stat.S_ISLNK(trees.mode_of(str(loop), follow=False))
    with pytest.raises(OSError, match="symbolic links"):
        trees.mode_of(str(loop))
    assert trees.mode_of(f"{tmp_path}/gone") == 0


def test_trees_are_removed_and_what_links_lead_to_stays(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "kept").touch()
    (tree / "a" / "link").symlink_to(other, target_is_directory=True)
    for n in range(200):
        (tree / "a" / str(n)).touch()
    trees.remove_tree(str(tree / "a"))
    assert sorted(os.listdir(tree)) == ["e"]
    assert os.listdir(other) == ["kept"]
    trees.remove_tree(str(tree / "a"))


def test_every_file_is_worked_on_once() -> None:
    seen: list[str] = []
    names = [str(n) for n in range(1000)]
    trees.each_file(seen.append, names)
    assert sorted(seen) == sorted(names)


def test_ctrl_c_leaves_no_descriptor_open(tmp_path: Path) -> None:
    at, before, folder = 0, len(os.listdir("/dev/fd")), tmp_path / "x"
    while True:
        (folder / "a" / "b" / "c").mkdir(parents=True, exist_ok=True)
        (folder / "a" / "file").touch()
        try:
            with interrupted(trees, _stop, at + 1) as lines:
                confined(partial(trees.remove_tree, str(folder)))
        except KeyboardInterrupt:
            pass
        if not lines.handled:
            break
        assert len(os.listdir("/dev/fd")) == before
        at += 1
    assert at > 30
    assert not folder.exists()


def _stop() -> None:
    raise KeyboardInterrupt
