"""Tasks of the pool, and the threads that do them."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

import zchunk
from tests.runtime.test_threads import end_helpers, helpers, wait_until
from zchunk.runtime import threads as pool


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    end_helpers()
    yield
    end_helpers()


def test_tasks_that_had_to_wait_make_no_thread_idle() -> None:
    zchunk.set_threads(3)
    go = threading.Event()
    tasks = pool.submit(go.wait, 2)
    for _ in range(5):
        pool.submit(go.wait, 2, tasks)
    for task in tasks[2::2]:
        task.cancel()
    go.set()
    assert [task.exception() for task in tasks] == [None] * len(tasks)
    wait_until(lambda: pool.idle() == 2)
    again = threading.Event()
    tasks = pool.submit(again.wait, 2)
    assert pool.idle() == 0
    assert helpers() == 2
    again.set()
    assert [task.exception() for task in tasks] == [None, None]


def test_no_more_threads_than_asked_for_and_none_without_need() -> None:
    zchunk.set_threads(3)
    assert helpers() == 0
    assert pool.submit(int, 1)[0].exception() is None
    # The helper waits again a moment after its work is done.
    wait_until(lambda: pool.idle() == 2)
    assert pool.submit(int, 1)[0].exception() is None
    assert helpers() == 1
    gate = threading.Event()
    tasks = pool.submit(lambda: gate.wait(20), 8)
    assert helpers() == 2
    gate.set()
    assert [task.exception() for task in tasks] == [None] * 8


def test_a_task_is_done_or_cancelled() -> None:
    zchunk.set_threads(2)
    gate, running, done = threading.Event(), threading.Event(), []

    def work() -> None:
        running.set()
        gate.wait(20)
        done.append(1)

    first, second = pool.submit(work, 2)
    assert running.wait(20)
    assert not first.cancel()
    assert second.cancel()
    assert second.cancel()
    assert second.exception() is None
    gate.set()
    assert first.exception() is None
    assert not first.cancel()
    # Whatever comes after a cancelled task is done.
    assert pool.submit(int, 1)[0].exception() is None
    assert done == [1]


def test_what_a_helper_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise MemoryError("none left")

    zchunk.set_threads(2)
    error = pool.submit(fail, 1)[0].exception()
    assert isinstance(error, MemoryError)
    assert str(error) == "none left"


class Held:
    """Something that a helper works on."""

    def work(self) -> None:
        pass

    def fail(self) -> None:
        raise ValueError


@pytest.mark.parametrize("name", ["work", "fail"])
def test_nothing_keeps_what_was_worked_on(name: str) -> None:
    zchunk.set_threads(2)
    gc.disable()
    try:
        held = Held()
        alive = weakref.ref(held)
        task = pool.submit(getattr(held, name), 1)[0]
        task.exception()
        del held, task
        # The helper lets go of the task a moment later.
        wait_until(lambda: alive() is None)
        gate = threading.Event()
        busy = pool.submit(lambda: gate.wait(20), 1)
        held = Held()
        alive = weakref.ref(held)
        waiting = pool.submit(held.work, 1)[0]
        assert waiting.cancel()
        del held
        assert alive() is None
        gate.set()
        assert busy[0].exception() is None
    finally:
        gc.enable()


def test_what_a_helper_raised_is_raised_also_if_it_was_done_before() -> None:
    done, waiting = pool.Task(lambda: 1 // 0), pool.Task(lambda: None)
    done.run()
    with pytest.raises(ZeroDivisionError):
        pool.join([done, waiting], lambda: None)
    assert waiting.exception() is None
    assert waiting.cancel()


def test_nobody_waits_for_a_task_that_ctrl_c_ended() -> None:
    """It may come between any two lines, in the thread that does the task; that thread waits for others'."""
    lines = last = ended = 0

    def interrupt(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        if frame.f_code is not pool.Task.run.__code__:
            return None
        if event == "line":
            lines += 1
            if lines == last:
                raise KeyboardInterrupt
        return interrupt

    before = sys.gettrace()
    while last < 20:
        task, lines, last = pool.Task(lambda: None), 0, last + 1
        sys.settrace(interrupt)
        try:
            task.run()
        except KeyboardInterrupt:
            ended += 1
        finally:
            sys.settrace(before)
        assert task.cancel() or task.done
    assert 3 < ended < 19


def test_a_task_is_done_once_whoever_comes() -> None:
    for _ in range(200):
        done: list[int] = []
        task = pool.Task(lambda done=done: done.append(1))
        runners = [threading.Thread(target=task.run) for _ in range(2)]
        for runner in runners:
            runner.start()
        task.run()
        assert task.exception() is None
        for runner in runners:
            runner.join()
        assert done == [1]
        assert not task.cancel()
