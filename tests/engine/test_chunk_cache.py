"""The decoded-chunk cache: the same results as without it, one decode per chunk, never above the cap."""

from __future__ import annotations

import gc
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests.between_lines import interrupted
from tests.choice import rounds
from tests.variants import NO_ARRAYS, Variant, only_v2
from zchunk.codecs import register_codec, registry
from zchunk.engine import chunk_cache
from zchunk.engine.chunk_cache import ChunkCache, as_cache
from zchunk.errors import ChangeInProgressError
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.storage import DirectoryStore, KVStore

pytestmark = pytest.mark.usefixtures("variant")

THREADS = 4


class CountingZlib:
    """A codec of a user's own that counts what it decodes."""

    codec_id = "counting"
    decoded = 0

    def encode(self, buf: Any) -> bytes:
        return zlib.compress(buf)

    def decode(self, buf: Any, out: Any = None) -> bytes:
        type(self).decoded += 1
        return zlib.decompress(buf)

    def get_config(self) -> dict[str, Any]:
        return {"id": self.codec_id}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CountingZlib:
        return cls()


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    CountingZlib.decoded = 0
    register_codec(CountingZlib)
    yield
    registry._registry.pop("counting")


class Counting(dict[str, bytes]):
    """A mapping that counts how often a chunk is read, in any store's place."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, int] = {}

    def __getitem__(self, key: str) -> bytes:
        value = super().__getitem__(key)
        if not key.rpartition("/")[2].startswith((".", "zarr.json")):
            self.reads[key] = self.reads.get(key, 0) + 1
        return value


def age(folder: Path) -> None:
    """Let all files become older: those that have just been written are not relied on."""
    time.sleep(0.06)


def chunk(nbytes: int = 100) -> np.ndarray[Any, Any]:
    return np.zeros(nbytes, "u1")


# ---- the cache itself


@NO_ARRAYS
def test_the_longest_unused_goes_first() -> None:
    cache = ChunkCache(300)
    for name in "abc":
        cache.put(("s", "p", name), None, None, chunk(), cache.generation(("s", "p", name)))
    assert cache.get(("s", "p", "a"), None, None) is not None
    cache.put(("s", "p", "d"), None, None, chunk(), cache.generation(("s", "p", "d")))
    found = [cache.get(("s", "p", name), None, None) is not None for name in "abcd"]
    assert found == [True, False, True, True]
    assert (cache.used, cache.nbytes, len(cache), cache.hits, cache.misses) == (300, 300, 3, 4, 1)
    assert "3 chunks, 300 of 300 bytes, 4 hits, 1 misses" in repr(cache)
    cache.clear()
    assert (cache.used, len(cache)) == (0, 0)


@NO_ARRAYS
def test_a_chunk_that_is_replaced_counts_once() -> None:
    cache, key = ChunkCache(300), ("s", "p", "a")
    for size in (100, 300, 50):
        cache.put(key, None, None, chunk(size), cache.generation(key))
        assert (cache.used, len(cache)) == (size, 1)


@NO_ARRAYS
def test_too_large_a_chunk_is_not_kept() -> None:
    cache, key = ChunkCache(99), ("s", "p", "a")
    cache.put(key, None, None, chunk(), cache.generation(key))
    assert len(cache) == 0


@NO_ARRAYS
def test_what_was_forgotten_meanwhile_is_not_kept() -> None:
    cache, key = ChunkCache(300), ("s", "p", "a")
    generation = cache.generation(key)
    cache.forget_keys([key])
    cache.put(key, None, None, chunk(), generation)
    assert len(cache) == 0


@NO_ARRAYS
def test_another_stamp_or_meaning_is_a_miss() -> None:
    cache, key = ChunkCache(300), ("s", "p", "a")
    cache.put(key, "u1", (1, 2, 3), chunk(), cache.generation(key))
    assert cache.get(key, "u1", (1, 2, 3)) is not None
    assert cache.get(key, "u1", (2, 2, 3)) is None
    assert cache.get(key, "i1", (1, 2, 3)) is None


@NO_ARRAYS
def test_chunks_are_read_only() -> None:
    cache, key = ChunkCache(300), ("s", "p", "a")
    cache.put(key, None, None, chunk(), cache.generation(key))
    found = cache.get(key, None, None)
    assert found is not None
    assert not found.flags.writeable


@NO_ARRAYS
def test_cache_bytes() -> None:
    assert as_cache(None) is as_cache(0) is None
    cache = as_cache(np.int64(5))
    assert cache is not None
    assert cache.nbytes == 5
    assert as_cache(cache) is cache
    for wrong in (-1, 1.5, "1", True):
        with pytest.raises(ValueError, match="cache_bytes"):
            zchunk.zeros(3, cache_bytes=wrong)


# ---- reading


@pytest.fixture(params=["folder", "nested", "mapping", "memory", "zip"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return {
        "folder": lambda: DirectoryStore(tmp_path / "s"),
        "nested": lambda: zchunk.NestedDirectoryStore(tmp_path / "s"),
        "mapping": lambda: KVStore({}),
        "memory": zchunk.MemoryStore,
        "zip": lambda: zchunk.ZipStore(tmp_path / "s.zip"),
    }[request.param]()


@pytest.mark.usefixtures("path")
@pytest.mark.each_value
def test_thin_slabs_cost_one_decode(variant: Variant, store: Any, tmp_path: Path) -> None:
    # Format 3 has no codecs of a user's own.
    compressor = CountingZlib() if variant.kind == "v2" else zchunk.Zlib()
    data = np.arange(64 * 30).reshape(64, 30)
    z = zchunk.array(data, chunks=(16, 10), store=store, compressor=compressor, cache_bytes=10**6)
    age(tmp_path)
    for row in range(64):
        np.testing.assert_array_equal(z[row], data[row])
    for column in range(30):
        np.testing.assert_array_equal(z[::-3, column], data[::-3, column])
    assert CountingZlib.decoded == (12 if variant.kind == "v2" else 0)
    cache = z.chunk_cache
    assert cache is not None
    assert (cache.misses, len(cache), cache.used) == (12, 12, 12 * 16 * 10 * 8)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "dtype",
    ["u1", ">f8", "S3", "U2", "c16", "M8[s]", [("a", "i2"), ("b", "S3")], [("a", "f4", (2,))], "f2", ">c8"],
)
@pytest.mark.each_value
def test_all_kinds_of_items(
    order: Any, dtype: Any, variant: Variant, store: Any, tmp_path: Path
) -> None:
    dtype = dtype if variant.takes(dtype) else [("a", [("b", ">f4"), ("c", ">i4")])]
    data = np.frombuffer(np.random.default_rng(0).bytes(7 * 5 * np.dtype(dtype).itemsize), "u1")
    items = (data % 50).astype("u1").view(np.dtype(dtype)).reshape(7, 5)
    z = zchunk.create((9, 5), chunks=(4, 2), dtype=dtype, order=order, store=store, cache_bytes=10**6)
    z[:7] = items
    age(tmp_path)
    expected = zchunk.open_array(store, "r")[...]
    for _ in range(2):
        assert z[...].tobytes() == expected.tobytes()
        assert z[1:8:3, ::-1].tobytes() == expected[1:8:3, ::-1].tobytes()
        assert z[6, 4].tobytes() == expected[6, 4].tobytes()


@pytest.mark.usefixtures("path")
@pytest.mark.each_value
def test_all_kinds_of_selections(variant: Variant, store: Any, tmp_path: Path) -> None:
    compressor = CountingZlib() if variant.kind == "v2" else zchunk.Zlib()
    rng = np.random.default_rng(0)
    data = np.empty((13, 11), [("a", "i4"), ("b", "f8")])
    data["a"], data["b"] = rng.integers(0, 99, (13, 11)), rng.random((13, 11))
    z = zchunk.array(data, chunks=(5, 4), store=store, compressor=compressor, cache_bytes=10**6)
    age(tmp_path)
    rows, columns, mask = rng.integers(-13, 13, 30), rng.integers(-11, 11, 30), rng.random((13, 11)) < 0.3
    for _ in range(2):
        np.testing.assert_array_equal(z.oindex[rows, ::-2], data[rows, ::-2])
        np.testing.assert_array_equal(z.oindex[3, columns], data[3, columns])
        np.testing.assert_array_equal(z.oindex[rows, columns], data[np.ix_(rows, columns)])
        np.testing.assert_array_equal(z.vindex[rows, columns], data[rows, columns])
        np.testing.assert_array_equal(z.vindex[mask], data[mask])
        if not variant.sharded:
            np.testing.assert_array_equal(z.blocks[1:, 2], data[5:, 8:])
        np.testing.assert_array_equal(z["b"], data["b"])
        np.testing.assert_array_equal(z["a", 3:8], data["a"][3:8])
    assert z.chunk_cache.misses == 9
    assert CountingZlib.decoded == (9 if variant.kind == "v2" else 0)
    z.vindex[rows, columns] = np.ones(30, data.dtype)
    data[rows, columns] = np.ones(30, data.dtype)
    z["a", 2] = data["a"][2] = 77
    age(tmp_path)
    z.oindex[[1, 12], :3] = data[[1, 12], :3] = data[0, 0]
    np.testing.assert_array_equal(z[...], data)


@pytest.mark.usefixtures("path")
def test_no_axes_no_items_no_bytes(store: Any) -> None:
    z = zchunk.zeros((), dtype="i4", store=store, path="a", cache_bytes=100)
    assert z[()] == 0
    z[()] = 5
    assert z[()] == z[...] == 5
    assert zchunk.zeros((0, 3), store=store, path="b", cache_bytes=100)[...].shape == (0, 3)
    assert zchunk.zeros(3, dtype="S0", store=store, path="c", cache_bytes=100)[...].tolist() == [b""] * 3


def test_the_end_of_the_longest_axis() -> None:
    z = zchunk.full(2**63 - 1, 3, chunks=1000, dtype="i2", cache_bytes=10**6)
    assert z[-3:].tolist() == z[-3:].tolist() == [3, 3, 3]


def test_missing_chunks_take_no_room(tmp_path: Path) -> None:
    z = zchunk.full((100, 100), 7, chunks=10, store=tmp_path, cache_bytes=10**6)
    assert (z[:50] == 7).all()
    assert z.chunk_cache is not None
    assert z.chunk_cache.used == 0


def test_a_read_that_would_not_fit_leaves_the_cache_alone() -> None:
    z = zchunk.array(np.arange(1000, dtype="i8"), chunks=100, cache_bytes=2 * 800)
    np.testing.assert_array_equal(z[50:150], np.arange(50, 150))
    assert (len(z.chunk_cache), z.chunk_cache.used) == (2, 1600)
    np.testing.assert_array_equal(z[...], np.arange(1000))
    np.testing.assert_array_equal(z[::99], np.arange(0, 1000, 99))
    np.testing.assert_array_equal(z[50:251:100], [50, 150, 250])
    assert z.chunk_cache.misses == 2
    small = zchunk.array(np.arange(1000, dtype="i8"), chunks=100, cache_bytes=799)
    np.testing.assert_array_equal(small[50:60], np.arange(50, 60))
    assert (len(small.chunk_cache), small.chunk_cache.misses) == (0, 0)


def test_what_was_read_may_be_changed() -> None:
    z = zchunk.array(np.arange(10), chunks=10, cache_bytes=1000)
    for _ in range(2):
        items = z[...]
        items[...] = -1
    assert z[3] == 3


def test_several_threads_of_the_pool_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.arange(2**20)
    z = zchunk.array(data, chunks=2**15, cache_bytes=2**24)
    zchunk.set_threads(THREADS)
    try:
        for _ in range(2):
            np.testing.assert_array_equal(z[...], data)
        assert (z.chunk_cache.misses, z.chunk_cache.hits) == (32, 32)
    finally:
        zchunk.set_threads(None)


def test_errors_come_through(variant: Variant) -> None:
    store: dict[str, bytes] = {}
    z = zchunk.array(np.arange(2**20), chunks=2**15, store=store, cache_bytes=2**24)
    store[variant.chunk(7)] = b"no chunk"
    for _ in range(2):
        with pytest.raises(zchunk.errors.ChunkError, match=f"'{variant.chunk(7)}'"):
            z[...]
    assert z[: 2**15].tolist() == list(range(2**15))


def test_a_damaged_file_is_an_error(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.array(np.arange(10), chunks=5, store=tmp_path, cache_bytes=2**24)
    age(tmp_path)
    assert z[9] == 9
    (tmp_path / variant.chunk(1)).write_bytes(b"no chunk")
    age(tmp_path)
    with pytest.raises(zchunk.errors.ChunkError):
        z[9]


# ---- what changes is seen


@pytest.mark.usefixtures("path")
@pytest.mark.each_value
def test_writes_through_any_array_are_seen(store: Any, tmp_path: Path) -> None:
    z = zchunk.zeros((8, 8), chunks=4, dtype="i4", store=store, cache_bytes=10**6)
    others = [z, zchunk.Array(store), zchunk.Array(store, cache_bytes=500), z.view(), z.view(dtype="u4")]
    for n, other in enumerate(others, 1):
        age(tmp_path)
        z[...]
        other[2:6, 3] = n
        assert z[:, 3].tolist() == [0, 0, n, n, n, n, 0, 0]
    age(tmp_path)
    z[...]
    z.fill_value = 9
    assert z[0].tolist() == [0] * 4 + [9] * 4


@pytest.mark.usefixtures("path")
def test_views_do_not_share_what_they_understand(variant: Variant, store: Any, tmp_path: Path) -> None:
    z = zchunk.array(np.arange(-5, 5, dtype="i2"), chunks=5, store=store, cache_bytes=10**6)
    v, half = z.view(dtype="u2"), z.view(fill_value=3)
    age(tmp_path)
    for _ in range(2):
        assert z[0] == -5
        assert v[0] == 2**16 - 5
        assert half[0] == -5
    del store[variant.chunk(0)]
    if isinstance(store, DirectoryStore):
        assert (z[0], v[0], half[0]) == (0, 0, 3)


@pytest.mark.usefixtures("path")
@pytest.mark.each_value
def test_resizing_is_seen(store: Any, tmp_path: Path) -> None:
    z = zchunk.ones(20, chunks=6, dtype="i4", store=store, cache_bytes=10**6)
    z[...] = np.arange(20)
    for shape in (15, 20, 3, 30):
        age(tmp_path)
        z[...]
        z.resize(shape)
        np.testing.assert_array_equal(z[...], zchunk.Array(store)[...])
    z.append([5, 6])
    assert z[-3:].tolist() == [1, 5, 6]


def test_what_is_replaced_deleted_and_made_again_is_seen(store: Any, tmp_path: Path) -> None:
    g = zchunk.open_group(store, cache_bytes=10**6)
    for value in range(1, 4):
        z = g.create("a/b", shape=4, chunks=2, dtype="i4", overwrite=True)
        assert z[...].tolist() == [0] * 4
        z[...] = value
        age(tmp_path)
        assert g["a/b"][...].tolist() == [value] * 4
    g["a/b"] = [7, 8]
    assert g["a/b"][...].tolist() == [7, 8]
    del g["a"]
    g.create("a/b", shape=4, chunks=2, dtype="i4")
    assert g["a/b"][...].tolist() == [0] * 4


def test_what_is_moved_is_seen(store: Any, tmp_path: Path) -> None:
    g = zchunk.open_group(store, cache_bytes=10**6)
    for name, value in (("a", 1), ("b", 2)):
        g[name] = np.full(4, value)
        age(tmp_path)
        assert g[name][...].tolist() == [value] * 4
    g.move("a", "c/a")
    g.move("b", "a")
    for name, value in (("a", 2), ("c/a", 1)):
        assert g[name][...].tolist() == [value] * 4
    assert g.require_dataset("a", 4, int).chunk_cache is g.chunk_cache


@only_v2("items of no format 3: lists")
def test_objects_are_not_kept(store: Any, tmp_path: Path) -> None:
    """Readers could change them."""
    numcodecs = pytest.importorskip("numcodecs")
    z = zchunk.create(
        4, chunks=2, dtype=object, object_codec=numcodecs.JSON(), store=store, cache_bytes=10**6
    )
    z[1] = [1, 2]
    age(tmp_path)
    for _ in range(2):
        z[1].append(3)
        assert z[:2].tolist()[1] == [1, 2]
    assert z.chunk_cache.used == 0


def test_another_process_that_writes_is_seen(tmp_path: Path) -> None:
    z = zchunk.zeros(10, chunks=5, dtype="i4", store=tmp_path / "z", cache_bytes=10**6)
    z[...] = 1
    code = (
        "import sys, zchunk\n"
        "for line in sys.stdin: zchunk.open(sys.argv[1], mode='r+')[7] = int(line); print()"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code, str(tmp_path / "z")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None and other.stdout is not None  # noqa: PT018
        for value in range(20):
            # Also of a chunk that is no longer new, and of one that is.
            if value % 2:
                age(tmp_path)
            assert z[7] == (value - 1 if value else 1)
            other.stdin.write(f"{value}\n")
            other.stdin.flush()
            other.stdout.readline()
            assert z[7] == value
        other.stdin.close()


@pytest.mark.variants("v2", "v3", reason="writes chunks that are no shards")
def test_a_file_that_was_just_written_is_not_relied_on(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.zeros(5, chunks=5, dtype="u1", compressor=None, store=tmp_path, cache_bytes=1000)
    path, now = tmp_path / variant.chunk(0), 0
    path.parent.mkdir(exist_ok=True)
    for n in range(200):
        # As if the file system's clock stood still for a while, and inode numbers came again.
        if time.time_ns() - now > 20_000_000:
            now = time.time_ns()
        path.write_bytes(bytes([n] * 5))
        os.utime(path, ns=(now, now))
        assert z[0] == n


@NO_ARRAYS
@pytest.mark.parametrize(("part", "young", "old"), [(0, 1, 10), (123_456_789, 0.01, 0.2)])
def test_what_clocks_of_file_systems_can_tell(
    part: int, young: float, old: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = 1_700_000_000 * 10**9 + part
    found = SimpleNamespace(
        st_mtime_ns=changed - 10**9, st_ctime_ns=changed, st_ino=3, st_size=4, st_mode=stat.S_IFREG
    )
    monkeypatch.setattr(os, "stat", lambda path: found)
    for seconds, relied_on in ((young, False), (old, True)):
        monkeypatch.setattr(time, "time_ns", lambda s=seconds: changed + int(s * 1e9))
        assert chunk_cache.look(b"folder", "0") == ((changed - 10**9, changed, 3, 4), relied_on)


@pytest.mark.variants("v2", "v3", reason="writes chunks that are no shards")
def test_a_file_whose_time_was_set_is_another(variant: Variant, tmp_path: Path) -> None:
    # As tar does: the time, the size and often the inode are those of the file before.
    z = zchunk.zeros(5, chunks=5, dtype="u1", compressor=None, store=tmp_path, cache_bytes=1000)
    path = tmp_path / variant.chunk(0)
    path.parent.mkdir(exist_ok=True)
    for n in (1, 2, 3):
        path.write_bytes(bytes([n] * 5))
        os.utime(path, ns=(10**18, 10**18))
        age(tmp_path)
        assert (z[0], z[1]) == (n, n)
    assert z.chunk_cache.hits == 3


# ---- the same values through other stores


def test_stores_that_look_alike_share_nothing(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    cache = ChunkCache(1000)
    for n in (1, 2):
        with zchunk.ZipStore(tmp_path / f"{n}.zip", mode="w") as store:
            zchunk.array(np.full(4, n), store=store)
    found = [zchunk.open_array(f"zip://::{tmp_path}/{n}.zip", "r", cache_bytes=cache) for n in (1, 2)]
    assert [z[0] for z in found] == [1, 2]


def test_an_array_seen_from_two_folders_is_one(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    for url in (f"file://{tmp_path}/x", "memory://test_chunk_cache"):
        low = zchunk.open_group(url, "w").zeros("a", shape=4, chunks=4)
        high = zchunk.open_array(url + "/a", "r+", cache_bytes=1000)
        assert low._current.lock_seed == high._current.lock_seed
        for n in (1, 2):
            low[:] = n
            assert high[0] == high[1] == n


def test_files_that_a_reader_does_not_take_for_files(tmp_path: Path) -> None:
    z = zchunk.zeros(4, chunks=4, store=tmp_path / "x")
    readers = [
        zchunk.open_array(DirectoryStore(tmp_path / "x", normalize_keys=True), "r", cache_bytes=1000),
        zchunk.open_array(f"file://{tmp_path}/x", "r", cache_bytes=1000),
    ]
    for n in (1, 2):
        z[:] = n
        assert [r[0] for r in readers] == [n, n]


@pytest.mark.parametrize("kind", ["folder", "file_url", "cache"])
def test_a_store_that_does_not_tell_upper_from_lower_case(tmp_path: Path, kind: str) -> None:
    store: Any = DirectoryStore(tmp_path / "x", normalize_keys=True)
    if kind == "cache":
        store = zchunk.LRUStoreCache(store, 0)
    elif kind == "file_url":
        store = zchunk.FSStore(f"file://{tmp_path}/x", normalize_keys=True, mode="a")
    upper = zchunk.zeros(4, chunks=4, store=store, path="A", cache_bytes=1000)
    lower = zchunk.open_array(store, "r+", path="a", cache_bytes=1000)
    assert upper._current.lock_seed == lower._current.lock_seed
    for n in (1, 2):
        lower[:] = n
        assert upper[0] == lower[0] == n
    del zchunk.open_group(store)["a"]
    zchunk.zeros(4, chunks=4, store=store, path="a")[:] = 3
    assert upper[0] == 3
    locks = [metadata_lock(store, f"{path}/.zattrs") for path in ("A", "a")]
    with locks[0], pytest.raises(ChangeInProgressError), locks[1]:
        pass


# ---- signals


@NO_ARRAYS
def test_a_signal_handler_may_read(tmp_path: Path) -> None:
    code = (
        "import signal, time, zchunk\n"
        "z = zchunk.ones(400, chunks=4, store={}, cache_bytes=500)\n"
        "z[:] = 1\n"
        "def read(*args): assert z[4] == 1\n"
        "signal.signal(signal.SIGALRM, read)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "until = time.time() + 1\n"
        "while time.time() < until:\n"
        "    for i in range(0, 400, 4): assert z[i] == 1\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "assert z.chunk_cache.used <= 500"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@NO_ARRAYS
def test_a_signal_handler_may_forget_at_any_moment() -> None:
    """Before each line in turn: what it forgets is not kept, what is kept is counted, and nothing fails."""
    keys = {name: ("s", "p", name) for name in "abcde"}
    last, handled = 0, True

    def handle() -> None:
        cache.forget_keys([keys["a"], keys["d"]])
        cache.forget(lambda key: key[2] == "c")
        cache.get(keys["b"], None, None)
        cache.put(keys["e"], None, None, chunk(), cache.generation(keys["e"]))

    while handled:
        cache = ChunkCache(300)
        for name in "abc":
            cache.put(keys[name], None, None, chunk(), cache.generation(keys[name]))
        generation = cache.generation(keys["d"])
        last += 1
        with interrupted(chunk_cache, handle, last) as lines:
            cache.get(keys["a"], None, None)
            cache.put(keys["d"], None, None, chunk(), generation)
            cache.forget(lambda key: key[2] in "ab")
        handled = lines.handled == 1
        assert cache.used == sum(entry.chunk.nbytes for entry in cache._entries.values()) <= 300
        assert not handled or cache.get(keys["d"], None, None) is None
    assert last > 20


# ---- groups, pickles, forks


def test_arrays_of_a_group_share(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path, mode="w", cache_bytes=1000)
    g["a"] = np.arange(100, dtype="i8")
    g.create_group("sub")["b"] = np.arange(100, dtype="i8")
    age(tmp_path)
    assert g["a"].chunk_cache is g["sub/b"].chunk_cache is g["sub"].chunk_cache is g.chunk_cache
    for _ in range(3):
        assert g["a"][5] == 5
    assert g.chunk_cache is not None
    assert (g.chunk_cache.hits, g.chunk_cache.misses) == (2, 1)
    assert g["sub/b"][5] == 5
    assert g.chunk_cache.used == 800
    assert zchunk.open_group(tmp_path)["a"].chunk_cache is None


def test_where_it_is_given(tmp_path: Path) -> None:
    group = zchunk.group(tmp_path / "g", cache_bytes=10)
    group["a"] = [1]
    zchunk.consolidate_metadata(str(tmp_path / "g"))
    for node in (
        group,
        group["a"],
        zchunk.open(str(tmp_path / "g"), mode="r", cache_bytes=10),
        zchunk.open(str(tmp_path / "g"), mode="r", path="a", cache_bytes=10),
        zchunk.open_consolidated(str(tmp_path / "g"), cache_bytes=10),
        zchunk.open_consolidated(str(tmp_path / "g"), cache_bytes=10)["a"],
        zchunk.open_array(tmp_path / "x", shape=3, cache_bytes=10),
        zchunk.ones(3, cache_bytes=10),
        zchunk.array([1], cache_bytes=10),
    ):
        assert node.chunk_cache is not None
        assert node.chunk_cache.nbytes == 10


def test_pickles_come_without_chunks(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path, mode="w", cache_bytes=1000)
    g["a"] = np.arange(10)
    age(tmp_path)
    a = g["a"]
    assert a[3] == 3
    for node in (pickle.loads(pickle.dumps(a)), pickle.loads(pickle.dumps(g))["a"]):
        assert (node.chunk_cache.nbytes, node.chunk_cache.used) == (1000, 0)
        assert node[3] == 3
    assert pickle.loads(pickle.dumps(zchunk.open_array(tmp_path, path="a"))).chunk_cache is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_reads() -> None:
    z = zchunk.array(np.arange(10), chunks=5, cache_bytes=1000)
    assert z[9] == 9
    with z.chunk_cache._lock:
        pid = os.fork()
        if not pid:
            status = 1
            try:
                z[0] = 1
                status = int(z[...].tolist() != [1, *range(1, 10)] or z.chunk_cache.misses != 2)
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert z[9] == 9


def test_a_store_is_kept_as_long_as_its_chunks() -> None:
    """Another mapping must not get the identity of one whose chunks are still there."""
    cache = ChunkCache(10**6)
    for value in range(50):
        z = zchunk.full(4, 0, chunks=4, store={}, cache_bytes=cache)
        z[...] = value
        assert z[0] == value


def test_only_caches_that_are_alive_are_told_of_writes() -> None:
    cache = ChunkCache(1000)
    assert cache in chunk_cache._caches()
    (ref,) = [ref for ref in list(chunk_cache._registry) if ref() is cache]
    z = zchunk.array(np.arange(10), chunks=5, cache_bytes=cache)
    assert z[9] == 9
    z[9] = 0
    assert cache.used == 0
    del cache, z
    gc.collect()
    assert ref not in chunk_cache._registry


# ---- threads


@pytest.mark.each_value
def test_threads_read_what_was_written(store: Any, tmp_path: Path) -> None:
    """Every thread has columns of its own, and reads what it wrote last; all share all chunks."""
    z = zchunk.zeros((40, THREADS * 2), chunks=(10, THREADS), dtype="i8", store=store, cache_bytes=4000)
    z[...] = 0
    errors: list[BaseException] = []

    def work(n: int) -> None:
        rng = np.random.default_rng(n)
        expected = np.zeros(40, "i8")
        try:
            for i in range(60):
                row = int(rng.integers(40))
                z[row, n] = expected[row] = i
                np.testing.assert_array_equal(z[:, n], expected)
                assert z.chunk_cache.used <= 4000
                if n == 0 and i % 10 == 0:
                    age(tmp_path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_a_read_during_a_write_leaves_no_old_chunk(variant: Variant) -> None:
    """The chunk is replaced between its bytes being fetched and its being kept."""
    store = Counting()
    z = zchunk.zeros(4, chunks=4, dtype="i4", store=store, cache_bytes=1000)
    z[...] = 1
    writing = [True]
    original = Counting.__getitem__

    class Slow(Counting):
        def __getitem__(self, key: str) -> bytes:
            value = original(self, key)
            if key == variant.chunk(0) and writing.pop():
                writing.append(False)
                zchunk.Array(store)[...] = 2
            return value

    store.__class__ = Slow
    # What was there when the read began.
    assert z[0] == 1
    assert z[0] == 2


# ---- programs

index = st.tuples(*[st.slices(12), st.slices(9)]) | st.tuples(st.integers(-12, 11), st.slices(9))
steps = st.one_of(
    st.tuples(st.just("read"), index),
    st.tuples(st.just("write"), index, st.integers(0, 100)),
    st.tuples(st.just("resize"), st.integers(0, 15), st.integers(0, 11)),
    st.tuples(st.just("view"), index, st.integers(0, 100)),
    st.tuples(st.just("old"), st.none()),
)


@pytest.mark.parametrize("kind", ["folder", "mapping"])
@pytest.mark.parametrize("cap", [60, 300, 10_000])
@settings(max_examples=rounds(60))
@given(program=st.lists(steps, max_size=12))
def test_programs_give_the_same_with_and_without(
    kind: str, cap: int, program: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("z") if kind == "folder" else Path("/nowhere")
    store: Any = DirectoryStore(folder) if kind == "folder" else KVStore({})
    z = zchunk.full((12, 9), 5, chunks=(5, 3), dtype="i2", store=store, cache_bytes=cap)
    plain = zchunk.full((12, 9), 5, chunks=(5, 3), dtype="i2", store=KVStore({}))
    for name, *args in program:
        if name == "resize":
            z.resize(*args)
            plain.resize(*args)
        elif name == "old":
            age(folder)
        else:
            try:
                expected = plain[args[0]]
            except IndexError:
                continue
            if name == "read":
                np.testing.assert_array_equal(z[args[0]], expected)
            else:
                (z.view() if name == "view" else z)[args[0]] = args[1]
                plain[args[0]] = args[1]
        assert z.chunk_cache is not None
        assert z.chunk_cache.used <= cap
        assert z.chunk_cache.used == sum(e.chunk.nbytes for e in z.chunk_cache._entries.values())
    np.testing.assert_array_equal(z[...], plain[...])


def test_copied_moved_and_erased_chunks_are_forgotten() -> None:
    store = zchunk.MemoryStore()
    z = zchunk.ones(10, chunks=5, store=store, path="a", cache_bytes=10**6)
    other = zchunk.full(10, 2, chunks=5, path="a", store={})
    other[:] = 3
    assert z[:].tolist() == [1] * 10
    z[:] = 4
    assert z[:].tolist() == [4] * 10
    zchunk.copy_store(other.store, store, if_exists="replace")
    assert z[:].tolist() == [3] * 10
    b = zchunk.full(10, 5, chunks=5, store=store, path="b", write_empty_chunks=True)
    b[:] = 5
    zchunk.storage.rmdir(store, "a")
    zchunk.storage.rename(store, "b", "a")
    assert z[:].tolist() == [5] * 10
    zchunk.storage.rmdir(store, "a")
    assert z[:].tolist() == [1] * 10


def test_a_copy_that_fails_forgets_what_it_wrote(variant: Variant) -> None:
    target: dict[str, Any] = {}
    z = zchunk.zeros(10, chunks=5, store=target, cache_bytes=10**6)
    z[:] = 1
    assert z[:].tolist() == [1] * 10
    source = {variant.chunk(0): np.full(5, 7.0).tobytes(), variant.chunk(2): 5}
    with pytest.raises(TypeError):
        zchunk.copy_store(source, KVStore(target), if_exists="replace")
    with pytest.raises(zchunk.errors.ChunkError):
        z[:]


class Watched(dict[str, bytes]):
    """A store that sees how many chunks a cache holds while a value is written or deleted."""

    def __init__(self) -> None:
        self.cache = ChunkCache(1 << 20)
        self.held: list[int] = []

    def __setitem__(self, key: str, value: bytes) -> None:
        self.held.append(len(self.cache))
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.held.append(len(self.cache))
        super().__delitem__(key)


def test_a_chunk_is_forgotten_before_it_changes(variant: Variant) -> None:
    # What is forgotten only afterwards is not when Ctrl-C comes in between.
    store = Watched()
    zchunk.array(np.zeros(4), chunks=4, store=store)
    z = zchunk.open_array(store, cache_bytes=store.cache)
    for value in (2, slice(None)):
        assert z[0] == 0
        assert len(store.cache) == 1
        store.held.clear()
        z[value] = 0
        assert set(store.held) == {0}
    z[:] = 1
    assert z[0] == 1
    store.held.clear()
    zchunk.create(4, chunks=4, store=store, overwrite=True)
    assert set(store.held) == {0}
