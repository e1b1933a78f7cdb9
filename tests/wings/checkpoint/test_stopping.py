"""When to stop: signals and the time limit."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime

import pytest

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


def test_without_a_limit_it_is_never_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    assert not TimeLimit(None, Clock()).is_near()


def test_time_for_a_step_and_a_save_is_kept() -> None:
    clock = Clock()
    limit = TimeLimit(100, clock)
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
    assert TimeLimit(datetime.fromtimestamp(5000, UTC)).end == 5000
    monkeypatch.setenv("SLURM_JOB_END_TIME", "6000")
    assert TimeLimit(None).end == 6000
    assert TimeLimit(5, Clock()).end == 1005
