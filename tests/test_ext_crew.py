"""Work of kernels that threads share outside the GIL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import pool
from zchunk._ext.crew import Crew
from zchunk._ext.engine import Job
from zchunk.indexing import plan_basic

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
        crew.put()
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
    crew.put()
    second.share(crew, 2)
    assert crew.open == 6
    assert first.wait(0.001) is False
    assert crew.open == 3
    first.share(crew, 1)
    # The task of Python is still the first.
    crew.get(False)
    assert crew.open == 4
    assert second.wait(0.001) is False
    assert first.wait(0.001) is False
    assert crew.open == 1
    assert first.tasks == second.tasks == N


def test_work_is_shared_once_at_a_time(array: Any) -> None:
    crew, work = Crew(), job(array, np.empty(N * 8))
    assert work.wait(1) is False
    work.share(crew, 1)
    with pytest.raises(ValueError, match="shared already"):
        work.share(crew, 1)
    work.wait(1)
    work.share(crew, 0)
    assert work.wait(1) is False


def test_waiting_takes_no_longer_than_asked_for(tmp_path: Path, crew: Crew) -> None:
    # One chunk that takes a while.
    data = np.random.default_rng(0).integers(0, 3, 4_000_000, "u1")
    codec = zchunk.Zstd(19)
    z = zchunk.create(data.shape, chunks=data.shape, dtype="u1", store=str(tmp_path), compressor=codec)
    plan = plan_basic(..., z._chunked.metadata.grid)
    work = Job(z._chunked.layout, plan, data, True, 0, 1)
    work.share(crew, 1)
    deadline = time.monotonic() + 20
    while work.tasks and time.monotonic() < deadline:
        time.sleep(0.001)
    assert work.wait(0.01) is True
    assert work.wait(60) is False
    assert np.array_equal(z[...], data)


def test_who_drops_shared_work_waits_for_it(array: Any, crew: Crew) -> None:
    for _ in range(200):
        out = np.empty(N * 8)
        work = job(array, out)
        work.share(crew, 2)
        # What a thread wrote to from here on would be another's memory.
        del work
        assert crew.open == 0


def test_a_forked_child_forgets_shared_work(array: Any, crew: Crew) -> None:
    work = job(array, np.empty(N * 8))
    work.share(crew, 2)
    pid = os.fork()
    if pid == 0:
        del work, crew
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    while work.wait(1):
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
import signal, sys, tempfile, threading, time
import numpy as np, zchunk
zchunk.set_threads(2)
data = np.random.default_rng(0).integers(0, 3, (40, 1_000_000), "u1")
with tempfile.TemporaryDirectory() as folder:
    z = zchunk.create(data.shape, chunks=(1, 1_000_000), dtype="u1", store=folder, compressor=zchunk.Zstd(19))
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        z[...] = data
    except KeyboardInterrupt:
        written = z.nchunks_initialized
        time.sleep(0.5)
        # No helper goes on.
        print("interrupted", 0 < written < 40, z.nchunks_initialized == written)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert result.stdout.strip() == "interrupted True True", result.stderr
