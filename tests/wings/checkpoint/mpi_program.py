"""Programs that `test_mpi` runs under mpiexec: ``python mpi_program.py NAME[@THREAD_LEVEL] FOLDER ...``."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from typing import Any

import numpy as np

import zchunk.wings.checkpoint.meetings as meetings
from zchunk.checkpoint import Block, CheckpointManager, PerRank, partition

SHAPE, THIN = (13, 7), (2, 7)


def field(step: int) -> Any:
    return np.arange(91.0).reshape(SHAPE) + 1000 * step


def rows(comm: Any) -> slice:
    """A part that is no shard."""
    return slice(SHAPE[0] * comm.rank // comm.size, SHAPE[0] * (comm.rank + 1) // comm.size)


def state(comm: Any, step: int) -> dict[str, Any]:
    part, own = partition(SHAPE, comm), rows(comm)
    # More ranks than rows, and arrays that all ranks but one have nothing of.
    thin = partition(THIN, comm)
    few = np.arange(2) if comm.rank == comm.size - 1 else np.zeros(0, int)
    return {
        "u": Block(field(step)[own], (own.start, 0), SHAPE, ("y", "x")),
        "v": Block(field(step)[part.interior], part.offset, SHAPE),
        "thin": Block(field(step)[: THIN[0]][thin.interior], thin.offset, THIN),
        "few": Block(few, (0,), (2,)),
        "none": Block(np.zeros((0, 3)), (0, 0), (0, 3)),
        "z": np.array(step),
        "seed": PerRank(10 * comm.rank),
    }


def run(comm: Any, folder: str, async_save: str) -> None:
    """Restore, check, and save three steps."""
    part, own = partition(SHAPE, comm), rows(comm)
    with CheckpointManager(folder, comm, async_save=async_save == "async") as manager:
        threads = MPI.Query_thread() == MPI.THREAD_MULTIPLE
        assert (manager._copies.background is not None) == (threads and async_save == "async")
        found = manager.restore()
        step = 0 if found is None else found.step
        if found is not None:
            assert (found.read("u", own) == field(step)[own]).all()
            assert (found.read("v", part.interior) == field(step)[part.interior]).all()
            thin = partition(THIN, comm).interior
            assert (found.read("thin", thin) == field(step)[: THIN[0]][thin]).all()
            assert found.read("few").tolist() == [0, 1]
            assert found["none"].shape == (0, 3)
            assert found["z"] == step
            assert found.ranks != comm.size or found["seed"] == 10 * comm.rank
        for number in range(step + 1, step + 4):
            manager.save(number, state(comm, number))
            assert not manager.should_stop()
    if comm.rank == 0:
        print(*manager.all_steps())


def full_disk(comm: Any, folder: str, failing: str) -> None:
    """No file of one process may be larger than some bytes: all processes raise the same error, and go on."""
    with CheckpointManager(folder, comm) as manager:
        manager.save(1, state(comm, 1))
        manager.wait_until_finished()
        large = np.zeros((SHAPE[0], 10_000))[rows(comm)]
        if comm.rank == int(failing):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        begun = time.monotonic()
        manager.save(2, {"u": Block(large, (rows(comm).start, 0), (SHAPE[0], 10_000))})
        message = ""
        try:
            manager.wait_until_finished()
        except OSError as error:
            message = f"{error.strerror} {error.__notes__}"
        seconds = time.monotonic() - begun
        messages = comm.allgather(message)
        manager.save(3, state(comm, 3))
    if comm.rank == 0:
        assert set(messages) == {f"File too large ['zchunk: on rank {failing} of {comm.size}']"}, messages
        assert seconds < 60
        print(*manager.all_steps(), *sorted(os.listdir(folder)))


def stop(comm: Any, folder: str, stopping: str) -> None:
    """A signal comes to one process: all save, and end."""
    with CheckpointManager(folder, comm, signals=[signal.SIGTERM], save_interval_steps=10**9) as manager:
        step = 0
        while True:
            step += 1
            if step == 5 and comm.rank == int(stopping):
                os.kill(os.getpid(), signal.SIGTERM)
            stopped = manager.should_stop()
            if manager.should_save(step):
                manager.save(step, state(comm, step))
            if stopped:
                break
    if comm.rank == 0:
        print(*manager.all_steps())


def fail(comm: Any, folder: str, failing: str) -> None:
    """The program of one process fails: the others raise its error, and the job ends."""
    with contextlib.suppress(ZeroDivisionError), CheckpointManager(folder, comm) as manager:
        for step in range(1, 1000):
            manager.save(step, state(comm, step))
            if step == 3 and comm.rank == int(failing):
                raise ZeroDivisionError
        raise AssertionError("not reached")
    if comm.rank == 0:
        print(*CheckpointManager(folder).all_steps())


def stuck(comm: Any, folder: str, failing: str) -> None:
    """The program of one process fails while the others wait for a message of it."""
    meetings.PATIENCE = 0.5
    with CheckpointManager(folder, comm) as manager:
        manager.save(1, state(comm, 1))
        manager.wait_until_finished()
        if comm.rank == int(failing):
            raise ZeroDivisionError
        comm.recv(source=int(failing))


def many(comm: Any, folder: str, count: str) -> None:
    """Managers of which each ends by an error: there are only so many communicators at once."""
    for _ in range(int(count)):
        with contextlib.suppress(ZeroDivisionError), CheckpointManager(folder, comm) as manager:
            manager.all_steps()
            raise ZeroDivisionError
    run(comm, folder, "async")


def die(comm: Any, folder: str, dying: str) -> None:
    """A process is killed in the middle of a save."""
    with CheckpointManager(folder, comm) as manager:
        for step in range(1, 4):
            manager.save(step, state(comm, step))
        manager.wait_until_finished()
        manager.save(4, state(comm, 4))
        if comm.rank == int(dying):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    (name, _, level), *arguments = sys.argv[1].partition("@"), *sys.argv[2:]
    assert "mpi4py" not in sys.modules, "zchunk imports it"
    import mpi4py

    mpi4py.rc.thread_level = level or "multiple"
    from mpi4py import MPI

    assert MPI.Query_thread() == getattr(MPI, f"THREAD_{mpi4py.rc.thread_level.upper()}")

    globals()[name](MPI.COMM_WORLD, *arguments)
