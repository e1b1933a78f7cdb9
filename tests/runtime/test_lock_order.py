"""No threads wait in a circle, whatever a signal handler does in the middle of code that holds something."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import numpy as np
import pytest

import zchunk
from zchunk._ext.threads.guards import Gate, Guard, holding, open_again, shut
from zchunk._ext.threads.locks import ChunkLocks, KeyLock
from zchunk.errors import ChangeInProgressError, change_in_progress

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no signals for programs")

# What each kind of store has in memory is in use by the main thread when a signal handler comes in it.
# Another thread holds the key of a chunk, and waits for the store.
STORES = """
import signal, sys, threading
import numpy as np
import zchunk
from zchunk.storage import memory

kind, folder = sys.argv[1:]
begun = threading.Event()

class Told:
    def modify(self, key, change):
        begun.set()
        super().modify(key, change)

def told(cls, *args, **kwargs):
    return type("Told", (Told, cls), {})(*args, **kwargs)

def under(guard, work):
    with guard:
        work()

store, use = {
    "memory": lambda: (told(zchunk.MemoryStore), lambda s, work: under(memory._changes, work)),
    "sqlite": lambda: (
        told(zchunk.SQLiteStore, folder + "/db"), lambda s, work: s._use(lambda db, first: work())
    ),
    "lmdb": lambda: (told(zchunk.LMDBStore, folder + "/db"), lambda s, work: s._change(lambda db: work())),
    "zip": lambda: (told(zchunk.ZipStore, folder + "/a.zip"), lambda s, work: under(s._archive._lock, work)),
    "dbm": lambda: (told(zchunk.DBMStore, folder + "/a"), lambda s, work: s._use(lambda db: work())),
    "lru": lambda: (
        told(zchunk.LRUStoreCache, zchunk.MemoryStore(), None), lambda s, work: s._process().use(work, None)
    ),
}[kind]()
z = zchunk.zeros(8, chunks=4, dtype="i4", store=store, path="a", zarr_format=3)
z.attrs["x"] = 1
s = zchunk.zeros(8, chunks=2, shards=4, dtype="i4", store=store, path="s", zarr_format=3)
z[:], s[:] = 1, 2
begun.clear()
thread = threading.Thread(target=z.__setitem__, args=(1, 5))
seen = []

def handle(number, frame):
    thread.start()
    # It holds the key of chunk 0, and will until the store is free.
    begun.wait()
    try:
        z[0] = 7
    except zchunk.errors.ChangeInProgressError as error:
        seen.append(error)
    # Readers go on, also those that have helpers: several shards at a time.
    seen.append((z[4:].tolist(), s[:].tolist(), dict(z.attrs)))

signal.signal(signal.SIGUSR1, handle)
zchunk.set_threads(3)
use(store, lambda: signal.raise_signal(signal.SIGUSR1))
thread.join()
assert len(seen) == 2, seen
assert seen[1] == ([1] * 4, [2] * 8, {"x": 1}), seen
assert z[:].tolist() == [1, 5, 1, 1, 1, 1, 1, 1]
z[0] = 7
assert z[:2].tolist() == [7, 5]
"""


@pytest.mark.parametrize("kind", ["memory", "sqlite", "lmdb", "zip", "dbm", "lru"])
def test_a_handler_does_not_wait_for_what_waits_for_the_store(kind: str, tmp_path: Path) -> None:
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    command = [sys.executable, "-c", STORES, kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def refused(key: str) -> ChangeInProgressError:
    return change_in_progress(key)


def held_elsewhere(key: str, table: int) -> tuple[threading.Thread, threading.Event]:
    """Have a thread hold a key until the event is set."""
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with KeyLock(1, key, refused, table):
            held.set()
            leave.wait()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    held.wait()
    return thread, leave


CHUNKS, METADATA, VALUES = 0, 1, 2


@pytest.mark.parametrize(
    ("mine", "wanted"), [(CHUNKS, METADATA), (CHUNKS, VALUES), (VALUES, METADATA)], ids=str
)
def test_no_wait_against_the_order(mine: int, wanted: int) -> None:
    thread, leave = held_elsewhere("other", wanted)
    with KeyLock(1, "mine", refused, mine):
        with pytest.raises(ChangeInProgressError, match=r"'?other'?.* another thread"):
            KeyLock(1, "other", refused, wanted).__enter__()
        with KeyLock(1, "other", refused, wanted, False) as reading:
            # It reads without the key rather than not at all.
            assert not reading.held
        with KeyLock(1, "free", refused, wanted) as lock:
            assert lock.held
    leave.set()
    thread.join()
    with KeyLock(1, "mine", refused, mine), KeyLock(1, "other", refused, wanted):
        pass


def test_chunks_are_waited_for_in_one_direction() -> None:
    """In the thread of signal handlers: in the other direction, the holder may be waiting for this thread."""

    def take(mine: str, wanted: str) -> str:
        thread, leave = held_elsewhere(wanted, CHUNKS)
        timer = threading.Timer(0.2, leave.set)
        timer.start()
        try:
            with KeyLock(1, mine, refused), KeyLock(1, wanted, refused):
                return "held"
        except ChangeInProgressError:
            return "refused"
        finally:
            timer.join()
            thread.join()

    assert sorted([take("a", "b"), take("b", "a")]) == ["held", "refused"]


def test_what_keeps_to_the_order_waits() -> None:
    """Metadata, then chunks; and several chunks at once, among threads."""
    thread, leave = held_elsewhere("other", CHUNKS)
    taken = threading.Event()

    def take() -> None:
        with KeyLock(1, "node", refused, METADATA), ChunkLocks(1, ["other", "b", "c"], refused):
            taken.set()

    waiting = threading.Thread(target=take, daemon=True)
    waiting.start()
    leave.set()
    waiting.join(60)
    thread.join()
    assert taken.is_set()


def test_under_a_guard_nothing_waits_for_a_key() -> None:
    thread, leave = held_elsewhere("other", METADATA)
    guard = Guard()
    assert not holding()
    with guard as first:
        assert first
        assert holding()
        assert guard.held
        with guard as again:
            assert not again
        with pytest.raises(ChangeInProgressError):
            KeyLock(1, "other", refused, METADATA).__enter__()
        with KeyLock(1, "free", refused, METADATA) as lock:
            assert lock.held
    assert not holding()
    assert not guard.held
    leave.set()
    thread.join()
    with pytest.raises(RuntimeError, match="the thread that holds"):
        guard.__exit__(None, None, None)


def test_a_thread_inside_gets_more_guards_while_another_waits_to_fork() -> None:
    """It would wait for the fork, which waits for it: in a handler that opens a store, for instance."""
    outer, inner, free = Guard(), Guard(), threading.Event()

    def fork() -> None:
        shut()
        free.set()
        open_again()

    thread = threading.Thread(target=fork, daemon=True)
    with outer:
        thread.start()
        for _ in range(1000):
            # Before, while and after the gate is shut.
            with inner, Gate():
                assert not free.is_set()
    thread.join(60)
    assert free.is_set()
    # A thread that waits to fork gets in itself, in a handler that runs meanwhile.
    shut()
    with outer, Gate():
        pass
    open_again()


def test_helpers_wait_for_the_shards_that_other_writers_have() -> None:
    """What a thread writes itself, beside its helpers, it lets go of before it waits for them."""
    z = zchunk.zeros(64, chunks=4, shards=8, dtype="i4", zarr_format=3)
    before = zchunk.get_threads()
    zchunk.set_threads(3)
    failed: list[Exception] = []

    def write(value: int) -> None:
        try:
            for _ in range(30):
                z[:] = value
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(value,)) for value in (1, 2, 3)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        zchunk.set_threads(before)
    assert failed == []
    assert {*z[:].tolist()} <= {1, 2, 3}


# Each thread takes a guard and then, as in a finalizer, the next: one after the other, for a thread that has
# lent a guard does not go on.
CIRCLE = """
import sys, threading, time
from zchunk._ext.threads.guards import Guard, holding

guards = [Guard() for _ in range(int(sys.argv[1]))]
count = len(guards)

def take(number):
    wanted = guards[(number + 1) % count]
    with guards[number] as first:
        assert first
        all_held.wait()
        with wanted as first:
            said.append((number, first, wanted.held))
            time.sleep(0.01)
            with wanted as first:
                assert not first
            said.append((number, "done"))
        assert guards[number].held

for _ in range(20):
    said, all_held = [], threading.Barrier(count)
    threads = [threading.Thread(target=take, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 2 * count, said
    for i in range(0, 2 * count, 2):
        number = said[i][0]
        # The first one has borrowed what it wants.
        assert said[i : i + 2] == [(number, i > 0, True), (number, "done")], said
for guard in guards:
    with guard as first:
        assert first
assert not holding()
"""


@pytest.mark.parametrize("count", [2, 5])
def test_threads_that_would_wait_in_a_circle_for_guards_borrow_one(count: int) -> None:
    """Finalizers run in any thread, under any guard."""
    command = [sys.executable, "-c", CIRCLE, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


FORKING = """
import os, threading
import zchunk
from zchunk._ext.threads.guards import Guard

ours, theirs = Guard(), Guard()
held = threading.Event()

def take():
    with theirs:
        held.set()
        # The other thread has it, and forks, which waits until nobody is here.
        with ours:
            pass

thread = threading.Thread(target=take)
with ours:
    thread.start()
    held.wait()
    pid = os.fork()
    if not pid:
        with theirs as first:
            os._exit(not first)
    assert os.waitpid(pid, 0)[1] == 0
    assert ours.held
thread.join()
"""


def test_a_fork_under_a_guard_lends_it() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# One thread lists a store as the cache drops another; one reads through the cache as that store is listed.
FINALIZERS = """
import threading
import zchunk
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.storage import memory

other = zchunk.MemoryStore()
other["k"] = b"v"
cache = ChunkCache(1 << 20)
kept = zchunk.open_array(zchunk.ones(8, chunks=4, dtype="i4").store, mode="r", cache_bytes=cache)
dropping, listing = threading.Event(), threading.Event()
seen = []

class Dropped(dict):
    def __del__(self):
        dropping.set()
        listing.wait()
        seen.append(list(other))

def drop():
    store = Dropped()
    zchunk.ones(4, chunks=4, dtype="i4", store=store)
    zchunk.open_array(store, mode="r", cache_bytes=cache)[:]
    del store
    cache.clear()

def read():
    with memory._changes:
        dropping.wait()
        listing.set()
        seen.append(kept[:].tolist())

threads = [threading.Thread(target=work) for work in (drop, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(seen, key=len) == [["k"], [1] * 8], seen
"""


def test_finalizers_under_the_guard_of_a_cache_use_other_stores() -> None:
    command = [sys.executable, "-c", FINALIZERS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


class Rows(MutableMapping[str, bytes]):
    """A store that keeps its values in rows of another array, two in each of its chunks."""

    def __init__(self, n: int) -> None:
        self.rows = zchunk.zeros((n, 4096), chunks=(2, 4096), dtype="u1")
        self.sizes: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.lock = threading.Lock()

    def __getitem__(self, key: str) -> bytes:
        return bytes(self.rows[self.numbers[key], : self.sizes[key]].tobytes())

    def __setitem__(self, key: str, value: bytes) -> None:
        value = bytes(value)
        with self.lock:
            number = self.numbers.setdefault(key, len(self.numbers))
        self.rows[number, : len(value)] = np.frombuffer(value, "u1")
        self.sizes[key] = len(value)

    def __delitem__(self, key: str) -> None:
        del self.sizes[key], self.numbers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.numbers))

    def __len__(self) -> int:
        return len(self.numbers)


def test_writes_inside_of_writes_wait_for_each_other() -> None:
    """Threads other than the main one run no signal handlers: nothing is refused there."""
    z = zchunk.zeros(64, chunks=2, dtype="i4", compressor=None, store=Rows(64))
    failed: list[Exception] = []
    begin = threading.Barrier(8)

    def write(i: int) -> None:
        begin.wait()
        try:
            for k in range(100):
                z[2 * i : 2 * i + 2] = k
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert (z[:16] == 99).all()


def test_lazy_data_are_computed_before_the_array_is_locked() -> None:
    z = zchunk.array([1, 2, 3], chunks=2)
    z.attrs["scale"] = 2

    class Lazy:
        """Computed in another thread, which changes the array's attributes."""

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            thread = threading.Thread(target=z.attrs.update, args=({"scale": 3},), daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive()
            return np.array([4, 5]) * z.attrs["scale"]

    assert z.append(Lazy()) == (5,)
    assert z[:].tolist() == [1, 2, 3, 12, 15]
