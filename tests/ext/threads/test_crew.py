"""Work of kernels that threads share outside the GIL."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.store_conformance import in_child
from zchunk._ext.engine.job import Job
from zchunk._ext.threads.crew import Crew, Shared
from zchunk.indexing import plan_basic
from zchunk.runtime import threads as pool

N = 3000


@pytest.fixture
def array(tmp_path: Path) -> Any:
    z = zchunk.array(np.arange(N * 8.0), chunks=8, store=str(tmp_path / "a"))
    return z._chunked


def job(array: Any, out: np.ndarray) -> Job:
    return Job(array.layout, plan_basic(..., array.metadata.grid), out, False, 0, 2)


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Two threads that work until there is a task of Python."""
    crew = Crew()
    threads = [threading.Thread(target=crew.get, args=(False,), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield crew
    for _ in threads:
        crew.put(None)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_helpers_do_the_work_without_the_caller(array: Any, crew: Crew) -> None:
    for helpers in (1, 2, 5):
        out = np.empty(N * 8)
        work = job(array, out)
        work.share(crew, helpers)
        deadline = time.monotonic() + 20
        while work.tasks and time.monotonic() < deadline:
            time.sleep(0.001)
        assert work.wait(20) is False
        assert work.failure() is None
        assert np.array_equal(out, np.arange(N * 8.0))
        assert crew.open == 0


def test_what_nobody_has_begun_is_withdrawn(array: Any) -> None:
    crew = Crew()
    first, second = job(array, np.empty(N * 8)), job(array, np.empty(N * 8))
    first.share(crew, 3)
    task = object()
    crew.put(task)
    second.share(crew, 2)
    assert crew.open == 6
    assert first.wait(0.001) is False
    assert crew.open == 3
    first.share(crew, 1)
    # The task of Python is still the first. A thread that takes one works for another from then on: not this.
    with ThreadPoolExecutor(1) as helper:
        assert helper.submit(crew.get, False).result() is task
    assert crew.open == 4
    assert second.wait(0.001) is False
    assert first.wait(0.001) is False
    assert crew.open == 1
    assert first.tasks == second.tasks == N


def test_tasks_that_nobody_takes_go_with_the_crew() -> None:
    class Task:
        pass

    crew, task = Crew(), Task()
    alive = weakref.ref(task)
    crew.put(task)
    crew.put(None)
    del task
    assert alive() is not None
    del crew
    assert alive() is None


def test_work_is_shared_once_at_a_time(array: Any) -> None:
    crew, work = Crew(), job(array, np.empty(N * 8))
    assert work.wait(1) is False
    work.share(crew, 1)
    with pytest.raises(ValueError, match="shared already"):
        work.share(crew, 1)
    work.wait(1)
    with pytest.raises(ValueError, match="helpers is -1"):
        work.share(crew, -1)
    with pytest.raises(ValueError, match="no work"):
        Shared().share(crew, 1)
    work.share(crew, 0)
    assert work.wait(1) is False


@pytest.fixture
def slow(tmp_path: Path) -> Job:
    """Writing one chunk, which takes more than a second."""
    data = np.random.default_rng(0).integers(0, 3, 3_000_000, "u1")
    codec = zchunk.Zstd(19)
    z = zchunk.create(data.shape, chunks=data.shape, dtype="u1", store=str(tmp_path / "s"), compressor=codec)
    return Job(z._chunked.layout, plan_basic(..., z._chunked.metadata.grid), data, True, 0, 1)


@pytest.mark.slow
def test_waiting_takes_no_longer_than_asked_for(slow: Job, array: Any, crew: Crew) -> None:
    """Also if others finish their work all the time."""
    slow.share(crew, 1)
    deadline = time.monotonic() + 20
    while slow.tasks and time.monotonic() < deadline:
        time.sleep(0.001)
    ended = threading.Event()

    def others() -> None:
        while not ended.is_set():
            work = job(array, np.empty(N * 8))
            work.share(crew, 1)
            time.sleep(0.01)
            while work.wait(1):
                pass

    thread = threading.Thread(target=others)
    thread.start()
    # Seconds, were the time counted anew after each of the others.
    assert slow.wait(0.1) is True
    ended.set()
    thread.join()
    while slow.wait(1):
        pass


def test_who_drops_shared_work_waits_for_it(array: Any, crew: Crew) -> None:
    for _ in range(200):
        out = np.empty(N * 8)
        work = job(array, out)
        work.share(crew, 2)
        # What a thread wrote to from here on would be another's memory.
        del work
        assert crew.open == 0


def test_a_forked_child_forgets_shared_work(array: Any, crew: Crew) -> None:
    works = [job(array, np.empty(N * 8))]
    works[0].share(crew, 2)

    def child() -> int:
        # Rather than hang.
        signal.alarm(20)
        works.clear()
        return 7

    assert in_child(child) == 7
    while works[0].wait(1):
        pass


def test_few_chunks_are_shared_only_where_calls_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.arange(400.0).reshape(20, 20)
    z = zchunk.array(data, chunks=5, store=str(tmp_path))
    shared: list[int] = []
    share = pool.share
    monkeypatch.setattr(pool, "share", lambda work, helpers: (shared.append(helpers), share(work, helpers)))
    zchunk.set_threads(3)
    try:
        for awake, expected in ((False, []), (True, [2, 2])):
            monkeypatch.setattr(pool, "awake", lambda awake=awake: awake)
            shared.clear()
            assert np.array_equal(z[...], data)
            z[...] = data + 1
            assert shared == expected
            assert np.array_equal(z[...], data + 1)
            data = data + 1
    finally:
        zchunk.set_threads(None)


def test_awake_a_moment_after_the_last_work(array: Any) -> None:
    pool.finish(job(array, np.empty(N * 8)), lambda: None)
    # The clock may be stopped for long on a busy machine, but it is not awake for long.
    time.sleep(0.001)
    assert not pool.awake()
    seen = False
    for _ in range(1000):
        pool.finish(job(array, np.empty(N * 8)), lambda: None)
        seen = seen or pool.awake()
    assert seen


def test_ctrl_c_ends_shared_work() -> None:
    code = """
import os, signal, tempfile, threading, time
import numpy as np, zchunk
# A shell that starts a command in the background has it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
zchunk.set_threads(2)
data = np.random.default_rng(0).integers(0, 3, (300, 200_000), "u1")
with tempfile.TemporaryDirectory() as folder:
    z = zchunk.create(data.shape, chunks=(1, 200_000), dtype="u1", store=folder, compressor=zchunk.Zstd(19))
    def interrupt():
        while not z.nchunks_initialized:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        z[...] = data
    except KeyboardInterrupt:
        written = z.nchunks_initialized
        time.sleep(0.5)
        # No helper goes on.
        print("interrupted", 0 < written < 300, z.nchunks_initialized == written)
    thread.join()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert result.stdout.strip() == "interrupted True True", result.stderr
