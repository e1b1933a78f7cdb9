"""Deleting files and trees of folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zchunk.storage.local import trees


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


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
