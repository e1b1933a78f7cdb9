"""What one process may do by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zchunk.checkpoint import CheckpointManager
from zchunk.wings.checkpoint.looking import StepFolder


def test_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = StepFolder("run")
    assert folder.directory == str(tmp_path / "run")
    assert (folder.all_steps(), folder.latest_step()) == ([], None)
    with CheckpointManager("run", async_save=False) as manager:
        for step in 3, 20:
            manager.save(step, {"n": step})
    (tmp_path / "run/00000050").mkdir()
    (tmp_path / "run/other").mkdir()
    # Wherever the program goes.
    monkeypatch.chdir("/")
    assert (folder.all_steps(), folder.latest_step()) == ([3, 20], 20)
    assert os.path.isfile(os.path.join(folder.path(20), "zarr.json"))
