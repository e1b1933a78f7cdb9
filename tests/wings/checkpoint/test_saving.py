"""A save on its way: in the background, one after the other, with one outcome on all ranks."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.agreement import Agreement, take_apart
from zchunk.wings.checkpoint.background import Background
from zchunk.wings.checkpoint.commit import Attempt
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.rewind import Rewind
from zchunk.wings.checkpoint.saving import Saving
from zchunk.wings.checkpoint.staging import Buffers, stage
from zchunk.wings.checkpoint.verification import RECORD


def none(steps: Sequence[int]) -> list[int]:
    return []


def saving(root: Path, comm: Any, step: int, superfluous: Any = none) -> Saving:
    block = Block(np.full(3, comm.rank), (3 * comm.rank,), (3 * comm.size,))
    state = take_apart({"u": block}, comm.rank)
    agreement = Agreement(comm, None, None)
    plan, document = agreement.reach(comm.allgather(agreement.say(step, True, state)), state)
    folder = comm.bcast(layout.new_attempt(str(root), step))
    attributes = {"step": step, RECORD: {"ranks": comm.size, "state": document}}
    attempt = Attempt(str(root), step, folder, plan, [], sync=False)
    made = Saving(attempt, (comm.rank, comm.size), attributes, Rewind(str(root), refuse=False), superfluous)
    assert made.take(lambda: stage(plan, state.leaves, comm, Buffers(), copy=True)) is None
    return made


def test_saves_in_the_background_come_in_order(tmp_path: Path) -> None:
    def work(comm: Any) -> list[int]:
        background, thread = comm.dup(), Background()
        first, second = (saving(tmp_path, comm, step, lambda steps: steps[:-1]) for step in (1, 2))
        first.start(thread, background)
        second.start(thread, background)
        first.complete(background)
        second.complete(background)
        assert first.is_finished
        assert second.is_finished
        assert first.error is second.error is None
        comm.barrier()
        return layout.steps(str(tmp_path))

    assert checked(on_ranks(2, work)) == [[2], [2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002"]


def test_without_a_communicator_a_thread_only_writes(tmp_path: Path) -> None:
    def work(comm: Any) -> None:
        made = saving(tmp_path, comm, 1)
        made.start(Background(), None)
        assert made._task is not None
        made._task.exception()
        assert made.is_written
        assert not made.is_finished
        made.complete(comm)
        made.complete(comm)
        assert made.is_finished
        assert made.error is None

    checked(on_ranks(2, work))
    assert layout.steps(str(tmp_path)) == [1]


@pytest.mark.parametrize("failing", [0, 1])
def test_one_rank_fails_and_all_have_the_error(tmp_path: Path, failing: int) -> None:
    def work(comm: Any) -> Saving:
        made = saving(tmp_path, comm, 1)
        if comm.rank == failing:
            # A file in place of the folder of the array's chunks.
            folder = Path(made.attempt.folder)
            os.makedirs(folder, exist_ok=True)
            (folder / "u").write_text("")
        comm.barrier()
        made.write()
        made.finish(comm)
        return made

    for made in checked(on_ranks(2, work)):
        assert isinstance(made.error, OSError)
    assert layout.steps(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_steps_that_cannot_be_deleted_are_no_failure(tmp_path: Path) -> None:
    def fail(steps: Sequence[int]) -> list[int]:
        raise PermissionError("not yours")

    def work(comm: Any) -> None:
        made = saving(tmp_path, comm, 1, fail)
        made.write()
        made.finish(comm)
        assert made.error is None

    with pytest.warns(RuntimeWarning, match="old steps cannot be deleted: not yours"):
        checked(on_ranks(1, work))
    assert layout.steps(str(tmp_path)) == [1]


def test_trash_that_cannot_be_deleted_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "00000001").mkdir()
    (tmp_path / "00000001" / "zarr.json").write_text("{}")

    def work(comm: Any) -> None:
        made = saving(tmp_path, comm, 2, lambda steps: steps[:-1])
        made.write()
        made.finish(comm)
        assert made.error is None

    def fail(root: str, trash: Sequence[str], sync: bool) -> None:
        raise OSError(39, "Directory not empty")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zchunk.wings.checkpoint.retention.delete", fail)
        with pytest.warns(RuntimeWarning, match="old steps cannot be deleted: .*Directory not empty"):
            checked(on_ranks(2, work))
    assert layout.steps(str(tmp_path)) == [2]


def test_one_rank_cannot_copy_and_all_have_the_error(tmp_path: Path) -> None:
    def fail() -> Any:
        raise MemoryError("no copy")

    def work(comm: Any) -> Saving:
        made = saving(tmp_path, comm, 1)
        if comm.rank == 1:
            assert isinstance(made.take(fail), MemoryError)
        made.write()
        made.finish(comm)
        return made

    for made in checked(on_ranks(3, work)):
        assert isinstance(made.error, MemoryError)
        assert made.error.__notes__ == ["zchunk: on rank 1 of 3"]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_when_the_thread_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Background.put

    def interrupted(thread: Background, task: Any) -> None:
        put(thread, task)
        raise KeyboardInterrupt

    made, thread = saving(tmp_path, Alone(), 1), Background()
    monkeypatch.setattr(Background, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.start(thread, Alone())
    monkeypatch.undo()
    made.complete(Alone())
    assert made.is_finished
    assert made.error is None
    assert layout.steps(str(tmp_path)) == [1]


def test_ctrl_c_before_the_thread_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(thread: Background, task: Any) -> None:
        raise KeyboardInterrupt

    made = saving(tmp_path, Alone(), 1)
    monkeypatch.setattr(Background, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.start(Background(), Alone())
    monkeypatch.undo()
    made.complete(Alone())
    assert made.is_finished
    assert layout.steps(str(tmp_path)) == [1]


def test_without_a_thread_it_is_done_by_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = saving(tmp_path, Alone(), 1)
    monkeypatch.setattr(threading.Thread, "start", fail)
    made.start(Background(), Alone())
    assert not made.in_background
    made.complete(Alone())
    assert made.is_finished
    assert layout.steps(str(tmp_path)) == [1]


def test_old_steps_that_a_crash_would_bring_back_stay_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with CheckpointManager(tmp_path, async_save=False, max_to_keep=1, durability="fsync") as manager:
        manager.save(1, {"u": np.arange(3.0)})
        whole = sorted(path.name for path in (tmp_path / "00000001").rglob("*"))
        with monkeypatch.context() as patch:
            patch.setattr("zchunk.wings.checkpoint.retention.sync_folder", fail)
            patch.setattr("zchunk.wings.checkpoint.layout.sync_folder", fail)
            with pytest.warns(RuntimeWarning, match="old steps cannot be deleted"):
                manager.save(2, {"u": np.arange(3.0)})
        (trash,) = (tmp_path / layout.TMP).iterdir()
        assert sorted(path.name for path in trash.rglob("*")) == whole
        manager.save(3, {"u": np.arange(3.0)})
    assert not (tmp_path / layout.TMP).exists()
    assert layout.steps(str(tmp_path)) == [3]
