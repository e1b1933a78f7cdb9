"""The communicator of processes: here in threads, which talk through the same sockets, and in processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import ROOT
from zchunk.checkpoint import Block, CheckpointManager, ProcessCommunicator, partition, process_communicators
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import processes

TIMEOUT = 120


def each(size: int, work: Callable[[ProcessCommunicator], Any], timeout: float = TIMEOUT) -> list[Any]:
    results: list[Any] = [None] * size

    def run(comm: ProcessCommunicator) -> None:
        try:
            results[comm.rank] = work(pickle.loads(pickle.dumps(comm)))
        except BaseException as error:
            results[comm.rank] = error

    threads = [
        threading.Thread(target=run, args=(comm,), daemon=True)
        for comm in process_communicators(size, timeout)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * TIMEOUT)
        assert not thread.is_alive(), "a process hangs"
    return results


@pytest.mark.parametrize("size", [1, 2, 4])
def test_messages(size: int) -> None:
    def work(comm: ProcessCommunicator) -> Any:
        comm.barrier()
        other = comm.dup()
        found = (
            comm.allgather(comm.rank),
            other.bcast(comm.rank * 10, root=size - 1),
            comm.alltoall([(comm.rank, to) for to in range(size)]),
            other.allgather(np.full(100_000, comm.rank)),
        )
        other.free()
        comm.free()
        return found

    for rank, (gathered, sent, swapped, arrays) in enumerate(each(size, work)):
        assert gathered == list(range(size))
        assert sent == 10 * (size - 1)
        assert swapped == [(other, rank) for other in range(size)]
        assert [array[-1] for array in arrays] == list(range(size))


@pytest.mark.parametrize("leaving", [0, 1])
def test_one_that_is_gone_is_an_error_for_all(leaving: int) -> None:
    def work(comm: ProcessCommunicator) -> Any:
        comm.barrier()
        if comm.rank == leaving:
            comm.free()
            return None
        with pytest.raises(CheckpointError, match=f"process {leaving} of 3 is gone"):
            comm.barrier()
        with pytest.raises(CheckpointError, match="are gone"):
            comm.barrier()
        return None

    assert each(3, work) == [None] * 3


@pytest.mark.parametrize("leaving", [0, 1])
def test_no_other_communicator_is_made_when_one_is_gone(leaving: int) -> None:
    def work(comm: ProcessCommunicator) -> None:
        comm.barrier()
        if comm.rank == leaving:
            comm.free()
            return
        # It would wait for ever, if it waited for those that come.
        comm._timeout = 10 * TIMEOUT
        with pytest.raises(CheckpointError, match=f"process {leaving} of 3 is gone"):
            comm.dup()

    assert each(3, work) == [None] * 3


@pytest.mark.parametrize("with_file", [False, True])
def test_communicators_leave_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_file: bool
) -> None:
    monkeypatch.setattr(processes, "_WITHOUT_FILE", processes._WITHOUT_FILE and not with_file)
    # Short enough for a path of a socket, on all systems.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        # These are not used.
        process_communicators(2)
        assert each(2, lambda comm: comm.allgather(comm.rank)) == [[0, 1]] * 2
        assert os.listdir(folder) == []


def test_the_folder_of_temporary_files_may_have_a_long_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/{'long' * 30}")
    if processes._WITHOUT_FILE:
        assert each(2, lambda comm: comm.allgather(comm.rank)) == [[0, 1]] * 2
    monkeypatch.setattr(processes, "_WITHOUT_FILE", False)
    with pytest.raises(ValueError, match="set TMPDIR to a shorter one"):
        process_communicators(2)


def test_different_calls_are_an_error_for_all() -> None:
    def work(comm: ProcessCommunicator) -> Any:
        return comm.allgather(1) if comm.rank == 1 else comm.bcast(1)

    assert all(isinstance(error, CheckpointError) for error in each(3, work))


def test_one_that_never_comes() -> None:
    (first, *_) = process_communicators(2, timeout=0.05)
    with pytest.raises(CheckpointError, match=r"processes \[1\] of 2 did not come"):
        first.barrier()
    (_, second) = process_communicators(2, timeout=0.05)
    with pytest.raises(CheckpointError, match="process 0 of 2 did not come"):
        second.barrier()


def test_one_that_is_gone_when_they_meet_first() -> None:
    (first, second) = process_communicators(2, timeout=10 * TIMEOUT)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(first._address)
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(CheckpointError, match="process 0 of 2 is gone"):
            second.barrier()
        thread.join(TIMEOUT)


def test_one_that_is_gone_when_it_has_just_come() -> None:
    (first, _) = process_communicators(2, timeout=10 * TIMEOUT)

    def come_and_go() -> None:
        while True:
            with suppress(ConnectionRefusedError, FileNotFoundError), socket.socket(socket.AF_UNIX) as other:
                other.connect(first._address)
                return

    thread = threading.Thread(target=come_and_go, daemon=True)
    thread.start()
    with pytest.raises(CheckpointError, match="one of the processes 1 to 1 is gone"):
        first.barrier()
    thread.join(TIMEOUT)


def test_there_are_no_0_processes() -> None:
    with pytest.raises(ValueError, match="no 0 processes"):
        process_communicators(0)


# ---- processes

FULL = np.arange(40.0).reshape(8, 5)


def save_part(comm: ProcessCommunicator, root: str) -> int:
    """Save twice; what a worker of a pool does."""
    with CheckpointManager(root, comm) as manager:
        part = partition(FULL.shape, comm)
        for step in (1, 2):
            manager.save(step, {"u": Block(FULL[part.interior] * step, part.offset, FULL.shape)})
    return comm.rank


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_a_pool_of_processes(tmp_path: Path, method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        arguments = [(comm, str(tmp_path)) for comm in process_communicators(2)]
        # One task for each worker: they wait for each other.
        assert pool.starmap_async(save_part, arguments, chunksize=1).get(TIMEOUT) == [0, 1]
    checkpoint = CheckpointManager(tmp_path).restore()
    assert checkpoint is not None
    assert (checkpoint.read("u") == FULL * 2).all()


class Interrupting:
    """What is interrupted while it is sent."""

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [0, 1, 2])
def test_an_interrupt_in_an_exchange_is_an_error_on_the_others(interrupted: int) -> None:
    def work(comm: ProcessCommunicator) -> None:
        comm.barrier()
        comm.bcast(Interrupting() if comm.rank == interrupted else None, root=interrupted)

    for rank, error in enumerate(each(3, work)):
        assert isinstance(error, KeyboardInterrupt if rank == interrupted else CheckpointError)


def die_in_step_2(comm: ProcessCommunicator, root: str, dying: int, results: Any) -> None:
    part = partition(FULL.shape, comm)
    manager = CheckpointManager(root, comm, async_save=False)
    manager.save(1, {"u": Block(FULL[part.interior], part.offset, FULL.shape)})
    if comm.rank == dying:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        manager.save(2, {"u": Block(FULL[part.interior], part.offset, FULL.shape)})
    except CheckpointError as error:
        results.put((comm.rank, str(error)))


@pytest.mark.parametrize("dying", [0, 1])
def test_a_process_that_is_killed_is_an_error_on_the_others(tmp_path: Path, dying: int) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [
        context.Process(target=die_in_step_2, args=(comm, str(tmp_path), dying, results))
        for comm in process_communicators(3)
    ]
    for worker in workers:
        worker.start()
    raised = dict(results.get(timeout=TIMEOUT) for _ in range(2))
    for worker in workers:
        worker.join(TIMEOUT)
    assert set(raised) == {0, 1, 2} - {dying}
    assert set(raised.values()) == {f"process {dying} of 3 is gone"}
    assert CheckpointManager(tmp_path).all_steps() == [1]


FORGETFUL = """
import multiprocessing, pathlib, sys
import numpy as np
from zchunk.checkpoint import CheckpointManager

def work(root):
    manager = CheckpointManager(root)
    # A file in place of the folder of attempts.
    (pathlib.Path(root) / ".tmp").touch()
    manager.save(1, {"u": np.zeros(3)})

child = multiprocessing.get_context("fork").Process(target=work, args=sys.argv[1:])
child.start()
child.join()
"""


def test_a_failure_in_the_background_of_a_forked_child_is_reported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.stderr.count("was not saved: ") == 1
