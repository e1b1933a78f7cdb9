"""A disk that is full: a save fails on all processes, steps before it stay, and the next one works."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import choice
from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager

SIZE = 4 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
SHAPE = (64, 1000)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk of its own."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        if sys.platform.startswith("linux") and os.geteuid() == 0:
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                mounted.append(folder)
                return folder
        pytest.skip("only root can mount a small disk, on Linux")

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, free: int) -> None:
    """Leave so many bytes free, rounded down to pages."""
    found = os.statvfs(disk)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(found.f_bavail * found.f_frsize - free // PAGE * PAGE, 1))


def state(step: int, comm: Any) -> dict[str, Any]:
    u, rows = np.arange(float(np.prod(SHAPE))).reshape(SHAPE) + step, SHAPE[0] // comm.size
    own = slice(rows * comm.rank, rows * (comm.rank + 1))
    return {"u": Block(u[own], (own.start, 0), SHAPE), "k": np.full(4, step)}


def check(found: Any, step: int) -> None:
    assert found.step == step
    np.testing.assert_array_equal(found.read("u"), np.arange(float(np.prod(SHAPE))).reshape(SHAPE) + step)


def try_full(root: Path, disk: Path, ranks: int, use_up: Callable[[], None], async_save: bool) -> list[bool]:
    """Save a step, one on a full disk, and one after it; return whether each rank failed at the second."""
    ballast = disk / "ballast"

    def work(comm: Any) -> bool:
        failed = False
        with CheckpointManager(root, comm, async_save=async_save, max_to_keep=5) as manager:
            manager.save(0, state(0, comm))
            manager.wait_until_finished()
            if comm.rank == 0:
                use_up()
            comm.barrier()
            try:
                manager.save(1, state(1, comm))
                manager.wait_until_finished()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                failed = True
                assert manager.all_steps() == [0]
                check(manager.restore(), 0)
                # The first process has taken away what it wrote.
                assert not list((root / ".tmp").glob("*"))
            comm.barrier()
            if comm.rank == 0:
                subprocess.run(["rm", "-r", ballast], check=True)
            comm.barrier()
            manager.save(2, state(2, comm))
        return failed

    failed: list[bool] = checked(on_ranks(ranks, work))
    with CheckpointManager(root) as manager:
        check(manager.restore(verify="full"), 2)
        assert manager.all_steps() == ([0, 2] if failed[0] else [0, 1, 2])
    names = {path.name for path in root.iterdir()} - {"zarr.json", "00000000", "00000001", "00000002"}
    assert not names
    return failed


@pytest.mark.parametrize("async_save", [False, True])
@pytest.mark.parametrize("ranks", [1, 4])
def test_no_space_fails_on_all_and_the_next_save_works(
    small: Callable[[str], Path], ranks: int, async_save: bool
) -> None:
    disk = small(f"size={SIZE}")
    failed = try_full(disk / "run", disk, ranks, lambda: fill(disk, 100_000), async_save)
    assert failed == [True] * ranks


def test_space_may_end_at_any_page(small: Callable[[str], Path]) -> None:
    disk = small(f"size={SIZE}")

    def fails(free: int) -> bool:
        root = disk / f"run-{free}"
        (failed,) = try_full(root, disk, 1, lambda: fill(disk, free * PAGE), False)
        subprocess.run(["rm", "-r", root], check=True)
        return failed

    # The data take 126 pages, the metadata some more.
    outcomes = [fails(free) for free in [0, 1, 64, *range(120, 140, 1 if choice.everything else 5), 150]]
    assert outcomes[0]
    assert not outcomes[-1]


def test_files_may_end_at_any_number(small: Callable[[str], Path]) -> None:
    """No file can be made, and no folder, though there is space."""
    disk = small(f"size={SIZE},nr_inodes=100")

    def use_up(free: int) -> None:
        (disk / "ballast").mkdir()
        for number in range(os.statvfs(disk).f_favail - free):
            (disk / "ballast" / str(number)).touch()

    def fails(free: int) -> bool:
        root = disk / f"run-{free}"
        (failed,) = try_full(root, disk, 1, lambda: use_up(free), False)
        subprocess.run(["rm", "-r", root], check=True)
        return failed

    # Files that were deleted may count a while longer, so nothing is said of those in between.
    outcomes = [fails(free) for free in range(0, 20, 1 if choice.everything else 3)]
    assert outcomes[0]
    assert not outcomes[-1]
