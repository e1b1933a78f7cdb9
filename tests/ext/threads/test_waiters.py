"""Threads that wait for slow storage: values, errors, signals, forks and descriptors are as without them.

A library that is loaded before the C library (`benchmarks/slow.c`) makes every open, read and fsync take
milliseconds.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import slow
from tests import ROOT
from tests.sanitizers import not_sanitized

BEGIN = """
import os, resource, signal, sys, threading, time
import numpy as np
import zchunk
from benchmarks import slow
from zchunk.storage import DirectoryStore

folder = sys.argv[1]
data = np.arange(32 * 32 * 32, dtype="<f4").reshape(32, 32, 32)
LZ4 = zchunk.Blosc("lz4", 5, 1)

def stored(name="array", **options):
    options = {"chunks": (8, 8, 8), "compressor": LZ4, **options}
    z = zchunk.create(data.shape, dtype="<f4", store=f"{folder}/{name}", **options)
    z[...] = data
    return zchunk.open_array(f"{folder}/{name}", mode="r")

def threads():
    return len(os.listdir("/proc/self/task"))
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    found = slow.environment(tmp_path_factory.mktemp("library"))
    if not found:
        pytest.skip("not Linux, or no C compiler")
    return {**os.environ, **found}


@pytest.fixture
def run(tmp_path, env):
    def run_code(code):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + code, str(tmp_path)],
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    return run_code


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_more_reads_are_under_way_than_threads_compute(run, threads):
    run(f"""
zchunk.set_threads({threads})
arrays = [
    stored("lz4"),
    stored("raw", compressor=None),
    stored("zlib", compressor=zchunk.Zlib(1)),
    stored("large", chunks=(32, 32, 2)),
]
items = np.random.default_rng(1).integers(0, 32, (3, 200))
before = threads()
for z in arrays:
    for selection in (np.s_[:], np.s_[3:29, 1:30, 2:31], np.s_[:, 5, 6], np.s_[::3, ::5, ::7]):
        with slow.calls(folder, 0.002):
            got = z[selection]
        assert got.shape != data.shape or slow.most() > {threads}, slow.most()
        assert np.array_equal(got, data[selection])
    with slow.calls(folder, 0.001):
        assert np.array_equal(z.vindex[tuple(items)], data[tuple(items)])
        assert np.array_equal(z.oindex[[1, 5, 31], :, [0, 9]], data[np.ix_([1, 5, 31], range(32), [0, 9])])
    # They are gone; what is left are the helpers that stay for the next read.
    assert threads() <= before + {threads} - 1
""")


def test_shards_archives_and_checksums(run):
    run("""
zchunk.set_threads(2)
data = np.arange(64 * 64 * 64, dtype="<f4").reshape(64, 64, 64)
plain = {"dtype": "<f4", "compressor": None}
# Smaller chunks would be read with the whole shard.
sharded = zchunk.create(
    data.shape, chunks=(32, 32, 8), shards=(64, 64, 64), store=folder + "/shards", zarr_format=3, **plain
)
summed = zchunk.create(
    data.shape, chunks=(16, 16, 8), store=folder + "/summed", zarr_format=3, checksum=True, **plain
)
archive = zchunk.create(
    data.shape, chunks=(16, 16, 8), store=zchunk.ZipStore(folder + "/a.zip", mode="w"), **plain
)
large = zchunk.create(
    (8, 512, 512), chunks=(1, 512, 512), shards=(8, 512, 512), store=folder + "/large", zarr_format=3,
    checksum=True, **plain
)
large[...] = np.arange(8 * 512 * 512, dtype="<f4").reshape(large.shape)
with slow.calls(folder, 0.001):
    assert np.array_equal(large[1:].ravel(), np.arange(512 * 512, 8 * 512 * 512, dtype="<f4"))
    assert slow.most() > 2, slow.most()
for z in (sharded, summed, archive):
    z[...] = data
archive.store.close()
with slow.calls(folder, 0):
    archive = zchunk.open_array(zchunk.ZipStore(folder + "/a.zip", mode="r"), mode="r")
for z in (sharded, summed, archive):
    with slow.calls(folder, 0.002):
        assert np.array_equal(z[1:63, 2:64, 3:], data[1:63, 2:64, 3:])
        assert slow.most() > 2, (z, slow.most())
""")


@pytest.mark.slow
def test_what_is_missing_or_damaged_is_what_it_is_without_them(run):
    run("""
zchunk.set_threads(2)
z = stored(fill_value=7)
os.remove(folder + "/array/2.2.2")
want = data.copy()
want[16:24, 16:24, 16:24] = 7
with slow.calls(folder, 0.002):
    assert np.array_equal(z[...], want)
with open(folder + "/array/1.1.1", "r+b") as file:
    file.write(b"nonsense" * 4)
for _ in range(3):
    with slow.calls(folder, 0.002):
        try:
            z[...]
        except zchunk.errors.ChunkError as error:
            assert "1.1.1" in str(error)
        else:
            raise AssertionError("no error")
        assert np.array_equal(z[16:], want[16:])
""")


def test_few_descriptors_are_enough(run):
    run("""
zchunk.set_threads(2)
z = stored()
z[...]
resource.setrlimit(resource.RLIMIT_NOFILE, (96, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
while True:
    try:
        taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        break
# The folder of the array, and a file.
for _ in range(3):
    os.close(taken.pop())
with slow.calls(folder, 0.002):
    assert np.array_equal(z[...], data)
""")


def test_ctrl_c_ends_the_read_and_leaves_no_thread(run):
    run("""
zchunk.set_threads(2)
z = stored(chunks=(2, 8, 8))
z[...]
before = threads()
for moment in (0.01, 0.05, 0.1):
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with slow.calls(folder, 0.05):
        try:
            signal.setitimer(signal.ITIMER_REAL, moment)
            z[...]
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("not interrupted")
    assert threads() == before
    assert np.array_equal(z[...], data)
""")


@pytest.mark.slow
def test_signals_reach_the_main_thread(run):
    run("""
zchunk.set_threads(2)
z = stored()
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(threading.current_thread() is threading.main_thread()))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
with slow.calls(folder, 0.005):
    for _ in range(3):
        assert np.array_equal(z[...], data)
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen and all(seen)
""")


@not_sanitized("a fork leaves its allocator locked if another thread is in it")
def test_a_fork_meanwhile(run):
    run("""
zchunk.set_threads(2)
z = stored()
z[...]
with slow.calls(folder, 0.01):
    for _ in range(5):
        got = []
        reader = threading.Thread(target=lambda: got.append(z[...]))
        reader.start()
        while slow.most() < 3 and reader.is_alive():
            time.sleep(0.001)
        pid = os.fork()
        if not pid:
            # The child has none of these threads, and can have its own.
            right = np.array_equal(z[8:], data[8:])
            with slow.calls(folder, 0.005):
                right &= np.array_equal(z[...], data) and slow.most() > 2
            os._exit(0 if right else 1)
        assert os.waitpid(pid, 0)[1] == 0
        reader.join()
        assert np.array_equal(got[0], data)
""")


@pytest.mark.slow
def test_all_reads_together_are_bounded(run):
    run("""
zchunk.set_threads(1)
z = stored(compressor=None)
got = []
with slow.calls(folder, 0.005):
    readers = [threading.Thread(target=lambda: got.append(z[...])) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    # 32 of all of them, whose memory is bounded, and the readers themselves.
    assert slow.most() <= 32 + 8, slow.most()
assert all(np.array_equal(one, data) for one in got)
""")


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_more_files_are_synced_at_a_time_than_threads_compute(run, threads):
    run(f"""
zchunk.set_threads({threads})
store = DirectoryStore(folder + "/synced", durability="fsync")
arrays = [
    zchunk.create(data.shape, chunks=(8, 8, 8), dtype="<f4", store=store, path=str(i), compressor=compressor)
    for i, compressor in enumerate((LZ4, None, zchunk.Zlib(1)))
]
before = threads()
for z in arrays:
    for selection in (np.s_[:], np.s_[3:29, 1:30, 2:31]):
        want = z[...]
        want[selection] = data[selection] + len(want)
        with slow.calls(folder, 0.002):
            z[selection] = want[selection]
        assert slow.most() > {threads}, slow.most()
        assert np.array_equal(z[...], want)
    assert threads() <= before + {threads} - 1
# What need not be on the disk is written by those that compute.
z = zchunk.create(data.shape, chunks=(8, 8, 8), dtype="<f4", store=folder + "/atomic")
with slow.calls(folder, 0.001):
    z[...] = data
assert slow.most() <= {threads}, slow.most()
""")


def test_writers_that_wait_for_the_disk_and_for_each_other(run):
    """Of parts of the same chunks, each with one turn to compute: none holds up the others for good."""
    run("""
zchunk.set_threads(1)
store = DirectoryStore(folder + "/synced", durability="fsync")
z = zchunk.create(data.shape, chunks=(8, 8, 8), dtype="<f4", store=store, compressor=LZ4)
def write(start):
    for _ in range(3):
        z[start::3] = data[start::3]
with slow.calls(folder, 0.001):
    writers = [threading.Thread(target=write, args=(start,)) for start in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
        assert not writer.is_alive()
assert np.array_equal(z[...], data)
""")


def test_a_handler_is_refused_what_its_helpers_would_wait_for(run):
    """A signal handler writes what the interrupted write holds: it is refused or done; nothing hangs."""
    run("""
zchunk.set_threads(2)
store = DirectoryStore(folder + "/synced", durability="fsync")
z = zchunk.create(data.shape, chunks=(8, 8, 8), dtype="<f4", store=store, compressor=LZ4)
seen = []
def handle(*_):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        z[...] = data
        seen.append(True)
    except zchunk.errors.ChangeInProgressError:
        seen.append(False)
for moment in (0.002, 0.01, 0.03):
    signal.signal(signal.SIGALRM, handle)
    with slow.calls(folder, 0.002):
        signal.setitimer(signal.ITIMER_REAL, moment)
        z[...] = data
        while not seen:
            time.sleep(0.001)
    assert np.array_equal(z[...], data)
    seen.clear()
""")


def test_ctrl_c_ends_a_write_and_leaves_each_chunk_old_or_new(run):
    run("""
zchunk.set_threads(2)
store = DirectoryStore(folder + "/synced", durability="fsync")
z = zchunk.create(data.shape, chunks=(2, 8, 8), dtype="<f4", store=store, compressor=LZ4)
z[...] = data
before = threads()
for moment in (0.01, 0.05):
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with slow.calls(folder, 0.05):
        try:
            signal.setitimer(signal.ITIMER_REAL, moment)
            z[...] = data + 1
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("not interrupted")
    assert threads() == before
    assert set((z[...] - data).ravel()) <= {0, 1}
    assert not [name for _, _, names in os.walk(folder) for name in names if name.endswith(".partial")]
""")
