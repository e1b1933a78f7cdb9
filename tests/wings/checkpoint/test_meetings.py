"""Meetings: what one process does not come to, the others learn, and nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.wings.checkpoint.ranks import on_ranks
from zchunk.checkpoint import CheckpointManager
from zchunk.wings.checkpoint import meetings
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.meetings import Meetings
from zchunk.wings.checkpoint.pending import Pending


@pytest.mark.parametrize("leaving", [(), (1,), (0, 1, 2), "save"], ids=str)
def test_copies_of_communicators_are_given_back(tmp_path: Path, leaving: Any) -> None:
    """However a block ends: well, by an exception of one or all, or by one that a call raises."""

    def work(comm: Any) -> int:
        try:
            with CheckpointManager(tmp_path, comm) as manager:
                assert len(comm.open) == 2
                manager.save(1, {"n": 1})
                manager.wait_until_finished()
                if leaving == "save":
                    manager.save(1, {"n": 1})
                elif comm.rank in leaving:
                    raise ZeroDivisionError
                manager.wait_until_finished()
        except Exception:
            assert leaving
        assert repr(manager).endswith(f"rank {comm.rank} of 3)")
        return len(comm.open)

    assert on_ranks(3, work) == [0, 0, 0]


def test_a_process_that_leaves_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for it in a call of the program."""
    monkeypatch.setattr(meetings, "PATIENCE", 0.05)
    left = threading.Event()

    def work(comm: Any) -> str:
        try:
            with CheckpointManager(tmp_path, comm) as manager:
                if comm.rank == 1:
                    raise ZeroDivisionError("of the program")
                # As if it waited for a message of the process that has left.
                assert left.wait(120)
                manager.save(1, {"n": 1})
        except ZeroDivisionError as error:
            if comm.rank == 1:
                left.set()
            return " ".join(error.__notes__)
        return "nothing"

    first, second, third = on_ranks(3, work)
    assert second == "zchunk: the other processes have not come to a call for 0.05 s"
    # They learn of it when they come.
    assert first == third == "zchunk: on rank 1 of 3"


def test_one_process_meets_itself() -> None:
    alone = Meetings(Alone(), Pending(Alone(), None, lambda seconds: None))
    assert alone.meet("save", lambda: 5) == [5]
    with pytest.raises(ZeroDivisionError):
        alone.meet("save", lambda: 1 / 0)
    assert alone.leave(ValueError())
    assert alone.meet("save", lambda: 6) == [6]


FORGETFUL = """
import resource, signal, sys
import numpy as np
from zchunk.checkpoint import CheckpointManager

manager = CheckpointManager(sys.argv[1])
manager.save(1, {"u": np.zeros(10)})
manager.wait_until_finished()
if sys.argv[2] != "well":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
manager.save(2, {"u": np.zeros(100_000)})
if sys.argv[2] == "gone":
    del manager
if sys.argv[2] == "told":
    try:
        manager.close()
    except OSError as error:
        print("told", error.strerror)
if sys.argv[2] == "left":
    with manager:
        raise ValueError("of the program")
"""


@pytest.mark.parametrize(
    "how",
    ["silent", *(pytest.param(how, marks=pytest.mark.slow) for how in ("gone", "told")), "left", "well"],
)
def test_a_failure_in_the_background_is_reported_at_the_end(tmp_path: Path, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL, str(tmp_path), how],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "was not saved: OSError: [Errno 27] File too large"
    assert (said in done.stderr) == (how in ("silent", "gone", "left"))
    assert ("RuntimeWarning: step 2 in" in done.stderr) == (how in ("silent", "gone"))
    assert ("close a CheckpointManager at its end" in done.stderr) == (how in ("silent", "gone"))
    assert (done.stdout, done.returncode) == ("told File too large\n" if how == "told" else "", how == "left")
    assert CheckpointManager(tmp_path).all_steps() == ([1, 2] if how == "well" else [1])
