from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.wings.command_line.conftest import Run
from zchunk.checkpoint import CheckpointManager


def test_steps_are_listed(here: Path, run: Run) -> None:
    with CheckpointManager("run.ckpt", max_to_keep=None) as manager:
        for step in (1, 20):
            manager.save(step, {"u": np.arange(9.0)}, time=step / 2)
    found = run("checkpoints", "run.ckpt", "--json").json
    assert [(row["step"], row["time"], row["ranks"], row["arrays"]) for row in found] == [
        (1, 0.5, 1, 1),
        (20, 10.0, 1, 1),
    ]
    assert found[0]["bytes"] > 72
    head, *lines = run("checkpoints", "run.ckpt").out.splitlines()
    assert head.split() == ["step", "time", "saved", "ranks", "arrays", "size"]
    assert [line.split()[:2] for line in lines] == [["1", "0.5"], ["20", "10"]]


def test_a_folder_without_steps(here: Path, run: Run) -> None:
    assert run("checkpoints", ".").out == "no step is in .\n"
