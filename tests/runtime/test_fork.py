"""What every process makes for itself, and what waits while the process forks."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import zchunk
from tests.store_conformance import in_child
from zchunk._ext.threads.guards import Gate, open_again, shut
from zchunk.runtime.fork import PerProcess, is_shared

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_a_process_makes_its_own_once() -> None:
    own = PerProcess(lambda: [os.getpid()])
    assert own() is own()
    assert own() == [os.getpid()]

    def child() -> tuple[bool, list[int], int]:
        return own() is own(), own(), os.getpid()

    same, made, pid = in_child(child)
    assert same
    assert made == [pid] != own()


def test_a_fork_waits_for_what_is_inside_the_gate() -> None:
    gate = Gate()
    inside, steps = threading.Event(), []

    def work() -> None:
        with gate:
            inside.set()
            steps.append("begun")
            # Long enough for the fork to find it here, were it not waiting.
            threading.Event().wait(0.05)
            steps.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    assert in_child(lambda: list(steps)) == ["begun", "done"]
    thread.join()
    with gate:
        # Open again, in the parent and in the child.
        pass

    def child() -> bool:
        with gate:
            return True

    assert in_child(child)


def test_a_signal_handler_forks_inside_the_gate() -> None:
    gate = Gate()

    def other() -> None:
        with gate:
            pass

    with gate, gate:
        # Rather than hang.
        signal.alarm(60)
        assert in_child(lambda: 7) == 7
        signal.alarm(0)
        # It was opened again for others, who come while this thread is in.
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert in_child(lambda: 8) == 8


def test_stores_that_other_processes_share(tmp_path) -> None:
    assert is_shared(zchunk.DirectoryStore(tmp_path))
    assert not is_shared(zchunk.MemoryStore())
    assert not is_shared(zchunk.KVStore({"a": b"1"}))
    assert not is_shared(zchunk.SQLiteStore(":memory:"))


def test_ctrl_c_while_a_fork_waits_leaves_the_gate_open() -> None:
    gate = Gate()
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with gate:
            inside.set()
            leave.wait()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def wait() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        shut()

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads[0].start()
    inside.wait()
    inside.clear()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    threads[1].start()
    came_in = inside.wait(30)
    leave.set()
    if not came_in:
        open_again()
    for thread in threads:
        thread.join()
    assert came_in
