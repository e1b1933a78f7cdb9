"""The thread pool: how many threads, when they start, and what happens when they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.runtime import threads as pool
from zchunk.runtime import workers


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    # Those of tests before may be there still.
    end_helpers()
    yield
    end_helpers()


def helpers() -> int:
    """The threads of all pools that have not ended."""
    return sum(thread.name.startswith("zchunk") for thread in threading.enumerate())


def end_helpers() -> None:
    """Go back to the default number of threads, and wait until all helpers have ended."""
    zchunk.set_threads(None)
    wait_until(lambda: not helpers())


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what comes in a moment; on a busy machine later."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def run(code: str, **env: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    return result.stdout.strip() or result.stderr


def test_default_is_the_affinity_mask() -> None:
    code = (
        "import os, zchunk\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "print(zchunk.get_threads())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("the system has no affinity")
    assert run(code) == "1"


@pytest.mark.parametrize("value", ["3", "1"])
def test_environment(value: str) -> None:
    assert run("import zchunk; print(zchunk.get_threads())", ZCHUNK_THREADS=value) == value


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_environment_that_is_no_number(value: str) -> None:
    assert "ValueError: ZCHUNK_THREADS" in run("import zchunk; zchunk.get_threads()", ZCHUNK_THREADS=value)


def test_set_threads() -> None:
    default = zchunk.get_threads()
    zchunk.set_threads(np.int64(3))  # type: ignore[arg-type]
    assert zchunk.get_threads() == 3
    zchunk.set_threads(None)
    assert zchunk.get_threads() == default


@pytest.mark.parametrize("n", [0, -1, True, 1.0, "2"])
def test_set_threads_to_no_number(n: Any) -> None:
    with pytest.raises(ValueError, match="number of threads"):
        zchunk.set_threads(n)


def test_idle_are_threads_that_do_nothing_or_are_not_started() -> None:
    zchunk.set_threads(3)
    assert pool.idle() == 2
    go = threading.Event()
    tasks = pool.submit(go.wait, 1)
    assert pool.idle() == 1
    pool.submit(go.wait, 1, tasks)
    assert pool.idle() == 0
    go.set()
    assert [task.exception() for task in tasks] == [None, None]
    wait_until(lambda: pool.idle() == 2)
    zchunk.set_threads(1)
    assert pool.idle() == 0


def test_small_work_starts_no_thread(tmp_path: Any) -> None:
    code = (
        "import sys, threading, zchunk, numpy as np\n"
        "zchunk.set_threads(4)\n"
        "z = zchunk.zeros((100, 100), chunks=50, store=sys.argv[1] if len(sys.argv) > 1 else None)\n"
        "z[...] = 1; z[3]; z[...]\n"
        "print(threading.active_count())"
    )
    assert run(code.replace("sys.argv[1] if len(sys.argv) > 1 else None", repr(str(tmp_path)))) == "1"


def test_one_thread_means_the_calling_one(tmp_path: Any) -> None:
    zchunk.set_threads(1)
    before = threading.active_count()
    z = zchunk.zeros((1000, 1000), chunks=50, store=tmp_path)
    z[...] = 1
    assert z[...].all()
    assert threading.active_count() <= before


def test_no_threads_to_be_had(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At interpreter shutdown, or at the system's limit, the caller does all of it."""
    calls = []

    def refuse(self: threading.Thread) -> None:
        calls.append(self)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    zchunk.set_threads(4)
    z = zchunk.zeros((1000, 1000), chunks=50, store=tmp_path)
    z[...] = 1
    assert z[...].all()
    assert calls


def test_submit_returns_what_was_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that was called in must be waited for, though the next one could not be."""
    start = threading.Thread.start
    calls, done = [], []

    def refuse_third(self: threading.Thread) -> None:
        calls.append(self)
        if len(calls) > 2:
            raise RuntimeError("can't start new thread")
        start(self)

    gate = threading.Event()

    def work() -> None:
        gate.wait(20)
        done.append(7)

    monkeypatch.setattr(threading.Thread, "start", refuse_third)
    zchunk.set_threads(5)
    tasks = pool.submit(work, 4)
    gate.set()
    assert [task.exception() for task in tasks] == [None, None]
    assert done == [7, 7]


def test_threads_end_when_their_number_changes() -> None:
    zchunk.set_threads(3)
    gate = threading.Event()
    tasks = pool.submit(lambda: gate.wait(20), 4)
    zchunk.set_threads(2)
    gate.set()
    assert [task.exception() for task in tasks] == [None] * 4
    wait_until(lambda: not helpers())
    assert pool.submit(int, 1)[0].exception() is None


def test_ctrl_c_reaches_who_waits() -> None:
    code = (
        "import signal, threading, zchunk\n"
        "from zchunk.runtime import threads as pool\n"
        "zchunk.set_threads(2)\n"
        "running, gate = threading.Event(), threading.Event()\n"
        "task = pool.submit(lambda: (running.set(), gate.wait(20)), 1)[0]\n"
        "running.wait(20)\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "try:\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.1)\n"
        "    task.exception()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', end=' ')\n"
        "gate.set()\n"
        "print(task.exception())"
    )
    assert run(code) == "interrupted None"


def test_a_forked_child_has_helpers_of_its_own() -> None:
    code = (
        "import os, zchunk\n"
        "from zchunk.runtime import threads as pool\n"
        "zchunk.set_threads(2)\n"
        "pool.submit(int, 1)[0].exception()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    found = []\n"
        "    pool.submit(lambda: found.append(7), 1)[0].exception()\n"
        "    os._exit(found[0])\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    assert run(code) == "7"


def test_exit_waits_for_no_helper() -> None:
    """Neither for one that waits for work nor, when the process has other threads, for one that is at it."""
    code = (
        "import threading, zchunk\n"
        "from zchunk.runtime import threads as pool\n"
        "zchunk.set_threads(3)\n"
        "gate = threading.Event()\n"
        "pool.submit(int, 2)\n"
        "pool.submit(gate.wait, 1)\n"
        "print('end')"
    )
    assert run(code) == "end"


def test_work_at_interpreter_exit(tmp_path: Any) -> None:
    code = (
        "import atexit, zchunk\n"
        "zchunk.set_threads(3)\n"
        f"z = zchunk.zeros((1000, 1000), chunks=50, store={str(tmp_path)!r})\n"
        "def last(): z[...] = 2; print(z[...].sum())\n"
        "atexit.register(last)"
    )
    assert run(code) == "2000000.0"


def test_together_raises_what_one_raised() -> None:
    zchunk.set_threads(4)
    todo = list(range(100))

    def work() -> None:
        while todo:
            if todo.pop() == 50:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.together(work, 3, todo.clear)
    pool.together(work, 3, todo.clear)
    assert todo == []


def test_together_raises_ctrl_c_whatever_a_helper_met() -> None:
    zchunk.set_threads(2)
    caller, failed = threading.current_thread(), threading.Event()

    def work() -> None:
        if threading.current_thread() is caller:
            assert failed.wait(20)
            raise KeyboardInterrupt
        failed.set()
        raise FileNotFoundError

    with pytest.raises(KeyboardInterrupt):
        pool.together(work, 1, lambda: None)


def in_a_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3)])
def test_a_thread_in_the_background_uses_one_thread_less(threads: int, most: int, tmp_path: Any) -> None:
    zchunk.set_threads(threads)
    z = zchunk.zeros((2000, 1000), chunks=(100, 1000), store=tmp_path)

    def work() -> tuple[Any, ...]:
        with pool.in_background():
            # In no other thread.
            others = in_a_thread(zchunk.get_threads)
            z[...] = 1
            names = [thread.name for thread in threading.enumerate()]
            own = sum(name.startswith("zchunk_background") for name in names)
            return zchunk.get_threads(), pool.idle() <= most - 1, others, own

    found, idle, others, own = in_a_thread(work)
    assert (found, idle, others, zchunk.get_threads()) == (most, True, threads, threads)
    assert own == most - 1
    assert z[...].all()
    # What other threads have is not that of the one that is gone, and its helpers end.
    assert pool.idle() == threads - 1
    wait_until(lambda: not any(t.name.startswith("zchunk_background") for t in threading.enumerate()))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own")
def test_a_thread_in_the_background_gives_way_with_its_helpers() -> None:
    zchunk.set_threads(3)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> list[int]:
        found: list[int] = []
        with pool.in_background():
            tasks = pool.submit(lambda: found.append(priority()), 1)
            assert tasks[0].exception() is None
            return [priority(), *found]

    assert in_a_thread(work) == [min(own + workers._NICE, 19)] * 2
    assert priority() == own
    tasks = pool.submit(priority, 1)
    assert tasks[0].result() == own


def test_the_child_of_a_thread_in_the_background_has_all_threads(tmp_path: Any) -> None:
    code = (
        "import os, threading, zchunk\n"
        "from zchunk.runtime import threads\n"
        "zchunk.set_threads(4)\n"
        "def work():\n"
        "    with threads.in_background():\n"
        "        pid = os.fork()\n"
        "        if not pid:\n"
        "            print(zchunk.get_threads(), flush=True)\n"
        "            os._exit(0)\n"
        "        os.waitpid(pid, 0)\n"
        "t = threading.Thread(target=work); t.start(); t.join()"
    )
    assert run(code) == "4"
