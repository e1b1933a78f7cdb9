"""Threads, forks, processes, signals: no update is lost, nothing hangs, every chunk is old or new."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.choice import rounds
from tests.variants import NO_ARRAYS, Variant
from zchunk.indexing import plan_basic
from zchunk.storage import KVStore

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.usefixtures("variant"),
]

THREADS = 4


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    zchunk.set_threads(THREADS)
    yield
    zchunk.set_threads(None)


def together(*works: Callable[[], Any]) -> None:
    """Run all at once and raise what one of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def write_interleaved(arrays: list[zchunk.Array]) -> None:
    """Each thread writes every fourth row, so that all of them share all chunks."""
    z = arrays[0]
    expected = np.arange(z.size).reshape(z.shape)

    def work(z: zchunk.Array, n: int) -> Callable[[], None]:
        def write() -> None:
            for row in range(n, len(z), THREADS):
                z[row] = expected[row]

        return write

    together(*(work(z, n) for n, z in enumerate(arrays)))
    np.testing.assert_array_equal(z[...], expected)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("separator", [".", "/"])
def test_one_array(separator: str, tmp_path: Path) -> None:
    z = zchunk.zeros((64, 30), chunks=(16, 10), dtype="i8", dimension_separator=separator, store=tmp_path)
    write_interleaved([z] * THREADS)


@pytest.mark.usefixtures("path")
def test_arrays_and_stores_for_one_folder(tmp_path: Path) -> None:
    """Other Array objects, other store objects, other roots, symbolic links: the locks are the same."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    zchunk.zeros((64, 30), chunks=(16, 10), dtype="i8", store=tmp_path / "real", path="g/a")
    arrays = [
        zchunk.open_array(tmp_path / "real", path="g/a"),
        zchunk.open_array(zchunk.DirectoryStore(tmp_path / "real" / "g"), path="a"),
        zchunk.open_array(tmp_path / "link" / "g" / "a"),
        zchunk.open_group(tmp_path / "real")["g/a"],
    ]
    write_interleaved(arrays)


def test_native_mixed_with_generic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(zchunk.DirectoryStore):
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, value)

    zchunk.zeros((64, 30), chunks=(16, 10), dtype="i8", store=tmp_path)
    arrays = [zchunk.open_array(store) for store in (tmp_path, Own(tmp_path), tmp_path, Own(tmp_path))]
    assert [z._current.folder is not None for z in arrays] == [True, False, True, False]
    write_interleaved(arrays)


@pytest.mark.parametrize("kind", ["dict", "stores of one dict", "memory", "zip"])
def test_stores_that_are_no_folders(kind: str, tmp_path: Path) -> None:
    shared: dict[str, bytes] = {}
    store = {"dict": shared, "memory": zchunk.MemoryStore(), "zip": zchunk.ZipStore(tmp_path / "a.zip")}.get(
        kind
    )
    zchunk.zeros((64, 30), chunks=(16, 10), dtype="i8", store=shared if store is None else store)
    write_interleaved(
        [zchunk.open_array(KVStore(shared) if store is None else store) for _ in range(THREADS)]
    )


@pytest.mark.usefixtures("path")
def test_large_writes_with_helpers_that_share_chunks(tmp_path: Path) -> None:
    z = zchunk.zeros((1200, 400), chunks=(100, 100), dtype="i8", store=tmp_path)
    expected = np.arange(z.size).reshape(z.shape)

    def work(n: int) -> Callable[[], None]:
        return lambda: z.set_basic_selection(np.s_[n::THREADS], expected[n::THREADS])

    together(*(work(n) for n in range(THREADS)))
    np.testing.assert_array_equal(z[...], expected)


def test_readers_see_old_or_new(tmp_path: Path) -> None:
    z = zchunk.zeros((64, 64), chunks=(64, 64), dtype="i8", store=tmp_path)
    done = threading.Event()

    def write() -> None:
        for n in range(300):
            z[...] = n
        done.set()

    def read() -> None:
        while not done.is_set():
            found = z[...]
            assert (found == found[0, 0]).all()

    together(write, read, read)


# ---- forks


def in_child(work: Callable[[], Any], seconds: float = 30) -> None:
    """Run `work` in a forked child, which must end well and in time."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pytest.fail("the child hangs")


@pytest.mark.one_in(2)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("path")
def test_fork_after_use(tmp_path: Path) -> None:
    z = zchunk.zeros((1000, 400), chunks=50, dtype="i8", store=tmp_path)
    z[...] = 1

    def work() -> None:
        assert (z[...] == 1).all()
        z[...] = 2
        assert (z[...] == 2).all()

    for _ in range(3):
        z[...] = 1
        in_child(work)
        assert (z[...] == 2).all()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_fork_while_threads_write(kind: str, tmp_path: Path) -> None:
    """Locks that other threads hold at the moment of the fork are free in the child."""
    z = zchunk.zeros((400, 100), chunks=(50, 100), dtype="i8", store=tmp_path if kind == "folder" else None)
    z[...] = 1
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            z[::3] = 1

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds(15)):
            in_child(lambda: (z.__setitem__(slice(1, None), 1), z[...].all() or os._exit(3)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (z[...] == 1).all()


@pytest.mark.one_in(3)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_while_threads_change_attributes_and_shape(tmp_path: Path) -> None:
    z = zchunk.zeros((0, 10), chunks=10, store=tmp_path)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            z.attrs["n"] = 1

    def grow() -> None:
        while not stop.is_set():
            z.append(np.ones((1, 10)))

    def refused() -> None:
        # Takes the lock and changes nothing: between processes it does not hold.
        with pytest.raises(ValueError, match="cannot be appended"):
            z.append(np.ones((1, 9)))

    threads = [threading.Thread(target=work) for work in (change, change, grow)]
    for thread in threads:
        thread.start()
    try:
        for n in range(15):
            in_child(lambda n=n: (z.attrs.update(child=n), refused()))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (z[...] == 1).all()


@pytest.mark.parametrize("kind", ["folder", "memory", "dict"])
def test_attributes_and_appends_of_many_threads(kind: str, tmp_path: Path) -> None:
    """Every thread opens the array for itself; no change is lost."""
    store: Any = {"folder": tmp_path, "memory": zchunk.MemoryStore(), "dict": {}}[kind]
    zchunk.zeros((0, 3), chunks=2, store=store, path="x")

    def work(thread: int) -> None:
        for n in range(25):
            z = zchunk.open_group(store)["x"]
            z.attrs[f"{thread}.{n}"] = n
            z.append(np.full((1, 3), thread))

    together(*(lambda t=t: work(t) for t in range(THREADS)))
    z = zchunk.open_group(store)["x"]
    assert len(z.attrs) == 25 * THREADS
    assert z.shape == (25 * THREADS, 3)
    assert sorted(z[:, 0]) == sorted(list(range(THREADS)) * 25)


class Counting(dict[str, bytes]):
    """A store that counts its writes in another array, as a store of the user's might."""

    def __init__(self) -> None:
        super().__init__()
        self.counter = zchunk.zeros(1, dtype="i8")

    def __setitem__(self, key: str, value: bytes) -> None:
        self.counter[0] += 1
        super().__setitem__(key, value)


@pytest.mark.variants("v2", "v3", reason="several threads write shards, and this store is for one")
def test_store_that_is_made_of_arrays() -> None:
    """It meets its own stripe after about a thousand writes, and gets in."""
    store = Counting()
    z = zchunk.zeros(6000, chunks=1, dtype="i1", store=store)
    done = threading.Event()

    def write() -> None:
        z[...] = 1
        done.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    assert done.wait(60), "a deadlock"
    assert store.counter[0] == 6001


def _add_row(z: zchunk.Array, row: int) -> float:
    z[row] = row
    return float(z[row].sum())


@pytest.mark.each_value
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_with_pickled_arrays(method: str, variant: Variant, tmp_path: Path) -> None:
    # Rows that share shards are not for two processes at a time otherwise.
    locks = zchunk.ProcessSynchronizer(tmp_path / "locks") if variant.sharded else None
    z = zchunk.zeros(
        (8, 50000), chunks=(1, 5000), dtype="f8", store=tmp_path / "z", synchronizer=locks
    )
    z[...] = 0
    with multiprocessing.get_context(method).Pool(2) as processes:
        sums = processes.starmap_async(_add_row, [(z, row) for row in range(8)]).get(60)
    assert sums == [row * 50000 for row in range(8)]
    assert z[...].sum() == sum(sums)


# ---- signals


@pytest.mark.parametrize("shards", [None, pytest.param((60, 90), marks=pytest.mark.slow)])
@NO_ARRAYS
def test_ctrl_c_during_a_large_read(shards: Any, tmp_path: Path) -> None:
    code = f"""
import os, signal, threading, time, numpy as np, zchunk
# A shell that starts a command in the background has it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
zchunk.set_threads(3)
more = {{"shards": {shards}, "zarr_format": 3}} if {shards} else {{}}
z = zchunk.zeros((3000, 3000), chunks=(30, 30), compressor=zchunk.Zlib(1), store={str(tmp_path)!r}, **more)
z[...] = np.random.default_rng(0).integers(0, 99, z.shape)
caught = 0

def interrupted(work, wait):
    global caught
    done = threading.Event()

    def interrupt():
        pause = wait
        while not done.wait(pause):
            os.kill(os.getpid(), signal.SIGINT)
            # Once more, much later: Python ignores one that comes while it collects an object.
            pause = 10

    timer = threading.Thread(target=interrupt)
    try:
        # The timer may be over before the work begins.
        timer.start()
        while True:
            work()
    except KeyboardInterrupt:
        done.set()
        caught += 1
    timer.join()

for wait in (0.01, 0.05, 0.15, 0.02):
    interrupted(lambda: z[...], wait)
for wait in (0.01, 0.05):
    interrupted(lambda: z.__setitem__(..., 5), wait)
z[1:2999] = 7
assert (z[1:2999, ::7] == 7).all()
print(caught, len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.stdout.startswith("6 "), result.stderr
    assert int(result.stdout.split()[1]) < 20


OVERWRITER = """
import sys, numpy as np, zchunk
z = zchunk.open_array(sys.argv[1], "r+")
print("go", flush=True)
n = 0
while True:
    n += 1
    z[...] = n
"""


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("durability", ["atomic", "fsync"])
@pytest.mark.each_value
def test_killed_while_overwriting(durability: Any, variant: Variant, tmp_path: Path) -> None:
    zchunk.ones((100, 100), chunks=(25, 50), dtype="i8", store=tmp_path)[...] = 1
    rng = random.Random(0)
    for _ in range(rounds(8)):
        child = subprocess.Popen([sys.executable, "-c", OVERWRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n"
        time.sleep(rng.uniform(0.001, 0.03))
        child.kill()
        child.wait()
        child.stdout.close()
        z = zchunk.open_array(zchunk.DirectoryStore(tmp_path, durability=durability))
        for part in plan_basic(..., z.metadata.grid).parts():
            chunk = z[part.outer]
            assert chunk[0, 0] >= 1
            assert (chunk == chunk[0, 0]).all()
        assert z.nchunks_initialized == variant.all_initialized(z)
