"""The thread of a manager: it does one task after the other, gives way, and ends when it is told to."""

from __future__ import annotations

import gc
import os
import sys
import threading

import pytest

import zchunk
from zchunk.runtime.workers import Task
from zchunk.wings.checkpoint.background import Background


def mine() -> threading.Thread:
    return threading.current_thread()


def done(thread: Background, *tasks: Task[threading.Thread]) -> list[threading.Thread]:
    """Have a thread do tasks; return the threads that did them."""
    for task in tasks:
        thread.put(task)
    assert [task.exception() for task in tasks] == [None] * len(tasks)
    return [task.result() for task in tasks]


def test_one_thread_does_all_tasks_in_order() -> None:
    thread, order = Background(), list[int]()
    found = done(thread, *[Task(lambda number=number: order.append(number) or mine()) for number in range(5)])  # type: ignore[misc, func-returns-value]
    assert order == [0, 1, 2, 3, 4]
    assert set(found) == {found[0]}
    assert found[0] is not mine()
    # The interpreter does not wait for one that waits for tasks.
    assert found[0].daemon


def test_a_task_that_was_put_twice_is_done_once() -> None:
    thread, times = Background(), list[int]()
    task = Task(lambda: times.append(1))
    thread.put(task)
    thread.put(task)
    done(thread, Task(mine))
    assert times == [1]


def test_it_ends_when_it_is_told_to_or_forgotten() -> None:
    threads = []
    for end in (Background.end, lambda thread: None):
        thread = Background()
        threads += done(thread, Task(mine))
        end(thread)
        del thread
    gc.collect()
    for found in threads:
        found.join(120)
        assert not found.is_alive()


def test_it_starts_again_after_its_end() -> None:
    thread = Background()
    first = done(thread, Task(mine))
    thread.end()
    thread.end()
    assert done(thread, Task(mine)) != first


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own here")
def test_it_gives_way() -> None:
    thread = Background()
    task = Task(lambda: (os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), zchunk.get_threads()))
    thread.put(task)
    task.exception()
    priority, threads = task.result()
    assert priority > os.getpriority(os.PRIO_PROCESS, 0)
    assert threads == max(zchunk.get_threads() - 1, 1)
