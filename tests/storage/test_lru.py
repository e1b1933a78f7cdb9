"""`LRUStoreCache`."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.store_conformance import StoreConformance, in_child
from zchunk.storage import DirectoryStore, KVStore, LRUStoreCache, MemoryStore, Store


class TestLRUStoreCache(StoreConformance):
    def make(self, path: Path) -> Store:
        return LRUStoreCache(DirectoryStore(path), max_size=100_000)


class TestLRUStoreCacheTiny(StoreConformance):
    pickles_share = False

    def make(self, path: Path) -> Store:
        return LRUStoreCache(MemoryStore(), max_size=3)


class TestLRUStoreCacheUnlimited(StoreConformance):
    folders = False
    pickles_share = False

    def make(self, path: Path) -> Store:
        return LRUStoreCache({}, max_size=None)


class Counting(MemoryStore):
    """Counts what it is asked for, and does something else first when told."""

    def __init__(self) -> None:
        super().__init__()
        self.counter: Counter[str] = Counter()
        self.before: Callable[[str], None] | None = None
        self.after: Callable[[str], None] | None = None

    def _asked(self, what: str) -> None:
        self.counter[what] += 1

    def __getitem__(self, key: str) -> bytes:
        self._asked(key)
        value = super().__getitem__(key)
        if self.after is not None:
            self.after(key)
        return value

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self._asked("many")
        return {key: MemoryStore.__getitem__(self, key) for key in keys if key in self}

    def __setitem__(self, key: str, value: Any) -> None:
        if self.before is not None:
            self.before(key)
        super().__setitem__(key, value)

    def list_dir(self, path: str = "") -> list[str]:
        self._asked("list_dir")
        return super().list_dir(path)


def test_least_recently_used_goes_first() -> None:
    store = Counting()
    store.update({key: bytes(10) for key in "abc"})
    cache = LRUStoreCache(store, max_size=20)
    for key in "abac":
        cache[key]
    assert (cache.hits, cache.misses) == (1, 3)
    store.counter.clear()
    for key in "acb":
        cache[key]
    assert store.counter == {"b": 1}
    store["large"] = bytes(21)
    for _ in range(2):
        assert len(cache["large"]) == 21
    # Too large to keep, and nothing was forgotten for it.
    assert store.counter == {"b": 1, "large": 2}
    cache["c"]
    assert store.counter["c"] == 0


def test_values_that_are_written_are_kept() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    value = np.arange(3)
    cache["a"] = value
    value[:] = 0
    assert cache["a"] == np.arange(3).tobytes()
    cache.set_many({"b": b"1", "c": b"2"})
    assert cache.get_many(["a", "b", "c", "d"]).keys() == {"a", "b", "c"}
    assert store.counter == {"d": 1}
    assert cache.size("b") == 1
    assert cache.get_range("c", 0, 1) == b"2"
    assert store.counter == {"d": 1}


def test_many_are_fetched_at_once() -> None:
    store = Counting()
    store.update(dict.fromkeys("abcd", b"v"))
    cache = LRUStoreCache(store, max_size=None)
    cache["a"]
    assert len(cache.get_many("abcde")) == 4
    assert store.counter == {"a": 1, "many": 1}
    assert len(cache.get_many("abcd")) == 4
    assert store.counter == {"a": 1, "many": 1}
    assert (cache.hits, cache.misses) == (5, 5)


def test_names_are_kept_until_something_changes() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    cache["a/b"] = b"v"
    for _ in range(3):
        assert cache.list_dir("a") == ["b"]
        cache.list_dir("a").append("mine")
        assert list(cache) == ["a/b"]
        assert "x" not in cache
    assert store.counter == {"list_dir": 1}
    store["x"] = b"elsewhere"
    assert "x" not in cache
    cache.invalidate_keys()
    assert "x" in cache
    cache["a/c"] = b"v"
    assert cache.list_dir("a") == ["b", "c"]
    del cache["a/c"]
    assert cache.list_dir("a") == ["b"]
    assert "a/c" not in cache


def test_invalidate() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    cache["a"] = b"old"
    store["a"] = b"new"
    assert cache["a"] == b"old"
    cache.invalidate_values()
    assert cache["a"] == b"new"
    store["a"] = b"newer"
    cache.invalidate()
    assert cache["a"] == b"newer"


@pytest.mark.parametrize("change", ["set", "delete", "erase_many", "erase_prefix", "rename", "clear"])
def test_a_read_that_a_write_overtakes_is_not_kept(change: str) -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    store["a/k"] = b"old"
    store["other/k"] = b"v"
    cache["other/k"]

    def overtake(key: str) -> None:
        store.after = None
        {
            "set": lambda: cache.__setitem__("a/k", b"new"),
            "delete": lambda: cache.__delitem__("a/k"),
            "erase_many": lambda: cache.erase_many(["a/k"]),
            "erase_prefix": lambda: cache.erase_prefix("a"),
            "rename": lambda: cache.rename("a", "b"),
            "clear": cache.clear,
        }[change]()

    store.after = overtake
    assert cache["a/k"] == b"old"
    assert cache.get("a/k") == (b"new" if change == "set" else None)
    assert ("a/k" in cache) == (change == "set")


def test_the_old_value_is_not_kept_while_a_write_is_under_way() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    cache["k"] = b"old"

    def meanwhile(key: str) -> None:
        store.before = None
        assert cache["k"] == b"old"

    store.before = meanwhile
    cache["k"] = b"new"
    assert cache["k"] == b"new"


def test_of_two_writes_at_once_the_store_says_which_was_last() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)

    def meanwhile(key: str) -> None:
        store.before = None
        cache["k"] = b"inner"

    store.before = meanwhile
    cache["k"] = b"outer"
    assert store["k"] == b"outer"
    assert cache["k"] == b"outer"


def test_a_write_that_fails_leaves_nothing_in_memory() -> None:
    store = Counting()
    cache = LRUStoreCache(store, max_size=None)
    cache["k"] = b"old"

    def fail(key: str) -> None:
        raise OSError("disk full")

    store.before = fail
    with pytest.raises(OSError, match="full"):
        cache["k"] = b"new"
    assert cache["k"] == b"old"
    assert cache._process().changing() == []
    assert cache._process().readers == {}


@pytest.mark.parametrize("max_size", [None, 64])
def test_threads_never_see_what_was_replaced(max_size: int | None) -> None:
    cache = LRUStoreCache(MemoryStore(), max_size=max_size)
    names = [f"k{i}" for i in range(4)]
    newest = dict.fromkeys(names, 0)
    cache.set_many(dict.fromkeys(names, b"0"))
    stop = threading.Event()

    def write(name: str) -> None:
        for i in range(1, 400):
            cache[name] = str(i).encode()
            newest[name] = i
            if i % 50 == 0:
                cache.invalidate()

    def read(_: int) -> None:
        while not stop.is_set():
            for name in names:
                least = newest[name]
                assert int(cache[name]) >= least

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read, i) for i in range(4)]
        writers = [pool.submit(write, name) for name in names]
        for job in writers:
            job.result()
        stop.set()
        for job in readers:
            job.result()
    assert dict(cache) == dict.fromkeys(names, b"399")
    state = cache._process()
    assert state.size == sum(map(len, state.values.values()))
    assert state.changing() == []
    assert state.readers == {}


def test_a_child_has_a_cache_of_its_own() -> None:
    cache = LRUStoreCache(MemoryStore(), max_size=None)
    cache["k"] = b"v"
    with cache._process()._guard:
        assert in_child(lambda: (cache["k"], cache.misses)) == (b"v", 1)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.hits, copy.misses, copy.max_size) == (0, 0, None)


def test_arrays_through_a_cache() -> None:
    store = KVStore({})
    cache = LRUStoreCache(store, max_size=1 << 20)
    z = zchunk.array(np.arange(1000), chunks=100, store=cache)
    assert (z[...] == np.arange(1000)).all()
    assert cache.hits >= 10
    z[150:250] = -1
    assert z[...].tolist() == zchunk.open(store)[...].tolist()
    assert cache.store is store


def test_folders_that_give_way_are_forgotten(tmp_path: Path) -> None:
    cache = LRUStoreCache(DirectoryStore(tmp_path), max_size=None)
    for key in ("a/b/c", "a/b/d/e", "a/x", "k"):
        cache[key] = key.encode()
        assert cache[key] == key.encode()
    cache["a/b"] = b"v"
    assert dict(cache) == {"a/b": b"v", "a/x": b"a/x", "k": b"k"}
    assert cache.get("a/b/c") is cache.get("a/b/d/e") is None
    del cache["a"]
    assert cache.get("a/b") is cache.get("a/x") is None
    assert dict(cache) == {"k": b"k"}


def test_no_reader_keeps_what_was_below_a_key_that_changes() -> None:
    class Folders(dict):
        def __getitem__(self, key: str) -> bytes:
            value = super().__getitem__(key)
            if key == "a/b" and not done:
                done.append(1)
                cache["a"] = b"value"
                self.pop("a/b")
            return value

    done: list[int] = []
    cache = LRUStoreCache(Folders({"a/b": b"old"}), max_size=None)
    assert cache["a/b"] == b"old"
    assert cache.get("a/b") is None


def test_signal_handlers_read_and_write(tmp_path: Path) -> None:
    """Whenever they come: also while the code that they interrupt changes what the cache knows."""
    code = """
import random, signal, sys
import zchunk
store = zchunk.LRUStoreCache(zchunk.MemoryStore(), 1000)
random.seed(1)
calls = 0
busy = False

def handle(signum, frame):
    global busy
    if not busy:
        busy = True
        use()
        busy = False

def use():
    global calls
    calls += 1
    key = f"a/{random.randrange(5)}"
    store[key] = value = bytes([calls % 256]) * random.randrange(1, 300)
    assert store[key] == value
    assert key in store and key[2:] in store.list_dir("a")
    if calls % 11 == 0:
        store.invalidate()

store["a/x"] = b"v"
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
while calls < 2000:
    key = f"a/{random.randrange(5)}"
    store[key] = bytes(random.randrange(1, 300))
    store.get_many([f"a/{i}" for i in range(5)])
    store.list_dir("a")
    list(store)
signal.setitimer(signal.ITIMER_REAL, 0)
cache = store._process()
assert dict(store) == dict(store.store)
assert cache.size == sum(map(len, cache.values.values())) <= 1000
assert store.list_dir("a") == store.store.list_dir("a")
assert not cache.changing()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_whose_folder_is_gone(tmp_path: Path, version: Any) -> None:
    zchunk.array(np.ones(8), chunks=2, store=tmp_path / "s", path="a", zarr_format=version)
    z = zchunk.open_array(LRUStoreCache(DirectoryStore(tmp_path / "s"), None), path="a")
    assert z[:2].tolist() == [1, 1]
    (tmp_path / "s").rename(tmp_path / "elsewhere")
    for access in (lambda: z[2:], lambda: z.__setitem__(slice(2), 5), lambda: list(z.stored_chunks())):
        with pytest.raises(zchunk.errors.NodeNotFoundError):
            access()
    assert not (tmp_path / "s").exists()


def test_the_mark_of_a_maker_is_not_kept(tmp_path: Path) -> None:
    store = LRUStoreCache(DirectoryStore(tmp_path), None)
    store["a/.unfinished"] = b"one"
    assert store["a/.unfinished"] == b"one"
    DirectoryStore(tmp_path)["a/.unfinished"] = b"two"
    assert store["a/.unfinished"] == b"two"
