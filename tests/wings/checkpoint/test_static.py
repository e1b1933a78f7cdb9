"""Arrays that do not change: linked, and as whole as those that are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager, partition

MASK = np.arange(60).reshape(12, 5) % 3


def save(root: Path, size: int, steps: range, mask: Any = MASK, **kwargs: Any) -> None:
    def work(comm: Any) -> None:
        part = partition(mask.shape, comm)
        static = {"mask": Block(mask[part.interior], part.offset, mask.shape), "grid": {"x": np.arange(5)}}
        with CheckpointManager(root, comm, **kwargs) as manager:
            manager.restore()
            for step in steps:
                manager.save(step, {"n": step, "u": np.full(3, step)}, static=static)

    checked(on_ranks(size, work))


def inodes(root: Path, step: int) -> dict[str, int]:
    folder = root / f"{step:08d}"
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {str(path.relative_to(folder)): path.stat().st_ino for path in files}


def check(root: Path, step: int, mask: Any = MASK) -> None:
    checkpoint = CheckpointManager(root).restore(step, verify="full")
    assert checkpoint is not None
    assert (checkpoint.read("mask") == mask).all()
    assert checkpoint["grid"]["x"].tolist() == list(range(5))
    assert (checkpoint["u"] == step).all()


def test_files_are_shared(tmp_path: Path) -> None:
    save(tmp_path, 3, range(1, 3))
    first, second = inodes(tmp_path, 1), inodes(tmp_path, 2)
    assert first.keys() == second.keys()
    shared = {name for name in first if first[name] == second[name]}
    assert shared == {"mask/c/0/0", "mask/c/1/0", "mask/c/2/0", "grid/x/c/0"}
    for step in (1, 2):
        check(tmp_path, step)


def test_other_ranks_link_what_is_there(tmp_path: Path) -> None:
    save(tmp_path, 3, range(1, 2))
    save(tmp_path, 2, range(2, 4))
    assert inodes(tmp_path, 1)["mask/c/2/0"] == inodes(tmp_path, 3)["mask/c/2/0"]
    check(tmp_path, 3)


def test_what_a_step_has_lost_is_written(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, async_save=False) as manager:
        manager.save(1, {"n": 1}, static={"mask": MASK, "x": np.arange(5)})
        (tmp_path / "00000001/mask/c/0/0").unlink()
        manager.save(2, {"n": 2}, static={"mask": MASK, "x": np.arange(5)})
        manager.verify(2, full=True)
        found = manager.restore(2)
    assert found is not None
    assert (found["mask"] == MASK).all()
    assert inodes(tmp_path, 1)["x/c/0"] == inodes(tmp_path, 2)["x/c/0"]


def test_what_a_manager_has_not_seen_is_not_linked(tmp_path: Path) -> None:
    for step in (1, 2):
        with CheckpointManager(tmp_path, async_save=False) as manager:
            manager.save(step, {"n": step}, static={"mask": MASK + step})
    found = CheckpointManager(tmp_path).restore(2)
    assert found is not None
    assert (found["mask"] == MASK + 2).all()


def test_the_files_outlive_the_step_that_they_are_of(tmp_path: Path) -> None:
    save(tmp_path, 2, range(1, 9), max_to_keep=1, max_pending=2)
    assert CheckpointManager(tmp_path).all_steps() == [8]
    check(tmp_path, 8)


def test_what_has_another_shape_is_written(tmp_path: Path) -> None:
    save(tmp_path, 2, range(1, 2))
    other = np.arange(24).reshape(6, 4)
    save(tmp_path, 2, range(2, 3), mask=other)
    check(tmp_path, 1)
    check(tmp_path, 2, other)


def test_files_are_copied_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError("no links here")

    save(tmp_path, 2, range(1, 2))
    monkeypatch.setattr(os, "link", refuse)
    save(tmp_path, 2, range(2, 3))
    assert not set(inodes(tmp_path, 1).values()) & set(inodes(tmp_path, 2).values())
    check(tmp_path, 2)


def test_what_is_in_both_is_refused(tmp_path: Path) -> None:
    with (
        CheckpointManager(tmp_path) as manager,
        pytest.raises(ValueError, match="u is in the state and in static"),
    ):
        manager.save(1, {"u": 1}, static={"u": 2})
