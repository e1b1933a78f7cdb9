"""One call of a manager or a series at a time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zchunk.checkpoint import CheckpointManager, Series
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.turns import OneAtATime, in_turn


class Walk(OneAtATime):
    """What is called."""

    def __repr__(self) -> str:
        return "Walk()"

    @in_turn
    def step(self, work: Any, *, twice: bool = False) -> Any:
        """Take a step."""
        return [work()] * (1 + twice)


def test_a_call_ends_before_the_next_one() -> None:
    walk = Walk()
    assert walk.step(lambda: 1, twice=True) == [1, 1]
    assert walk.step.__doc__ == "Take a step."
    with pytest.raises(KeyboardInterrupt):
        walk.step(interrupt)
    assert Walk().step(lambda: walk.step(int)) == [[0]]


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_call_inside_of_a_call_is_an_error() -> None:
    walk = Walk()
    with pytest.raises(CheckpointError, match=r"Walk\(\): step is called .* while step is at work"):
        walk.step(lambda: walk.step(int))
    assert walk.step(int) == [0]


class Meanwhile:
    """An array whose items are asked for in the middle of a save, which then does something else."""

    def __init__(self, work: Any) -> None:
        self._work = work

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._work()
        return np.full(1000, 1)


@pytest.fixture
def handled() -> Iterator[list[BaseException]]:
    """Errors of the handler of SIGUSR1, which does what `act` says."""
    before = signal.getsignal(signal.SIGUSR1)
    yield []
    signal.signal(signal.SIGUSR1, before)


def test_another_thread_cannot_save_meanwhile(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def save() -> None:
        try:
            manager.save(2, {"u": np.full(1000, 2)})
        except CheckpointError as error:
            errors.append(error)

    def start() -> None:
        thread = threading.Thread(target=save, name="another")
        thread.start()
        thread.join()

    with CheckpointManager(tmp_path, max_to_keep=None) as manager:
        manager.save(1, {"u": Meanwhile(start)})
        manager.wait_until_finished()
        assert manager.all_steps() == [1]
        manager.save(2, {"u": np.full(1000, 2)})
        manager.wait_until_finished()
        for step in (1, 2):
            checkpoint = manager.restore(step)
            assert checkpoint is not None
            assert (checkpoint.read("u") == step).all()
    (error,) = set(errors)
    assert "save is called in thread 'another' while save is at work in thread 'MainThread'" in str(error)


def test_a_signal_handler_cannot_save_meanwhile(tmp_path: Path, handled: list[BaseException]) -> None:
    def save(*_: object) -> None:
        try:
            manager.save(2, {"u": np.full(1000, 2)})
        except CheckpointError as error:
            handled.append(error)

    signal.signal(signal.SIGUSR1, save)
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": Meanwhile(lambda: os.kill(os.getpid(), signal.SIGUSR1))})
        manager.wait_until_finished()
        assert manager.all_steps() == [1]
    assert handled
    assert "while save is at work" in str(handled[0])


def test_a_series_too(tmp_path: Path) -> None:
    with Series(tmp_path / "series") as series:
        with pytest.raises(CheckpointError, match=r"flush is called in thread .* while append is at work"):
            series.append(1, 0.1, {"u": Meanwhile(series.flush)})
        series.append(1, 0.1, {"u": 1.0})
    assert len(series) == 1
