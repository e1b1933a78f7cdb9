"""`CheckpointManager`: from the first save to the last, on one rank and on several."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.checkpoint.ranks import CopyingRank, ThreadRank, checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager, PerRank, partition
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.commit import Attempt
from zchunk.wings.checkpoint.communicators import Alone

SHAPE = (11, 4)
KINDS = [CopyingRank, ThreadRank]


def full(step: int) -> Any:
    return np.arange(44.0).reshape(SHAPE) + 100 * step


def state(comm: Any, step: int) -> dict[str, Any]:
    """Blocks that are no shards, one that a rank has nothing of, and what all have."""
    size, rank = comm.size, comm.rank
    first, last = (SHAPE[0] * rank // size, SHAPE[0] * (rank + 1) // size)
    own = full(step)[first:last]
    alone = np.arange(3) if rank == size - 1 else np.zeros(0, int)
    return {
        "u": Block(own, (first, 0), SHAPE, ("y", "x")),
        "few": Block(alone, (0,), (3,)),
        "model": {"w": np.full(5, step), "step": step},
        "seed": PerRank(rank),
    }


def files(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


@pytest.fixture
def slow_writes(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Writing waits for this event."""
    event = threading.Event()
    write = Attempt.write

    def wait(self: Attempt, *args: Any) -> Any:
        assert event.wait(120)
        return write(self, *args)

    monkeypatch.setattr(Attempt, "write", wait)
    return event


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("async_save", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_what_some_ranks_save_others_restore(
    tmp_path: Path, size: int, async_save: bool, kind: type[ThreadRank]
) -> None:
    def save(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm, async_save=async_save) as manager:
            for step in range(1, 6):
                assert manager.save(step, state(comm, step))
                assert not manager.should_stop()
            manager.wait_until_finished()
            assert manager.all_steps() == [3, 4, 5]
            assert manager.latest_step() == 5

    checked(on_ranks(size, save, kind))
    assert files(tmp_path) == {"zarr.json", "00000003", "00000004", "00000005"}

    def restore(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm) as manager:
            part = partition(SHAPE, comm)
            checkpoint = manager.restore()
            assert checkpoint is not None
            assert (checkpoint.read("u", part.interior) == full(5)[part.interior]).all()
            assert checkpoint.read("few").tolist() == [0, 1, 2]
            assert checkpoint["model"]["step"] == 5
            assert manager.save(6, state(comm, 6))

    for other in (1, 3):
        checked(on_ranks(other, restore, kind))
        zchunk.storage.rmdir(str(tmp_path / "00000006"))


def test_nothing_to_restore(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path / "run") as manager:
        assert manager.restore() is None
        assert manager.latest_step() is None
    # Looking makes nothing.
    assert list(tmp_path.iterdir()) == []


def test_the_state_may_change_as_soon_as_save_returns(tmp_path: Path, slow_writes: threading.Event) -> None:
    u, k = np.ones(SHAPE), np.ones(3)
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": Block(u, (0, 0), SHAPE), "k": k})
        u[:], k[:] = 2, 2
        assert manager.all_steps() == []
        slow_writes.set()
        manager.wait_until_finished()
        checkpoint = manager.restore()
    assert checkpoint is not None
    assert (checkpoint.read("u") == 1).all()
    assert (checkpoint.read("k") == 1).all()


def test_the_thread_of_a_manager_that_is_no_more_ends(tmp_path: Path) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "zchunk-checkpoint"}

    before = threads()
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"u": np.ones(3)})
    manager.wait_until_finished()
    (mine,) = threads() - before
    del manager
    gc.collect()
    mine.join(120)
    assert not mine.is_alive()


def test_a_close_that_fails_waits_for_what_is_under_way(tmp_path: Path, slow_writes: threading.Event) -> None:
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"u": np.ones(3)})

    def meet(call: str, work: Callable[[], Any]) -> list[Any]:
        slow_writes.set()
        raise CheckpointError("another process has left")

    manager._meetings.meet = meet  # type: ignore[method-assign, assignment]
    with pytest.raises(CheckpointError, match="has left"):
        manager.close()
    assert manager.all_steps() == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_leaves_the_saves_of_its_parent_alone(
    tmp_path: Path, slow_writes: threading.Event
) -> None:
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": np.ones(3)})

        def child() -> None:
            for call in (lambda: manager.save(2, {"n": 2}), manager.wait_until_finished):
                with pytest.raises(CheckpointError, match="make one in this process"):
                    call()
            with manager:
                sys.exit(7)

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(120)
        assert process.exitcode == 7
        slow_writes.set()
        manager.save(2, {"n": 2})
    assert manager.all_steps() == [1, 2]


def test_no_more_than_max_pending_wait(tmp_path: Path, slow_writes: threading.Event) -> None:
    manager = CheckpointManager(tmp_path, max_pending=2)
    manager.save(1, {"u": np.ones(3)})
    manager.save(2, {"u": np.ones(3)})
    returned = threading.Event()

    def third() -> None:
        manager.save(3, {"u": np.ones(3)})
        returned.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not returned.wait(0.1)
    slow_writes.set()
    thread.join(120)
    assert returned.is_set()
    manager.close()
    assert manager.all_steps() == [1, 2, 3]


def test_intervals(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, save_interval_steps=3, max_to_keep=None) as manager:
        saved = [step for step in range(1, 8) if manager.save(step, {"n": step})]
        assert saved == [3, 6]
        assert manager.save(8, {"n": 8}, force=True)
    assert manager.all_steps() == [3, 6, 8]


def test_the_interval_of_time_is_that_of_the_first_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(comm: Any) -> list[bool]:
        with CheckpointManager(tmp_path, comm, save_interval_seconds=1000) as manager:
            found = [manager.should_save(1), manager.save(1, {"n": 1})]
            if comm.rank == 0:
                manager._interval.saved(manager._interval.now() - 2000)
            found += [manager.should_save(2), manager.save(2, {"n": 2}), manager.should_save(3)]
        return found

    assert checked(on_ranks(2, work)) == [[False, False, True, True, False]] * 2


def test_keep_every(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, max_to_keep=1, keep_every=4) as manager:
        for step in range(1, 10):
            manager.save(step, {"n": step})
    assert manager.all_steps() == [4, 8, 9]


def test_a_step_that_exists_is_an_error(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm) as manager:
            manager.save(2, {"n": 2})
            for step in (1, 2):
                with pytest.raises(CheckpointError, match=f"step {step} in"):
                    manager.save(step, {"n": 3})
            manager.save(3, {"n": 3})

    checked(on_ranks(2, work))
    assert CheckpointManager(tmp_path).all_steps() == [2, 3]


def test_going_back_discards_what_came_after(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, max_to_keep=None, max_pending=2) as manager:
        for step in (1, 2, 3, 4):
            manager.save(step, {"n": step})
        assert manager.restore(2)["n"] == 2  # type: ignore[index]
        manager.save(3, {"n": 30})
        manager.save(5, {"n": 50})
    assert manager.all_steps() == [1, 2, 3, 5]
    assert CheckpointManager(tmp_path).restore(3)["n"] == 30  # type: ignore[index]


def test_going_back_may_be_refused(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, on_rewind="error") as manager:
        manager.save(1, {"n": 1})
        manager.save(2, {"n": 2})
        manager.restore(1)
        with pytest.raises(CheckpointError, match="are after it"):
            manager.save(3, {"n": 3})
        manager.delete(2)
        manager.save(3, {"n": 3})
    assert manager.all_steps() == [1, 3]


@pytest.mark.parametrize("call", ["restore", "verify", "delete"])
def test_processes_that_name_different_steps(tmp_path: Path, call: str) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm, async_save=False) as manager:
            for step in (1, 2):
                manager.save(step, {"n": step})
            with pytest.raises(CheckpointError, match=f"the processes {call} different steps, by rank: 1, 2"):
                getattr(manager, call)(1 + comm.rank)
            assert manager.all_steps() == [1, 2]

    checked(on_ranks(2, work))


def test_attributes_may_change_after_the_save(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        log = ["first"]
        with CheckpointManager(tmp_path, comm) as manager:
            # Without a copy of the communicator the rest of the save is done by the next call.
            manager.save(1, {"n": 1}, attrs={"log": log}, time=np.float32(0.5))
            log.append("later")
            manager.wait_until_finished()
            checkpoint = manager.restore()
            assert checkpoint is not None
            assert checkpoint.time == 0.5
            assert checkpoint.attrs["log"] == ["first"]

    checked(on_ranks(1, work, ThreadRank))


@pytest.mark.parametrize("time", [np.nan, np.inf, np.float32(np.nan)])
def test_a_time_that_is_not_finite(tmp_path: Path, time: float) -> None:
    with CheckpointManager(tmp_path) as manager:
        with pytest.raises(ValueError, match="a simulated time is finite"):
            manager.save(1, {"n": 1}, time=time)
        assert manager.all_steps() == []


def test_delete_and_verify(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm, async_save=False) as manager:
            manager.save(1, state(comm, 1))
            manager.save(2, state(comm, 2))
            manager.verify(1)
            manager.verify(2, full=True)
            manager.delete(1)
            with pytest.raises(CheckpointError, match=r"no step 1 in .*; there are \[2\]"):
                manager.delete(1)
            with pytest.raises(CheckpointError, match="step 1"):
                manager.verify(1)
            comm.barrier()
            if comm.rank == 0:
                (tmp_path / "00000002/few/c/0").unlink()
            comm.barrier()
            with pytest.raises(CheckpointError, match="not whole"):
                manager.verify(2)

    checked(on_ranks(2, work))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_in_the_background_is_raised_by_the_next_call_of_all(
    tmp_path: Path, failing: int, kind: type[ThreadRank], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Attempt.write

    def fail(self: Attempt, pieces: Any, *share: int) -> Any:
        if self.step == 2 and any(piece.name == f"mark/{failing}" for piece in pieces):
            raise OSError(28, "No space left on device")
        return write(self, pieces, *share)

    monkeypatch.setattr(Attempt, "write", fail)

    def work(comm: Any) -> list[str]:
        manager = CheckpointManager(tmp_path, comm)
        found = []
        for step in (1, 2, 3, 4):
            try:
                manager.save(step, {**state(comm, step), "mark": PerRank(np.zeros(1))})
            except OSError as error:
                found.append(f"{step}: {error.strerror} {error.__notes__}")
        manager.close()
        return found

    results = checked(on_ranks(2, work, kind))
    assert results == [[f"3: No space left on device ['zchunk: on rank {failing} of 2']"]] * 2
    assert CheckpointManager(tmp_path).all_steps() == [1, 4]
    assert files(tmp_path) == {"zarr.json", "00000001", "00000004"}


@pytest.mark.parametrize(
    "call", ["wait_until_finished", "check_for_errors", "should_stop", "close", "restore"]
)
def test_every_call_raises_it_once(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Attempt, *args: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Attempt, "write", fail)
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"n": 1})
    manager._pending.leave(ValueError())
    with pytest.raises(OSError, match="No space"):
        getattr(manager, call)()
    manager.close()
    assert files(tmp_path) == {"zarr.json"}


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda rank: {"a": object() if rank == 1 else 1}, TypeError, "of type object"),
        (lambda rank: {"u": Block(np.zeros(2), (rank,), (4,))}, ValueError, "overlap"),
        (
            lambda rank: {"u": np.zeros(2)} if rank else {},
            ValueError,
            "in the state of rank 1 but not of rank 0",
        ),
        (lambda rank: {"u": np.zeros(2, f"f{4 + 4 * rank}")}, ValueError, "rank 0 has .*float32.*rank 1 has"),
    ],
)
def test_a_state_that_is_wrong_on_one_rank_is_refused_on_all(
    tmp_path: Path, make: Callable[[int], dict[str, Any]], error: type[Exception], text: str
) -> None:
    def work(comm: Any) -> None:
        manager = CheckpointManager(tmp_path, comm)
        with pytest.raises(error, match=text):
            manager.save(1, make(comm.rank))
        # All go on.
        manager.save(1, {"n": 1})
        manager.close()

    checked(on_ranks(2, work))
    assert CheckpointManager(tmp_path).all_steps() == [1]


def test_a_save_in_the_background_takes_one_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exchanges: Counter[ThreadRank] = Counter()
    allgather = ThreadRank.allgather

    def count(self: ThreadRank, sendobj: Any) -> list[Any]:
        exchanges[self] += 1
        return allgather(self, sendobj)

    # All others are made of it.
    monkeypatch.setattr(ThreadRank, "allgather", count)

    def work(comm: Any) -> list[int]:
        found = []
        with CheckpointManager(tmp_path, comm) as manager:
            part = partition(SHAPE, comm)
            for step in (1, 2, 3):
                manager.wait_until_finished()
                before = exchanges[manager._comm]  # type: ignore[index]
                block = Block(full(step)[part.interior], part.offset, SHAPE)
                manager.save(step, {"u": block, "seed": PerRank(comm.rank), "n": step})
                found.append(exchanges[manager._comm] - before)  # type: ignore[index]
        return found

    # At first they tell each other of their parts, and the folder is made.
    assert checked(on_ranks(3, work)) == [[3, 1, 1]] * 3


class Fails(np.ndarray[Any, Any]):
    """An array of which no part can be had."""

    error: type[BaseException] = MemoryError

    def __getitem__(self, selection: Any) -> Any:
        raise self.error


class Interrupted(Fails):
    """One where Ctrl-C comes."""

    error = KeyboardInterrupt


def failing_state(comm: Any, step: int, kind: type[Fails]) -> dict[str, Any]:
    found = state(comm, step)
    found["u"].array = found["u"].array.view(kind)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("async_save", [True, False])
@pytest.mark.parametrize("failing", [0, 1])
def test_too_little_memory_for_the_copy_is_an_error_on_all(
    tmp_path: Path, failing: int, async_save: bool, kind: type[ThreadRank]
) -> None:
    def work(comm: Any) -> list[Any]:
        manager = CheckpointManager(tmp_path, comm, async_save=async_save, files=1)
        found: list[Any] = []
        for step in (1, 2, 3, 4):
            fails = step == 2 and comm.rank == failing
            try:
                manager.save(step, failing_state(comm, step, Fails) if fails else state(comm, step))
            except MemoryError as error:
                found.append((step, error.__notes__))
        manager.close()
        return found

    note = [f"zchunk: on rank {failing} of 2"]
    assert checked(on_ranks(2, work, kind)) == [[(3 if async_save else 2, note)]] * 2
    assert CheckpointManager(tmp_path).all_steps() == ([1, 4] if async_save else [1, 3, 4])
    CheckpointManager(tmp_path).verify(4, full=True)
    assert ".tmp" not in files(tmp_path)


@pytest.mark.parametrize("kind", [Fails, Interrupted])
def test_one_process_learns_at_once_that_it_cannot_copy(tmp_path: Path, kind: type[Fails]) -> None:
    with CheckpointManager(tmp_path) as manager:
        with pytest.raises(kind.error):
            manager.save(1, failing_state(Alone(), 1, kind))
        manager.save(1, state(Alone(), 1))
    assert manager.all_steps() == [1]


def test_ctrl_c_in_the_copy_of_one_rank_is_raised_there_at_once(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm) as manager:
            manager.save(1, failing_state(comm, 1, Interrupted) if comm.rank else state(comm, 1))
            assert comm.rank == 0
            manager.save(2, state(comm, 2))

    first, second = on_ranks(2, work)
    assert isinstance(first, CheckpointError)
    assert "KeyboardInterrupt" in str(first)
    assert isinstance(second, KeyboardInterrupt)
    assert CheckpointManager(tmp_path).all_steps() == []


def test_an_exception_in_the_block_reaches_the_other_ranks(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm) as manager:
            manager.save(1, state(comm, 1))
            if comm.rank == 1:
                raise ZeroDivisionError("of the program")
            while not manager.should_stop():
                pass

    errors = on_ranks(3, work)
    assert all(isinstance(error, ZeroDivisionError) for error in errors)
    # What was saved before is there.
    assert CheckpointManager(tmp_path).all_steps() == [1]


def test_calls_that_differ_are_an_error_on_all(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        manager = CheckpointManager(tmp_path, comm)
        if comm.rank:
            manager.should_stop()
        else:
            manager.save(1, {"n": 1})

    for error in on_ranks(2, work):
        assert isinstance(error, CheckpointError)
        assert "by rank: save, should_stop" in str(error)


def test_a_signal_on_one_rank_stops_all(tmp_path: Path) -> None:
    def work(comm: Any) -> list[Any]:
        manager = CheckpointManager(tmp_path, comm, save_interval_steps=100)
        found: list[Any] = [manager.should_stop(), manager.should_save(7)]
        if comm.rank == 1:
            # Another thread than the main one can have no handler.
            manager._signals.came = True
        found += [manager.should_stop(), manager.should_save(7), manager.save(7, state(comm, 7))]
        # It is on the disk by now.
        found.append(manager.all_steps())
        manager.close()
        return found

    assert checked(on_ranks(3, work)) == [[False, False, True, True, True, [7]]] * 3


def test_a_real_signal(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with CheckpointManager(tmp_path, signals=[signal.SIGUSR1]) as manager:
        assert not manager.should_stop()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert manager.should_stop()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_time_that_is_nearly_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) - 5))
    assert CheckpointManager(tmp_path).should_stop()
    assert not CheckpointManager(tmp_path, time_limit=1000).should_stop()


def test_a_closed_manager(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"n": 1})
    manager.close()
    manager.close()
    with pytest.raises(ValueError, match="is closed"):
        manager.save(2, {"n": 1})
    assert manager.all_steps() == [1]
    assert repr(manager) == f"CheckpointManager({str(tmp_path)!r}, rank 0 of 1)"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"max_to_keep": 0},
        {"max_pending": 0},
        {"files": 0},
        {"files": "all"},
        {"verify": "yes"},
        {"durability": "none"},
        {"on_rewind": "ask"},
        {"compressors": "lz-4"},
    ],
    ids=str,
)
def test_parameters_that_are_wrong(tmp_path: Path, kwargs: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        CheckpointManager(tmp_path, **kwargs)


@pytest.mark.parametrize("files", ["rank", "node", 1, 2])
def test_files_of_an_array(tmp_path: Path, files: Any) -> None:
    def work(comm: Any) -> None:
        with CheckpointManager(tmp_path, comm, files=files) as manager:
            manager.save(1, state(comm, 1))

    checked(on_ranks(4, work))
    checkpoint = CheckpointManager(tmp_path).restore(verify="full")
    assert checkpoint is not None
    assert (checkpoint.read("u") == full(1)).all()
    count = sum(path.is_file() for path in (tmp_path / "00000001/u/c").rglob("*"))
    assert count <= {"rank": 4, "node": 1}.get(files, files)


def test_files_are_one_for_each_owner_and_one_for_each_array_and_one(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        part, rows = partition((64, 9), comm), slice(10 * comm.rank // 4, 10 * (comm.rank + 1) // 4)
        values = {
            "u": part.block(np.ones(part.local_shape)),
            # Parts that are no shards; nothing but of one rank; what all have alike; no axes; no items.
            "uneven": Block(np.arange(10)[rows], (rows.start,), (10,)),
            "one": Block(np.arange(3 if comm.rank == 2 else 0), (0,), (3,)),
            "same": np.arange(5),
            "scalar": np.array(1.5),
            "none": np.zeros((0, 3)),
        }
        with CheckpointManager(tmp_path, comm) as manager:
            manager.save(1, values)

    checked(on_ranks(4, work))
    step = tmp_path / "00000001"
    owners = {"u": 4, "uneven": 4, "one": 1, "same": 1, "scalar": 1, "none": 0}
    for name, most in owners.items():
        assert sum(path.is_file() for path in (step / name).rglob("*")) <= most + 1
    assert sum(path.is_file() for path in step.rglob("*")) <= sum(owners.values()) + len(owners) + 1


@pytest.mark.parametrize("compressors", [None, "crc32c", zchunk.Blosc(cname="lz4")])
@pytest.mark.parametrize("durability", ["fsync", "atomic"])
def test_codecs_and_durability(tmp_path: Path, compressors: Any, durability: Any) -> None:
    u = np.arange(2.0**18).reshape(512, 512)
    with CheckpointManager(tmp_path, compressors=compressors, durability=durability) as manager:
        manager.save(1, {"u": u, "s": np.array([(1, 2.5)], "i4,f8"), "t": np.array(["2026", "NaT"], "M8[s]")})
        checkpoint = manager.restore(verify="full")
    assert checkpoint is not None
    assert (checkpoint.read("u") == u).all()
    assert checkpoint["s"].tolist() == [(1, 2.5)]
    assert checkpoint["t"].astype(str).tolist() == ["2026-01-01T00:00:00", "NaT"]


def test_what_is_there_already_is_refused(tmp_path: Path) -> None:
    zchunk.zeros(3, store=str(tmp_path), zarr_format=3)
    with CheckpointManager(tmp_path) as manager, pytest.raises(CheckpointError, match="holds an array"):
        manager.save(1, {"n": 1})
