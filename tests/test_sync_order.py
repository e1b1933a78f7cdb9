"""Locks of synchronizers in the order of locks: handlers, helpers and processes do not wait in a circle."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no signals for programs")

# An array whose chunk 1 is half full. An append writes there, while it holds the locks of the metadata.
COMMON = """
import os, signal, sys, threading, time
from collections import defaultdict
import numpy as np
import zchunk
from zchunk._ext.threads import key_locks
from zchunk.errors import ChangeInProgressError

class Interrupted(zchunk.sync.KeyLock):
    # A signal comes as soon as the lock of chunk 1 is held, and before anything else is.
    armed = False

    def __enter__(self):
        super().__enter__()
        if Interrupted.armed and threading.current_thread() is threading.main_thread():
            Interrupted.armed = False
            signal.raise_signal(signal.SIGUSR1)
        return self

def interrupting(cls):
    class Interrupting(cls):
        def __getitem__(self, key):
            lock = super().__getitem__(key)
            lock.__class__ = Interrupted
            return lock
    return Interrupting

kind, folder = sys.argv[1:3]
if kind == "thread":
    sync = interrupting(zchunk.ThreadSynchronizer)()
elif kind == "process":
    sync = interrupting(zchunk.ProcessSynchronizer)(folder + "/locks")

def until(happens):
    while not happens():
        time.sleep(0.001)

def somebody_waits():
    # Two threads are at one lock.
    return any(users > 1 for users, files in list(key_locks.entries().values()))

def refused(change):
    try:
        change()
    except ChangeInProgressError:
        return True
    return False
"""


def start(code: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMMON + code, *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(code: str, *args: object) -> str:
    """Return what a program prints. One that hangs fails the test."""
    with start(code, *args) as process:
        try:
            out, err = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 0, err
    return out


# Another thread appends: it has the locks of the metadata, and waits for that of the chunk.
IN_A_WRITE = """
z = zchunk.zeros(6, chunks=4, dtype="i4", synchronizer=sync)
z[:] = 1
seen = []

def handle(number, frame):
    thread.start()
    until(somebody_waits)
    seen.append(refused(lambda: z.append([2])))
    seen.append(refused(lambda: z.attrs.update(a=1)))
    seen.append(refused(lambda: z.resize(5)))
    seen.append((z[:].tolist(), dict(z.attrs)))

signal.signal(signal.SIGUSR1, handle)
thread = threading.Thread(target=z.append, args=([9],))
Interrupted.armed = True
z[5] = 3
thread.join()
assert seen == [True, True, True, ([1] * 6, {})], seen
assert z[:].tolist() == [1, 1, 1, 1, 1, 3, 9], z[:]
# It is over.
z.append([2])
z.attrs["a"] = 1
assert key_locks.entries() == {}
"""


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_handler_in_a_write_does_not_wait_for_an_append(kind: str, tmp_path: Path) -> None:
    run(IN_A_WRITE, kind, tmp_path)


# The same while the interrupted write waits for another process.
WAITING = """
import subprocess
z = zchunk.zeros(6, chunks=4, dtype="i4", synchronizer=sync)
z[:] = 1
holder = subprocess.Popen(
    [sys.executable, "-c", "import sys, zchunk\\n"
     "with zchunk.ProcessSynchronizer(sys.argv[1])['1']: print('held', flush=True); sys.stdin.read()",
     folder + "/locks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
holder.stdout.readline()
seen = []

def handle(number, frame):
    seen.append(refused(lambda: z.append([2])))
    seen.append(refused(lambda: z.attrs.update(a=1)))
    seen.append((z[:].tolist(), dict(z.attrs)))
    holder.stdin.close()

def waits_for_a_file():
    return any(files for users, files in list(key_locks.entries().values()))

def interrupt():
    until(waits_for_a_file)
    appending.start()
    until(somebody_waits)
    os.kill(os.getpid(), signal.SIGUSR1)

signal.signal(signal.SIGUSR1, handle)
appending = threading.Thread(target=z.append, args=([9],))
interrupting = threading.Thread(target=interrupt)
interrupting.start()
z[5] = 3
interrupting.join()
appending.join()
holder.wait()
assert seen == [True, True, ([1] * 6, {})], seen
assert z[:].tolist() == [1, 1, 1, 1, 1, 3, 9], z[:]
"""


def test_a_handler_in_a_wait_for_another_process_does_not_wait_for_an_append(tmp_path: Path) -> None:
    run(WAITING, "process", tmp_path)


# A process says when its handler runs, which interrupts a write, and makes a change when it is told to.
INTERRUPTED_WRITER = """
first, second = sys.argv[3:]
z = zchunk.open_array(folder + "/z", mode="r+", synchronizer=sync)
seen = []

def handle(number, frame):
    print("held", flush=True)
    sys.stdin.readline()
    seen.append(refused(lambda: z.append([2]) if second == "append" else z.__setitem__(int(second), 7)))

signal.signal(signal.SIGUSR1, handle)
Interrupted.armed = True
z[int(first)] = 3
print("refused" if seen[0] else "done")
"""

MADE = """
zchunk.zeros(6, chunks=4, dtype="i4", store=folder + "/z")[:] = 1
"""


def test_of_two_processes_whose_handlers_want_each_others_chunk_one_is_refused(tmp_path: Path) -> None:
    run(MADE, "process", tmp_path)
    with ExitStack() as stack:
        both = [
            stack.enter_context(start(INTERRUPTED_WRITER, "process", tmp_path, *which))
            for which in [(0, 5), (5, 0)]
        ]
        try:
            assert [process.stdout.readline() for process in both if process.stdout] == ["held\n"] * 2
            for process in both:
                assert process.stdin
                process.stdin.write("go on\n")
                process.stdin.flush()
            ends = [process.communicate(timeout=90) for process in both]
        finally:
            for process in both:
                process.kill()
    assert sorted(out for out, _ in ends) == ["done\n", "refused\n"], ends


# The program has the lock itself, which is no proof of a handler: zchunk gives up after some seconds.
OF_THE_PROGRAM = """
z = zchunk.zeros(6, chunks=4, dtype="i4", synchronizer=sync)
z[:] = 1
seen = []

def handle(number, frame):
    thread.start()
    until(somebody_waits)
    seen.append(dict(z.attrs))
    seen.append(refused(lambda: z.attrs.update(a=1)))

signal.signal(signal.SIGUSR1, handle)
thread = threading.Thread(target=z.append, args=([9],))
with sync["1"]:
    value = z[5]
    signal.raise_signal(signal.SIGUSR1)
    z[5] = value + 2
thread.join()
assert seen == [{}, True], seen
assert z[:].tolist() == [1, 1, 1, 1, 1, 3, 9], z[:]
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_handler_in_a_block_of_the_program_does_not_wait_for_ever(kind: str, tmp_path: Path) -> None:
    run(OF_THE_PROGRAM, kind, tmp_path)


# What a program does outside of handlers is never refused, whichever locks of its own it has.
STRAIGHT = """
z = zchunk.zeros(6, chunks=4, dtype="i4", synchronizer=sync)

def append(number):
    for i in range(30):
        z.append([i])
        z.attrs[f"other {number} {i}"] = i

threads = [threading.Thread(target=append, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for i in range(30):
    # A name that means nothing to zchunk, and the locks of metadata in their order.
    with sync["b"], sync["a"]:
        z.append([i])
        z.attrs[f"main {i}"] = i
        z[:4] += 1
    with sync[".zarray"]:
        z.append([i])
        z[:4] += 1
for thread in threads:
    thread.join()
assert z.shape == (126,)
assert z[:4].tolist() == [60] * 4
assert len(z.attrs) == 90
assert key_locks.entries() == {}
"""


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_what_the_program_holds_in_order_is_waited_for(kind: str, tmp_path: Path) -> None:
    run(STRAIGHT, kind, tmp_path)


# Helpers of a thread that has the lock of a chunk write that chunk.
HELPERS = """
zchunk.set_threads(3)
z = zchunk.zeros(64, chunks=4, shards=8, dtype="i4", zarr_format=3, store={}, path="a", synchronizer=sync)

def write():
    for value in range(1, 31):
        with sync["a/c/5"], sync["a/c/7"]:
            z[:] = value
            assert (z[:] == value).all()

write()
assert sync["a/c/5"].acquire()
z[:] = 7
sync["a/c/5"].release()
threads = [threading.Thread(target=write) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert (z[:] == 30).all()
assert key_locks.entries() == {}
"""


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_helpers_get_the_lock_of_the_thread_that_waits_for_them(kind: str, tmp_path: Path) -> None:
    run(HELPERS, kind, tmp_path)


# Locks that are not zchunk's, whose holders it does not know. The signal comes before a chunk is changed.
FOREIGN = """
class Store(zchunk.MemoryStore):
    armed = False

    def modify(self, key, change):
        if self.armed and threading.current_thread() is threading.main_thread():
            self.armed = False
            signal.raise_signal(signal.SIGUSR1)
        super().modify(key, change)

class Plain:
    # Nothing but a context manager.
    def __init__(self):
        self.lock = threading.Lock()

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, *exc):
        self.lock.release()

def is_held(lock):
    lock = getattr(lock, "lock", lock)
    if lock.acquire(False):
        lock.release()
        return False
    return True

store = Store()
locks = defaultdict({"lock": threading.Lock, "rlock": threading.RLock, "plain": Plain}[kind])
z = zchunk.zeros(6, chunks=4, dtype="i4", synchronizer=locks, store=store)
z[:] = 1
seen = []

def handle(number, frame):
    # The same chunk; another one, whose lock is free, if that can be told.
    seen.append(refused(lambda: z.__setitem__(4, 8)))
    seen.append(refused(lambda: z.__setitem__(0, 8)))
    thread.start()
    until(lambda: is_held(locks[".zarray"]))
    # An append has the locks of the metadata, and will wait for the chunk.
    seen.append(refused(lambda: z.append([2])))
    seen.append(z[1:].tolist())

signal.signal(signal.SIGUSR1, handle)
thread = threading.Thread(target=z.append, args=([9],))
store.armed = True
z[5] = 3
thread.join()
plain = kind == "plain"
assert seen == [True, plain, True, [1] * 5], seen
assert z[:].tolist() == [1 if plain else 8, 1, 1, 1, 1, 3, 9], z[:]
z.append([2])
z[4] = 8
"""


@pytest.mark.parametrize("kind", ["lock", "rlock", "plain"])
def test_handlers_do_not_wait_for_locks_of_the_program(kind: str, tmp_path: Path) -> None:
    run(FOREIGN, kind, tmp_path)
