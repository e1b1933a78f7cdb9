"""The saves of a manager that are not finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.dask_workers import Blocks
from zchunk.wings.checkpoint.pending import Pending
from zchunk.wings.checkpoint.saving import Saving


class Attempt:
    """What a saving is asked of its attempt here."""

    def __init__(self, step: int, work: Callable[[], None]) -> None:
        self.step, self.work = step, work
        self.root, self.folder, self.sync = "", "", False
        self.blocks = Blocks()

    def write(self, *args: Any) -> dict[str, Any]:
        self.work()
        return {}


def saving(step: int, done: list[int], wait: threading.Event | None = None, fails: bool = False) -> Saving:
    def work() -> None:
        assert wait is None or wait.wait(120)
        if fails:
            raise OSError(f"step {step}")
        done.append(step)

    made = Saving(cast("Any", Attempt(step, work)), (0, 1), {}, cast("Any", None), lambda steps: [])
    made._commit = lambda votes: []  # type: ignore[method-assign]
    return made


def test_they_are_finished_in_order() -> None:
    done: list[int] = []
    seconds: list[float] = []
    event = threading.Event()
    pending = Pending(Alone(), Alone(), seconds.append)
    for step in (1, 2, 3):
        pending.add(saving(step, done, event), in_background=True)
    assert pending.steps == [1, 2, 3]
    assert not pending.are_written
    event.set()
    pending.finish(1)
    assert done[:2] == [1, 2]
    pending.finish(0)
    assert (done, pending.steps, len(seconds)) == ([1, 2, 3], [], 3)


@pytest.mark.parametrize("background", [None, Alone()])
def test_an_error_is_raised_once_and_later_saves_are_finished(background: Alone | None) -> None:
    done: list[int] = []
    pending = Pending(Alone(), background, lambda seconds: None)
    pending.add(saving(1, done, fails=True), in_background=True)
    pending.add(saving(2, done), in_background=True)
    with pytest.raises(OSError, match="step 1"):
        pending.finish(0)
    assert done == [2]
    assert not pending.has_failed
    pending.finish(0)


def test_without_a_background_others_finish_what_all_have_written() -> None:
    done: list[int] = []
    pending = Pending(Alone(), None, lambda seconds: None)
    made = saving(1, done)
    pending.add(made, in_background=True)
    assert made._task is not None
    made._task.exception()
    assert pending.are_written
    assert pending.steps == [1]
    pending.finish_written()
    assert pending.steps == []


def test_one_that_is_not_in_the_background_is_written_when_it_is_finished() -> None:
    done: list[int] = []
    pending = Pending(Alone(), Alone(), lambda seconds: None)
    pending.add(saving(1, done), in_background=False)
    assert done == []
    pending.finish(0)
    assert done == [1]
