"""What every process makes for itself, and what waits while the process forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

import zchunk
import zchunk.runtime.fork
from tests.store_conformance import in_child
from zchunk._ext.threads.guards import Gate
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
        # It was opened again for other threads, which come while this thread is in.
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert in_child(lambda: 8) == 8


def test_stores_that_other_processes_share(tmp_path) -> None:
    assert is_shared(zchunk.DirectoryStore(tmp_path))
    assert not is_shared(zchunk.MemoryStore())
    assert not is_shared(zchunk.KVStore({"a": b"1"}))
    assert not is_shared(zchunk.SQLiteStore(":memory:"))


def test_ctrl_c_while_a_fork_waits_comes_after_it() -> None:
    """`os.fork` only prints what its hooks raise, and goes ahead while another thread is inside."""
    program = """
import os, signal, threading
import zchunk.runtime.fork
from zchunk._ext.threads.guards import Gate

# Tests that run in the background of a shell ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
gate, inside, leave, left = Gate(), threading.Event(), threading.Event(), []

def work():
    with gate:
        inside.set()
        leave.wait()
        left.append(1)

thread = threading.Thread(target=work)
thread.start()
inside.wait()

def send():
    os.kill(os.getpid(), signal.SIGINT)
    threading.Timer(0.3, leave.set).start()

threading.Timer(0.3, send).start()
try:
    if os.fork() == 0:
        os._exit(0 if left else 1)
    print("forked")
except KeyboardInterrupt:
    print("interrupted")
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.stdout.split(), done.stderr) == (["interrupted", "0"], ""), done


def test_what_runs_in_a_hook_of_a_fork_works_alone() -> None:
    """Helpers would wait for the fork. The hook is there before ours, so it runs after it."""
    program = """
import os, sys
hooked = []
os.register_at_fork(before=lambda: hooked and hooked[0]())
import numpy as np
import zchunk

zchunk.set_threads(4)
z = zchunk.zeros(4096, chunks=8, shards=64, dtype="i4", zarr_format=3, store=zchunk.SQLiteStore(sys.argv[1]))

def write():
    z[:] = np.arange(4096)

hooked.append(write)
if os.fork() == 0:
    os._exit(0)
os.wait()
print(int(z[:].sum()) == 4096 * 4095 // 2)
"""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", program, folder + "/db"], capture_output=True, text=True, timeout=120
        )
    assert (done.stdout, done.stderr) == ("True\n", "")
