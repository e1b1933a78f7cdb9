"""After a power cut at any moment the last acknowledged step is there, whole and right."""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests import choice
from tests.faults.replay import Disk, Tree, put, record, states, tree_of
from zchunk.checkpoint import CheckpointManager, Series

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD and /proc"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler by the name of cc"),
]

# How many states are opened, of some thousands, and combinations of what is lost: by default, with `--all`.
DEFAULT, ALL = 40, 300
COMBINATIONS = 1, 128

# One process: a static array, retention, going back, and a series beside it.
ALONE = """
import numpy as np
from zchunk.checkpoint import CheckpointManager, Series
root, durability, background, steps = sys.argv[1], sys.argv[2], sys.argv[3] == "async", int(sys.argv[4])
options = {"max_to_keep": 2, "durability": durability, "async_save": background, "threads": 1}
with CheckpointManager(root + "/run", **options) as manager, Series(root + "/series") as series:
    def save(step, length):
        state = {"u": np.arange(40.0) + step, "g": {"v": np.full(3, step)}, "length": length}
        manager.save(step, state, static={"mask": np.arange(5)})
        manager.wait_until_finished()
        ack(step)
    for step in range(steps):
        series.append(step, step / 2, {"w": np.full(2, step)})
        save(step, series.flush())
    manager.restore(steps - 2)
    ack(steps - 2)
    save(steps, None)
"""

# Two processes, which end their saves in the background.
TOGETHER = """
import multiprocessing
import numpy as np
from zchunk.checkpoint import Block, CheckpointManager, process_communicators
root, durability, _, steps = sys.argv[1:]
def work(comm):
    with CheckpointManager(root + "/run", comm, max_to_keep=1, durability=durability, threads=1) as manager:
        for step in range(int(steps)):
            u = np.arange(40.0) + step
            own = slice(20 * comm.rank, 20 * comm.rank + 20)
            manager.save(step, {"u": Block(u[own], (own.start,), (40,)), "g": {"v": np.full(3, step)}})
            manager.wait_until_finished()
            if comm.rank == 0:
                ack(step)
fork = multiprocessing.get_context("fork")
processes = [fork.Process(target=work, args=(comm,)) for comm in process_communicators(2)]
for process in processes:
    process.start()
for process in processes:
    process.join()
    assert process.exitcode == 0
"""


def check(tree: Tree, acknowledged: int, folder: Path) -> None:
    """Open a state as a program does that starts again, and go on: nothing is wrong, lost, or left over."""
    put(tree, folder)
    with warnings.catch_warnings():
        # Of steps that are passed over: there must be none.
        warnings.simplefilter("error")
        options = {"max_to_keep": 1, "async_save": False, "durability": "atomic"}
        with CheckpointManager(folder / "run", **options) as manager:
            found = manager.restore(verify="full")
            step = -1 if found is None else found.step
            assert step >= acknowledged, f"step {acknowledged} was acknowledged, step {step} is there"
            if found is not None:
                np.testing.assert_array_equal(found.read("u"), np.arange(40.0) + step)
                np.testing.assert_array_equal(found.read("g/v"), np.full(3, step))
                if "mask" in found.arrays:
                    np.testing.assert_array_equal(found.read("mask"), np.arange(5))
                if "length" in found and found["length"] is not None:
                    check_series(folder / "series", found["length"], step)
            manager.save(step + 1, {"u": np.zeros(2)})
    # A name of the group's own metadata that was about to go is there for ever, and hidden.
    names = {path.name for path in (folder / "run").iterdir() if not path.name.endswith(".partial")}
    assert names == {"zarr.json", f"{step + 1:08d}"}
    shutil.rmtree(folder)


def check_series(path: Path, length: int, step: int) -> None:
    with Series(path, durability="atomic") as series:
        series.truncate(length)
        assert series.last_step == step
        assert len(series) == length == step + 1
    values = zchunk.open_group(path, mode="r")["w"][...]
    np.testing.assert_array_equal(values, np.repeat(np.arange(length), 2).reshape(length, 2))


def recorded(tmp_path: Path, program: str, *arguments: str) -> dict[Tree, int]:
    folder = tmp_path.resolve() / "real"
    folder.mkdir()
    lines = record(program, folder, *arguments)
    # The record is complete: with nothing lost it leads to the files that are there.
    disk = Disk(str(folder))
    for call, *fields in lines:
        if call != "ack":
            disk.apply(call, *fields)
    assert disk.tree({}) == tree_of(folder)
    return states(lines, folder, COMBINATIONS[choice.everything])


def chosen(found: dict[Tree, int]) -> list[tuple[Tree, int]]:
    """Return states from all over the record."""
    wanted = ALL if choice.everything else DEFAULT
    return list(found.items())[:: max(len(found) // wanted, 1)]


@pytest.mark.parametrize(
    ("program", "mode", "steps"),
    [
        (ALONE, "sync", 2),
        pytest.param(ALONE, "async", 3, marks=pytest.mark.slow),
        pytest.param(TOGETHER, "async", 3, marks=pytest.mark.slow),
    ],
)
def test_no_power_cut_loses_an_acknowledged_step(tmp_path: Path, program: str, mode: str, steps: int) -> None:
    found = recorded(tmp_path, program, "fsync", mode, str(steps))
    assert len(found) > 200
    for tree, acknowledged in chosen(found):
        check(tree, acknowledged, tmp_path / "state")


@pytest.mark.slow
def test_without_syncs_power_cuts_lose_steps(tmp_path: Path) -> None:
    found, lost = recorded(tmp_path, ALONE, "atomic", "sync", "2"), 0
    for number, (tree, acknowledged) in enumerate(chosen(found)):
        try:
            check(tree, acknowledged, tmp_path / f"state-{number}")
        except Exception:
            lost += 1
    assert lost > 10
