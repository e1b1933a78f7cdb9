"""Stores of zarr-python 3 as stores."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.store_conformance import StoreConformance
from zchunk import zarr3
from zchunk.errors import ContainsArrayError, ReadOnlyError, StoreError
from zchunk.storage import CoroutineStore, DirectoryStore, StorePath, open_store

zarr = pytest.importorskip("zarr", minversion="3")


class TestCoroutineStore(StoreConformance):
    """The contract, over a store in memory."""

    folders = pickles_share = False

    def make(self, path: Path) -> CoroutineStore:
        return CoroutineStore(zarr.storage.MemoryStore())


def stores(path: Path) -> dict[str, Any]:
    return {
        "memory": zarr.storage.MemoryStore(),
        "local": zarr.storage.LocalStore(path / "local"),
        "zip": zarr.storage.ZipStore(path / "a.zip", mode="w"),
        "wrapper": zarr.storage.WrapperStore(zarr.storage.MemoryStore()),
        "logging": zarr.storage.LoggingStore(zarr.storage.MemoryStore(), "CRITICAL"),
    }


@pytest.mark.parametrize("name", ["memory", "local", "zip", "wrapper", "logging"])
def test_each_reads_what_the_other_wrote(name: str, tmp_path: Path) -> None:
    store = stores(tmp_path)[name]
    items = np.arange(48, dtype="i4").reshape(6, 8)
    g = zchunk.open_group(store, zarr_format=3)
    z = g.create_array("a/b", data=items, chunks=(2, 2), shards=(6, 4))
    np.testing.assert_array_equal(zarr.open_group(store)["a/b"][...], items)
    np.testing.assert_array_equal(z[1:5, ::3], items[1:5, ::3])
    theirs = zarr.open_group(store).create_array("c", shape=(6, 8), chunks=(2, 3), dtype="i4")
    theirs[...] = items
    np.testing.assert_array_equal(zchunk.open(store, path="c")[...], items)  # type: ignore[arg-type]
    assert sorted(g) == ["a", "c"]


def test_deleting() -> None:
    store = zarr.storage.MemoryStore()
    g = zchunk.open_group(store, zarr_format=3)
    g["a/b"] = [1, 2, 3]
    del g["a"]
    assert list(g) == []
    assert list(open_store(store)) == ["zarr.json"]


def test_local_files_need_no_coroutines(tmp_path: Path) -> None:
    assert isinstance(open_store(zarr.storage.LocalStore(tmp_path)), DirectoryStore)
    only = open_store(zarr.storage.LocalStore(tmp_path, read_only=True))
    assert isinstance(only, CoroutineStore)
    assert only.read_only


def test_read_only() -> None:
    store = zarr.storage.MemoryStore()
    zchunk.open_group(store, zarr_format=3)["a"] = [1, 2, 3]
    only = store.with_read_only(True)
    z = zchunk.open(only, path="a")
    assert z.read_only
    with pytest.raises(ReadOnlyError):
        open_store(only)["x"] = b""
    with pytest.raises(ReadOnlyError):
        zchunk.open_group(only)["b"] = [1]


def test_places_in_stores() -> None:
    store = zarr.storage.MemoryStore()
    z = zchunk.create_array(zarr.storage.StorePath(store, "a"), name="b", shape=3, zarr_format=3)
    assert z.path == "a/b"
    assert z.store_path == StorePath(z.store, "a/b")


def test_one_loop_for_all_and_none_before_it_is_needed() -> None:
    code = (
        "import threading, zarr, zchunk\n"
        "zchunk.zeros(3)[:]\n"
        "before = [t.name for t in threading.enumerate()]\n"
        "for _ in range(3):\n"
        "    zchunk.open_group(zarr.storage.MemoryStore(), zarr_format=3)['a'] = [1, 2, 3]\n"
        "names = [t.name for t in threading.enumerate()]\n"
        "print(before.count('loop-of-zchunk'), names.count('loop-of-zchunk'))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["0", "1"]


def test_many_threads_at_once() -> None:
    store = open_store(zarr.storage.MemoryStore())
    store.set_many({f"k{i}": str(i).encode() for i in range(40)})
    found: dict[str, bytes] = {}

    def read(start: int) -> None:
        for i in range(start, 40, 4):
            found[f"k{i}"] = store[f"k{i}"]

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"k{i}": str(i).encode() for i in range(40)}
    assert store.get_many([*found, "no"]) == found


def test_failures_name_key_and_store() -> None:
    class Broken(zarr.storage.MemoryStore):  # type: ignore[misc, name-defined]
        async def get(self, *args: Any, **kwargs: Any) -> Any:
            raise ConnectionError("no network")

    with pytest.raises(StoreError, match=r"cannot access 'x' in .*ConnectionError: no network"):
        CoroutineStore(Broken())["x"]


def test_a_coroutine_cannot_wait_for_itself() -> None:
    class Inward(zarr.storage.MemoryStore):  # type: ignore[misc, name-defined]
        async def exists(self, key: str) -> bool:
            return "x" in CoroutineStore(zarr.storage.MemoryStore())

    with pytest.raises(StoreError, match="would wait for themselves"):
        assert "x" in CoroutineStore(Inward())


def test_concurrency_is_a_setting() -> None:
    store = CoroutineStore(zarr.storage.MemoryStore())
    assert store.concurrency == 10
    with zchunk.config.set({"async.concurrency": 3}):
        assert store.concurrency == 3


def test_pickles(tmp_path: Path) -> None:
    store = CoroutineStore(zarr.storage.LocalStore(tmp_path))
    store["x"] = b"y"
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert again["x"] == b"y"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_a_loop_of_its_own() -> None:
    store = CoroutineStore(zarr.storage.MemoryStore())
    store["x"] = b"y"
    pid = os.fork()
    if not pid:
        os._exit(0 if store["x"] == b"y" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_sessions_of_icechunk() -> None:
    """They have keys of format 3 alone, and refuse others: there are no marks in them."""
    icechunk = pytest.importorskip("icechunk")
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    session = repository.writable_session("main")
    items = np.arange(64, dtype="i4").reshape(8, 8)
    group = zarr3.open_group(session.store, mode="w", attributes={"title": "tides"})
    z = group.create_array("a/b", data=items, chunks=(4, 4))
    with pytest.raises(ContainsArrayError):
        group.create_array("a/b", shape=3, dtype="i4")
    z[2:5, 3] = -1
    items[2:5, 3] = -1
    z.resize(10, 8)
    z.attrs["unit"] = "m"
    group.create_array("c", shape=(4,), chunks=(2,), shards=(4,), dtype="f8")[:] = 1.5
    group.create_group("gone")
    del group["gone"]
    sharded = group.create_array("d", shape=4, dtype="i2", fill_value=7, overwrite=True)
    assert sharded[:].tolist() == [7] * 4
    session.commit("first")
    found = zchunk.open_group(repository.readonly_session("main").store, mode="r")
    assert found.attrs["title"] == "tides"
    assert sorted(path for path, _ in found.members(None)) == ["a", "a/b", "c", "d"]
    np.testing.assert_array_equal(found["a/b"][:8], items)
    assert (found["a/b"].shape, found["a/b"].attrs["unit"]) == ((10, 8), "m")
    assert sorted(found["a/b"].stored_chunks()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    np.testing.assert_array_equal(found["c"][:], [1.5] * 4)
    # zarr-python reads the same.
    theirs = zarr.open_group(repository.readonly_session("main").store, mode="r")
    np.testing.assert_array_equal(theirs["a/b"][:8], items)
    with pytest.raises(ReadOnlyError):
        zchunk.open_group(repository.readonly_session("main").store, mode="r").create_group("x")
