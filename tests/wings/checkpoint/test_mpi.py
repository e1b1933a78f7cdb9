"""Checkpoints of jobs of MPI. There are more processes than cores: waiting is bounded, never timed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import ROOT
from zchunk.checkpoint import CheckpointManager

PROGRAM = Path(__file__).with_name("mpi_program.py")
# That of the environment first: it fits its mpi4py.
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
TIMEOUT = 300

pytestmark = [
    pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install 'zchunk[mpi]'"),
    pytest.mark.skipif(find_spec("mpi4py") is None, reason="there is no mpi4py: pip install 'zchunk[mpi]'"),
]


def run_mpi(size: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert MPIEXEC is not None
    return subprocess.run(
        [MPIEXEC, "-n", str(size), sys.executable, str(PROGRAM), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def mpiexec(size: int, *arguments: str | Path, check: bool = True) -> str:
    done = run_mpi(size, *arguments)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def steps(folder: Path) -> list[int]:
    return CheckpointManager(folder).all_steps()


@pytest.mark.parametrize(
    "sizes",
    [(2, 3), pytest.param((1, 4, 2, 5, 3, 1), marks=pytest.mark.slow)],
    ids=lambda sizes: "-".join(map(str, sizes)),
)
def test_what_some_save_others_restore(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    for number, size in enumerate(sizes):
        mode = "async" if number % 2 == 0 else "sync"
        last = 3 * number + 3
        assert mpiexec(size, "run", tmp_path, mode).split() == [
            str(step) for step in range(last - 2, last + 1)
        ]
    checkpoint = CheckpointManager(tmp_path).restore(verify="full")
    assert checkpoint is not None
    assert checkpoint.ranks == sizes[-1]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["funneled", "single"])
def test_without_threads_in_mpi_saves_are_finished_by_the_next_call(tmp_path: Path, level: str) -> None:
    assert mpiexec(3, f"run@{level}", tmp_path, "async").split() == ["1", "2", "3"]
    assert mpiexec(2, f"run@{level}", tmp_path, "async").split() == ["4", "5", "6"]
    CheckpointManager(tmp_path).verify(6, full=True)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["single"])
def test_a_program_without_threads_in_mpi_that_fails_on_one(tmp_path: Path, level: str) -> None:
    # The third would have been committed by the next call.
    assert mpiexec(2, f"fail@{level}", tmp_path, "1").split() == ["1", "2"]
    out = mpiexec(3, f"full_disk@{level}", tmp_path / "full", "2")
    assert out.split() == ["1", "3", "00000001", "00000003", "zarr.json"]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["multiple", "serialized"])
def test_a_process_that_fails_while_others_wait_for_it_ends_the_job(tmp_path: Path, level: str) -> None:
    """Without ``python -m mpi4py``."""
    done = run_mpi(3, f"stuck@{level}", tmp_path, "1")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    assert "zchunk: the other processes have not come to a call for 0.5 s" in done.stderr
    assert steps(tmp_path) == [1]


@pytest.mark.slow
def test_blocks_that_end_by_an_error_give_their_communicators_back(tmp_path: Path) -> None:
    assert mpiexec(2, "many", tmp_path, "1050").split() == ["1", "2", "3"]


@pytest.mark.parametrize("failing", [2, pytest.param(0, marks=pytest.mark.slow)])
def test_a_full_disk_of_one_is_an_error_on_all(tmp_path: Path, failing: int) -> None:
    out = mpiexec(3, "full_disk", tmp_path, str(failing))
    assert out.split() == ["1", "3", "00000001", "00000003", "zarr.json"]


@pytest.mark.parametrize("stopping", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_signal_to_one_stops_all(tmp_path: Path, stopping: int) -> None:
    assert mpiexec(2, "stop", tmp_path, str(stopping)).split() == ["5"]


@pytest.mark.parametrize("failing", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_program_that_fails_on_one_ends_on_all(tmp_path: Path, failing: int) -> None:
    assert mpiexec(2, "fail", tmp_path, str(failing)).split() == ["1", "2", "3"]


@pytest.mark.slow
@pytest.mark.parametrize("dying", [0, 2])
def test_a_job_of_which_one_is_killed_is_restarted(tmp_path: Path, dying: int) -> None:
    mpiexec(3, "die", tmp_path, str(dying), check=False)
    assert steps(tmp_path)[:3] in ([1, 2, 3], [2, 3, 4])
    last = steps(tmp_path)[-1]
    assert mpiexec(2, "run", tmp_path, "async").split()[-1] == str(last + 3)
    assert {path.name for path in tmp_path.iterdir()} == {
        "zarr.json",
        *(f"{step:08d}" for step in steps(tmp_path)),
    }
