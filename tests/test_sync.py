"""Synchronizers: exclusion among threads and processes, whatever becomes of the holder of a lock."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk._ext.threads import key_locks
from zchunk.errors import StoreError
from zchunk.sync import KeyLock, ProcessSynchronizer, ThreadSynchronizer

fcntl = pytest.importorskip("fcntl")

PATIENCE = 60


@pytest.fixture(params=["thread", "process"])
def synchronizer(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return ThreadSynchronizer() if request.param == "thread" else ProcessSynchronizer(tmp_path / "locks")


@pytest.fixture
def locks(tmp_path: Path) -> ProcessSynchronizer:
    return ProcessSynchronizer(tmp_path / "locks")


def files(folder: Path) -> list[str]:
    """Return the open files in a folder. Those elsewhere belong to others, which may close them meanwhile."""
    if not os.path.isdir("/proc/self/fd"):
        return []
    places = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            places.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            # That of the listing itself, or one that was just closed.
            continue
    return sorted(place for place in places if place.startswith(f"{folder.resolve()}/"))


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path) -> Iterator[None]:
    """No lock stays in the table, no file open."""
    yield
    assert key_locks.entries() == {}
    assert files(tmp_path) == []


def child(work: Callable[[], Any]) -> int:
    """Fork a child that does `work`, and return its id; its status is 0 if `work` returned."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.alarm(PATIENCE)
        work()
        status = 0
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_thread(work: Callable[[], Any]) -> Any:
    """What `work` returns in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(PATIENCE)


def is_free(lock: KeyLock) -> bool:
    """Whether another thread could take the lock."""

    def attempt() -> bool:
        if not lock.acquire(blocking=False):
            return False
        lock.release()
        return True

    return bool(in_thread(attempt))


# ---- locks


def test_a_lock_excludes_other_threads_and_lets_its_owner_in(synchronizer: Any) -> None:
    with synchronizer["a/0.0"] as lock:
        assert isinstance(lock, KeyLock)
        assert not is_free(synchronizer["a/0.0"])
        with synchronizer["a/0.0"]:
            assert not is_free(synchronizer["a/0.0"])
        assert not is_free(synchronizer["a/0.0"])
    assert is_free(synchronizer["a/0.0"])


def test_other_keys_are_free(synchronizer: Any) -> None:
    with synchronizer["a/0.0"]:
        assert is_free(synchronizer["a/.zarray"])
        assert is_free(synchronizer["b/1.0"])


def test_acquire_and_release(synchronizer: Any) -> None:
    lock = synchronizer["k"]
    with pytest.raises(RuntimeError, match="not held"):
        lock.release()
    assert lock.acquire()
    with pytest.raises(RuntimeError, match="not held"):
        in_thread(lock.release)
    assert "k" in repr(lock) or "chunk-" in repr(lock)
    lock.release()
    assert is_free(lock)


def test_a_lock_is_released_after_an_error(synchronizer: Any) -> None:
    with pytest.raises(ZeroDivisionError), synchronizer["k"]:
        raise ZeroDivisionError
    assert is_free(synchronizer["k"])


def test_no_update_is_lost_among_threads(synchronizer: Any) -> None:
    total = [0]

    def count() -> None:
        for _ in range(200):
            with synchronizer["k"]:
                old = total[0]
                time.sleep(0)
                total[0] = old + 1

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert total == [1600]


def test_synchronizers_pickle(locks: ProcessSynchronizer) -> None:
    other = pickle.loads(pickle.dumps(locks))
    with locks["k"]:
        assert not is_free(other["k"])
    mine = ThreadSynchronizer()
    with mine["k"]:
        assert is_free(pickle.loads(pickle.dumps(mine))["k"])


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    locks = ProcessSynchronizer("locks")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for one in (locks, pickle.loads(pickle.dumps(locks))):
        with one["k"]:
            assert len(os.listdir(tmp_path / "locks")) == 1
    assert os.listdir() == []
    assert locks.path == "locks"
    assert repr(locks) == f"ProcessSynchronizer({str(tmp_path.resolve() / 'locks')!r})"


def test_no_key_leaves_the_folder_and_files_are_bounded(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    for key in ("../evil", "/etc/evil", "a/../../b", "", ".", "..", "a\0b", "\udcff", "x" * 9999):
        with locks[key]:
            pass
    assert os.listdir(tmp_path) == ["locks"]
    for i in range(5000):
        with locks[f"{i}.0"], locks[f"{i}/.zattrs"]:
            pass
    kinds = Counter(file.name.partition("-")[0] for file in (tmp_path / "locks").iterdir())
    assert kinds.keys() == {"chunk", "zattrs", "other"}
    assert kinds["chunk"] <= 1024
    assert kinds["zattrs"] <= 64
    # The names that are no keys.
    assert kinds["other"] <= 9
    assert all(file.stat().st_size == 0 for file in (tmp_path / "locks").iterdir())


def test_who_holds_metadata_gets_chunks(locks: ProcessSynchronizer) -> None:
    # Of all files, whichever a key falls on.
    for i in range(300):
        with locks[".zgroup"], locks[f"{i}/.zarray"], locks[f"{i}/0"]:
            assert len(key_locks.entries()) == 3


def test_file_systems_without_locks_say_so(
    locks: ProcessSynchronizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, how: int) -> None:
        if how != fcntl.LOCK_UN:
            raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match="flock"), locks["k"]:
        pass
    monkeypatch.undo()
    assert is_free(locks["k"])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
def test_open_files_are_seen(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    # What every test of this module ends with can fail.
    with locks["k"]:
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []


def test_systems_without_flock_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zchunk.sync, "fcntl", None)
    with pytest.raises(StoreError, match="flock"):
        ProcessSynchronizer(tmp_path)


# ---- processes


def test_a_signal_handler_takes_a_lock_that_is_waited_for(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    held, asked = tmp_path / "held", tmp_path / "asked"

    def hold() -> None:
        with locks["0"]:
            held.touch()
            while not asked.exists():
                time.sleep(0.01)

    pid = child(hold)
    while not held.exists():
        time.sleep(0.01)

    def take(*args: Any) -> None:
        # Until now the other process holds it, so that it is waited for.
        asked.touch()
        with locks["0"]:
            pass

    before = signal.signal(signal.SIGALRM, take)
    assert files(tmp_path) == []
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with locks["0"]:
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ended(pid) == 0
    assert files(tmp_path) == []
    assert ended(child(lambda: os._exit(not locks["0"].acquire(False)))) == 0


def test_a_killed_holder_blocks_nobody(locks: ProcessSynchronizer) -> None:
    for _ in range(5):
        ready, write = os.pipe()

        def hold(write: int = write) -> None:
            locks["k"].acquire()
            os.write(write, b"!")
            time.sleep(PATIENCE)

        pid = child(hold)
        assert os.read(ready, 1) == b"!"
        assert not is_free(locks["k"])
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
        with locks["k"]:
            pass
        os.close(ready)
        os.close(write)


def test_a_killed_holder_with_living_children_blocks_nobody(locks: ProcessSynchronizer) -> None:
    ready, write = os.pipe()

    def hold() -> None:
        with locks["k"]:
            # Forked while the lock is held, and living on.
            grandchild = child(lambda: time.sleep(PATIENCE))
            os.write(write, str(grandchild).encode())
            time.sleep(PATIENCE)

    pid = child(hold)
    grandchild = int(os.read(ready, 20))
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    try:
        time.sleep(0.05)
        with locks["k"]:
            os.kill(grandchild, 0)
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(ready)
        os.close(write)


@pytest.mark.parametrize("by", ["same thread", "other thread"])
def test_a_fork_while_a_lock_is_held(synchronizer: Any, by: str) -> None:
    """The child holds nothing and takes nothing from the parent; between processes it stays excluded."""
    shared = isinstance(synchronizer, ProcessSynchronizer)

    def look() -> None:
        # Nobody holds a thread's lock in the child; that of a process is the parent's.
        assert is_free(synchronizer["k"]) is not shared
        with synchronizer["other"]:
            pass

    release, held = threading.Event(), threading.Event()
    if by == "other thread":

        def hold() -> None:
            with synchronizer["k"]:
                held.set()
                release.wait(PATIENCE)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(PATIENCE)
        assert ended(child(look)) == 0
        assert not is_free(synchronizer["k"])
        release.set()
        thread.join(PATIENCE)
    else:
        with synchronizer["k"]:
            pid = child(look)
            assert ended(pid) == 0
            assert not is_free(synchronizer["k"])
    assert is_free(synchronizer["k"])


def test_a_child_that_leaves_the_block_releases_nothing(locks: ProcessSynchronizer) -> None:
    pid = -1
    with locks["k"]:
        pid = os.fork()
        if pid:
            assert ended(pid) == 0
            # In a process of its own: what the child did must not matter.
            probe = child(lambda: is_free(locks["k"]) and os._exit(3))
            assert ended(probe) == 0
    if not pid:
        os._exit(0 if not key_locks.entries() else 1)


def test_forks_while_threads_come_and_go(locks: ProcessSynchronizer) -> None:
    stop = threading.Event()

    def busy(n: int) -> None:
        while not stop.is_set():
            with locks[f"{n}"], locks[f"{n}/.zarray"]:
                pass

    threads = [threading.Thread(target=busy, args=(n % 2,)) for n in range(4)]
    for thread in threads:
        thread.start()

    def work() -> None:
        for n in range(2):
            with locks[f"{n}"]:
                pass

    try:
        for pid in [child(work) for _ in range(20)]:
            assert ended(pid) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)


# ---- arrays

PROCESSES, THREADS = 3, 3


def fill_rows(path: Path, locks: ProcessSynchronizer, process: int) -> None:
    """Write every row of the process' share, a thread each in turn: all of them share all chunks."""
    z = zchunk.open_array(path, "r+", synchronizer=locks)

    def work(thread: int) -> None:
        for row in range(process * THREADS + thread, len(z), PROCESSES * THREADS):
            z[row] = row + 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("filters", [None, [{"id": "delta", "dtype": "<i4"}]], ids=["native", "generic"])
def test_processes_and_threads_write_parts_of_the_same_chunks(
    filters: Any, tmp_path: Path, locks: ProcessSynchronizer
) -> None:
    z = zchunk.zeros((180, 6), chunks=(60, 3), dtype="i4", store=tmp_path / "z", filters=filters)
    children = [child(lambda n=n: fill_rows(tmp_path / "z", locks, n)) for n in range(PROCESSES)]  # type: ignore[misc]
    assert [ended(pid) for pid in children] == [0] * PROCESSES
    np.testing.assert_array_equal(z[...], np.repeat(np.arange(1, 181)[:, None], 6, 1))


@pytest.mark.usefixtures("variant")
def test_processes_that_know_nothing_of_each_other(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    z = zchunk.zeros(40, chunks=40, dtype="i4", store=tmp_path / "z")
    code = (
        "import sys, zchunk\n"
        "path, locks, n = sys.argv[1:]\n"
        "z = zchunk.open(path, mode='r+', synchronizer=zchunk.ProcessSynchronizer(locks))\n"
        "for i in range(int(n), 40, 2): z[i] = i; z.attrs[str(i)] = i"
    )
    args = [sys.executable, "-c", code, str(tmp_path / "z"), str(tmp_path / "locks")]
    both = [subprocess.Popen([*args, str(n)]) for n in range(2)]
    assert [process.wait(PATIENCE) for process in both] == [0, 0]
    np.testing.assert_array_equal(z[...], np.arange(40))
    assert len(z.attrs) == 40


@pytest.mark.usefixtures("variant")
def test_processes_append_and_set_attributes(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    zchunk.zeros(0, chunks=7, dtype="i4", store=tmp_path / "z")

    def work(n: int) -> None:
        z = zchunk.open_array(tmp_path / "z", "r+", synchronizer=locks)

        def thread(m: int) -> None:
            for i in range(10):
                z.append(np.full(3, n * 100 + m * 10 + i, "i4"))
                z.attrs[f"{n}.{m}.{i}"] = i

        threads = [threading.Thread(target=thread, args=(m,)) for m in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    children = [child(lambda n=n: work(n)) for n in range(3)]  # type: ignore[misc]
    assert [ended(pid) for pid in children] == [0, 0, 0]
    z = zchunk.open_array(tmp_path / "z", "r")
    expected = sorted(n * 100 + m * 10 + i for n in range(3) for m in range(2) for i in range(10))
    found = z[...].reshape(-1, 3)
    assert sorted(found[:, 0].tolist()) == expected
    assert (found == found[:, :1]).all()
    assert len(z.attrs) == 60


@pytest.mark.usefixtures("variant")
def test_writers_that_are_killed_while_others_write(tmp_path: Path, locks: ProcessSynchronizer) -> None:
    zchunk.zeros((90, 4), chunks=(30, 2), dtype="i4", store=tmp_path / "z")

    def forever() -> None:
        z = zchunk.open_array(tmp_path / "z", "r+", synchronizer=locks)
        while True:
            # Rows that nobody else writes.
            z[::10] = -1

    victims = [child(forever) for _ in range(2)]
    writer = child(lambda: fill_others(tmp_path / "z", locks))
    for _ in range(6):
        time.sleep(0.03)
        victim = victims.pop(0)
        os.kill(victim, signal.SIGKILL)
        ended(victim)
        victims.append(child(forever))
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
        ended(victim)
    assert ended(writer) == 0
    rows = [n for n in range(90) if n % 10]
    found = zchunk.open_array(tmp_path / "z", "r")[...]
    np.testing.assert_array_equal(found[rows], np.repeat(np.array(rows)[:, None], 4, 1))


def fill_others(path: Path, locks: ProcessSynchronizer) -> None:
    z = zchunk.open_array(path, "r+", synchronizer=locks)
    for row in range(90):
        if row % 10:
            z[row] = row


@pytest.mark.usefixtures("variant")
def test_resizing_takes_locks_in_order(tmp_path: Path, synchronizer: Any) -> None:
    z = zchunk.zeros((10, 10), chunks=(3, 3), store=tmp_path / "z", synchronizer=synchronizer)
    z[...] = 1
    z.resize(5, 4)
    z.resize(12, 12)
    assert z[...].sum() == 20
    again = pickle.loads(pickle.dumps(z))
    assert type(again.synchronizer) is type(synchronizer)
    again[0, 0] = 5
    assert z[0, 0] == 5


def test_signal_handlers_take_the_lock_that_they_interrupt(tmp_path: Path) -> None:
    code = """
import fcntl, os, signal, sys
import zchunk
from zchunk._ext.threads import key_locks
locks = zchunk.ProcessSynchronizer(sys.argv[1])
calls = depth = 0

def handle(signum, frame):
    global calls, depth
    # Handlers interrupt each other, but not without end where one takes longer than the next takes to come.
    depth += 1
    if depth < 5:
        with locks["k"]:
            calls += 1
    depth -= 1

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
while calls < 2000:
    with locks["k"]:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
assert key_locks.entries() == {}
for name in os.listdir(sys.argv[1]):
    with open(os.path.join(sys.argv[1], name)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
def test_ctrl_c_leaves_no_file_open_while_threads_come_and_go(tmp_path: Path) -> None:
    code = """
import os, random, signal, sys, threading
import zchunk
from zchunk._ext.threads import key_locks
locks = zchunk.ProcessSynchronizer(sys.argv[1])
busy = True

def work(name):
    while busy:
        with locks[name]:
            pass

others = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
for other in others:
    other.start()
signal.signal(signal.SIGALRM, signal.default_int_handler)
for n in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(2e-4, 2e-3))
        while True:
            with locks["mine"]:
                pass
    except KeyboardInterrupt:
        pass
busy = False
for other in others:
    other.join()
assert key_locks.entries() == {}, key_locks.entries()
links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
left = [link for link in map(os.path.realpath, links) if link.endswith(".lock")]
assert left == [], left
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
