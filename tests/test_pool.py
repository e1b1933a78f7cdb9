"""The thread pool: how many threads, when they start, and what happens when they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import pool


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    yield
    zchunk.set_threads(None)


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

    def refuse(self: Any, work: Any) -> None:
        calls.append(work)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    zchunk.set_threads(4)
    z = zchunk.zeros((1000, 1000), chunks=50, store=tmp_path)
    z[...] = 1
    assert z[...].all()
    assert calls


def test_submit_returns_what_was_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that was called in must be waited for, though the next one could not be."""
    submit = ThreadPoolExecutor.submit
    calls = []

    def refuse_third(self: Any, work: Any) -> Any:
        calls.append(work)
        if len(calls) > 2:
            raise RuntimeError("can't start new thread")
        return submit(self, work)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse_third)
    zchunk.set_threads(5)
    futures = pool.submit(lambda: 7, 4)
    assert [future.result() for future in futures] == [7, 7]


def test_a_forked_child_has_helpers_of_its_own() -> None:
    code = (
        "import os, zchunk\n"
        "from zchunk import pool\n"
        "zchunk.set_threads(2)\n"
        "pool.submit(int, 1)[0].result()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(pool.submit(lambda: 7, 1)[0].result(20))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    assert run(code) == "7"


def test_work_at_interpreter_exit(tmp_path: Any) -> None:
    code = (
        "import atexit, zchunk\n"
        "zchunk.set_threads(3)\n"
        f"z = zchunk.zeros((1000, 1000), chunks=50, store={str(tmp_path)!r})\n"
        "def last(): z[...] = 2; print(z[...].sum())\n"
        "atexit.register(last)"
    )
    assert run(code) == "2000000.0"
