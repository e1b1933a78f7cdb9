"""When to stop: signals and the time limit."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zchunk.checkpoint import CheckpointManager
from zchunk.wings.checkpoint.stopping import Signals, TimeLimit


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_signal_is_noted_and_its_handler_put_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    signals = Signals([signal.SIGUSR1])
    assert not signals.came
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signals.came
    signals.release()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_another_thread_can_have_no_handlers() -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            Signals([signal.SIGUSR1])
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(errors) == 1
    Signals([]).release()


@pytest.fixture
def untouched() -> Iterator[Any]:
    """The handler of SIGUSR1, which is there afterwards."""
    before = signal.getsignal(signal.SIGUSR1)
    yield before
    now = signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    assert now == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_they_are_released_in_any_order(untouched: Any, order: tuple[int, int]) -> None:
    both = Signals([signal.SIGUSR1]), Signals([signal.SIGUSR1])
    both[order[0]].release()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert [signals.came for signals in both] == [number == order[1] for number in (0, 1)]
    both[order[1]].release()
    assert signal.getsignal(signal.SIGUSR1) == untouched


def test_a_handler_that_the_program_has_set_meanwhile_stays(untouched: Any) -> None:
    signals = Signals([signal.SIGUSR1])
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signals.release()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
    again = Signals([signal.SIGUSR1])
    again.release()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
    signal.signal(signal.SIGUSR1, untouched)


@pytest.mark.parametrize("wrong", [signal.SIGKILL, 0, 1000, "TERM", None, 2.5])
@pytest.mark.usefixtures("untouched")
def test_what_is_no_signal_to_handle(wrong: Any) -> None:
    with pytest.raises(ValueError, match="which is no signal that a program can handle"):
        Signals([signal.SIGUSR1, wrong])


@pytest.mark.parametrize("wrong", [15, "TERM", None])
def test_what_are_no_signals(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"signals is {wrong!r}, not a sequence"):
        Signals(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"time_limit": "soon"}, {"compressors": "none such"}, {"comm": 3}, {"save_interval_seconds": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
@pytest.mark.usefixtures("untouched")
def test_a_manager_that_cannot_be_made_leaves_no_handler(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        CheckpointManager(tmp_path, signals=[signal.SIGUSR1], **wrong)


@pytest.mark.parametrize("wrong", [math.nan, -1, "10", True, timedelta(1), 1j], ids=repr)
def test_what_are_no_seconds(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"time_limit is {wrong!r}, not seconds")):
        TimeLimit(wrong)
    with pytest.raises(ValueError, match=re.escape(f"save_interval_seconds is {wrong!r}, not seconds")):
        CheckpointManager(tmp_path, save_interval_seconds=wrong)


def test_without_a_limit_it_is_never_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    assert not TimeLimit(None, Clock()).is_near()


def test_a_clock_that_is_set_makes_no_long_step() -> None:
    clock, ticks = Clock(), Clock()
    limit = TimeLimit(100_000, clock, ticks)
    limit.step_done()
    clock.now += 50_000
    ticks.now += 10
    limit.step_done()
    assert limit.longest_step == 10
    assert not limit.is_near()


def test_a_clock_that_is_set_does_not_change_how_many_seconds_there_are() -> None:
    clock, ticks = Clock(), Clock()
    limit = TimeLimit(100, clock, ticks)
    clock.now -= 5000
    ticks.now += 99
    assert not limit.is_near()
    ticks.now += 2
    assert limit.is_near()


def test_time_for_a_step_and_a_save_is_kept() -> None:
    clock = Clock()
    limit = TimeLimit(100, clock, clock)
    limit.step_done()
    clock.now += 10
    limit.step_done()
    limit.save_done(20)
    limit.save_done(2)
    clock.now = 1000 + 100 - 40
    assert not limit.is_near()
    clock.now += 0.001
    assert limit.is_near()


def test_a_moment_and_what_slurm_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    moment = TimeLimit(datetime.fromtimestamp(5000, UTC), clock)
    monkeypatch.setenv("SLURM_JOB_END_TIME", "6000")
    said = TimeLimit(None, clock)
    for limit, end in ((moment, 5000), (said, 6000)):
        clock.now = end - 1
        assert not limit.is_near()
        clock.now = end + 1
        assert limit.is_near()
