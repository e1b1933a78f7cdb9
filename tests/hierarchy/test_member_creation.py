"""What a group makes: arrays in every way that zarr 2.18 has, groups, and moving them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import (
    ContainsArrayError,
    ContainsGroupError,
    InvalidKeyError,
    PathNotFoundError,
    ReadOnlyError,
    StoreError,
)

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.fixture(params=["memory", "folder", "dict", "zip"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    kinds = {
        "memory": zchunk.MemoryStore,
        "folder": lambda: tmp_path / "g",
        "dict": dict,
        "zip": lambda: zchunk.ZipStore(tmp_path / "g.zip"),
    }
    return kinds[request.param]()


# ---- groups


def test_several_groups() -> None:
    g = zchunk.group()
    a, b = g.create_groups("a", "x/b")
    assert (a.path, b.path) == ("a", "x/b")
    with pytest.raises(ContainsGroupError):
        g.create_groups("new", "a")
    g["a/z"] = [1]
    assert [len(found) for found in g.require_groups("a", "c")] == [1, 0]
    assert [len(found) for found in g.create_groups("a", "c", overwrite=True)] == [0, 0]


def test_names_that_are_no_strings() -> None:
    g = zchunk.group()
    assert g.create_group(b"a/b").path == "a/b"  # type: ignore[arg-type]
    assert g.create_group(Path("c") / "d").path == "c/d"  # type: ignore[arg-type]


# ---- arrays


def test_create_dataset(store: Any) -> None:
    g = zchunk.group(store)
    a = g.create_dataset("a/b", shape=(4, 6), chunks=(2, 3), dtype="i2", fill_value=7, order="F")
    assert (a.path, a.chunks, a.dtype, a.fill_value, a.order) == ("a/b", (2, 3), np.dtype("i2"), 7, "F")
    data = np.arange(6, dtype="u2")
    b = g["a"].create_dataset("/c", data=data, chunks=4, dtype="i8")
    assert (b.path, b.chunks, b.dtype) == ("c", (4,), np.dtype("i8"))
    assert b[...].tolist() == data.tolist()
    with pytest.raises(ContainsArrayError):
        g.create_dataset("c", shape=1)
    assert g.create_dataset("c", shape=1, overwrite=True).shape == (1,)
    with pytest.raises(TypeError):
        g.create_dataset("d", shape=1, store={})


@pytest.mark.format2
def test_every_way_to_make_an_array() -> None:
    g = zchunk.group()
    a = g.create("a", shape=5, chunks=2, dtype="i4", fill_value=3, compressor=zchunk.Zlib(2), order="F")
    made = [
        (g.empty("b", shape=5, chunks=2), None), (g.zeros("c", shape=5), 0), (g.ones("d", shape=5), 1),
        (g.full("e", 4, shape=5), 4), (g.full("f", shape=5, fill_value=5), 5), (g.empty_like("g", a), None),
        (g.zeros_like("h", a), 0), (g.ones_like("i", a), 1), (g.full_like("j", a), 3),
        (g.full_like("k", a, fill_value=9), 9),
    ]  # fmt: skip
    for (array, fill_value), name in zip(made, "bcdefghijk", strict=True):
        assert (array.path, array.shape, array.fill_value) == (name, (5,), fill_value)
        assert array == g[name]
        if name >= "g":
            assert (array.chunks, array.dtype, array.order) == ((2,), np.dtype("i4"), "F")
            assert array.compressor == a.compressor
    assert g.ones_like("l", np.zeros((2, 3), "i1"), chunks=2).dtype == np.dtype("i1")


def test_stores_and_locks_are_the_groups() -> None:
    locks: dict[str, Any] = defaultdict(threading.Lock)
    g = zchunk.group({}, chunk_store={}, synchronizer=locks, cache_attrs=False)
    for make in (g.create, g.zeros, g.create_dataset):
        a = make("a", shape=2, overwrite=True)
        assert (a.store, a.chunk_store, a.synchronizer) == (g.store, g.chunk_store, locks)
        assert not a.attrs.cache
    other: dict[str, Any] = defaultdict(threading.Lock)
    assert g.zeros("b", shape=1, synchronizer=other, cache_attrs=True).synchronizer is other


@pytest.mark.format2
def test_members_are_made_under_the_lock_of_the_hierarchy() -> None:
    held: list[str] = []

    class Locks:
        @contextmanager
        def __getitem__(self, key: str) -> Iterator[None]:
            # Not reentrant, like a lock of a file or of threads.
            assert key not in held
            held.append(key)
            used.add(key)
            yield
            held.remove(key)

    used: set[str] = set()
    g = zchunk.group({}, synchronizer=Locks(), path="below")
    for change in (
        lambda: g.create_group("a"), lambda: g.require_group("b"), lambda: g.require_dataset("c", shape=1),
        lambda: g.create_dataset("d", data=[1]), lambda: g.__setitem__("d", g["d"]), lambda: g.move("a", "e"),
        lambda: g.__delitem__("b"), lambda: g.zeros_like("f", g["d"]),
    ):  # fmt: skip
        used.clear()
        change()
        assert ".zgroup" in used
    assert list(g) == ["c", "d", "e", "f"]


def test_require_dataset(store: Any) -> None:
    g = zchunk.group(store)
    a = g.require_dataset("a/b", shape=(10,), chunks=3, dtype="f4", fill_value=2)
    a[:5] = 1
    assert g.require_dataset("a/b", shape=10, dtype="f4") == a
    assert g.require_dataset("a/b", 10, "i2")[...].tolist() == [1] * 5 + [2] * 5
    with pytest.raises(TypeError, match=r"\(10,\), not 11"):
        g.require_dataset("a/b", shape=11, dtype="f4")
    with pytest.raises(TypeError, match="cannot hold int32"):
        g.require_dataset("a/b", shape=10, dtype="i4")
    with pytest.raises(TypeError, match="not exactly int16"):
        g.require_dataset("a/b", shape=10, dtype="i2", exact=True)
    assert g.require_dataset("a/b", shape=10, dtype="f4", exact=True) == a
    with pytest.raises(ContainsGroupError):
        g.require_dataset("a", shape=10)
    with pytest.raises(ContainsArrayError):
        g.require_dataset("a/b/c", shape=10)
    filled = g.require_dataset("new", shape=2, dtype="i4", data=[3, 4])
    assert filled[...].tolist() == [3, 4]


@pytest.mark.parametrize("dtype", [str, bytes, "array:i4"])
@pytest.mark.format2
def test_require_dataset_of_objects(dtype: Any) -> None:
    pytest.importorskip("numcodecs")
    g = zchunk.group()
    a = g.require_dataset("a", shape=3, dtype=dtype)
    assert g.require_dataset("a", shape=3, dtype=dtype, exact=True) == a
    assert g.require_dataset("a", shape=3, dtype=object) == a
    g.create("b", shape=3, dtype="i4")
    with pytest.raises(TypeError, match="cannot hold object"):
        g.require_dataset("b", shape=3, dtype=dtype)


def test_requiring_what_is_there_of_a_read_only_group() -> None:
    g = zchunk.group()
    g["a"] = [1]
    reader = zchunk.open_group(g.store, "r")
    assert reader.require_dataset("a", shape=1, dtype="i8").read_only
    with pytest.raises(ReadOnlyError):
        reader.require_dataset("b", shape=1)


def test_read_only() -> None:
    g = zchunk.group()
    g["a"] = [1]
    reader = zchunk.open_group(g.store, "r")
    for call in (
        lambda: reader.create_dataset("x", shape=1), lambda: reader.create_groups("x"),
        lambda: reader.zeros("x", shape=1), lambda: reader.full("x", 1, shape=1),
        lambda: reader.empty_like("x", [1]), lambda: reader.move("a", "b"), lambda: reader.update(x=[1]),
    ):  # fmt: skip
        with pytest.raises(ReadOnlyError):
            call()
    assert list(g) == ["a"]


def test_threads_that_require_the_same() -> None:
    g = zchunk.group()
    barrier = threading.Barrier(4)

    def require(i: int) -> tuple[Any, Any]:
        barrier.wait()
        return g.require_group(f"g{i // 4}/x"), g.require_dataset(f"a{i // 4}/x", shape=3, dtype="i2")

    with ThreadPoolExecutor(4) as pool:
        for i, (group, array) in enumerate(pool.map(require, range(200))):
            assert group == g[f"g{i // 4}/x"]
            assert array == g[f"a{i // 4}/x"]


# ---- moving


def test_move(store: Any) -> None:
    g = zchunk.group(store)
    g["a"] = np.arange(10)
    g["a"].attrs["x"] = 1
    g.move("a", "b")
    assert list(g) == ["b"]
    g.move("b", "c/d/e")
    assert (g["c/d/e"][...].tolist(), g["c/d/e"].attrs["x"], list(g)) == (list(range(10)), 1, ["c"])
    g["c"].move("d", "/top/d")
    assert (list(g["c"]), list(g["top/d"])) == ([], ["e"])
    assert isinstance(g["top"], zchunk.Group)


def test_what_cannot_be_moved(store: Any) -> None:
    g = zchunk.group(store)
    g["a/x"] = [1]
    g["b"] = [2]
    before = {key: g.store[key] for key in g.store}
    for source, dest, error in (
        ("nope", "new/x", PathNotFoundError), ("a", "b", ContainsArrayError), ("b", "a", ContainsGroupError),
        ("a", "a/x/y", InvalidKeyError), ("a/x", "b/c", ContainsArrayError), ("", "c", InvalidKeyError),
        ("a", "", InvalidKeyError), ("a", ".zgroup", InvalidKeyError), ("a", "../b", InvalidKeyError),
        ("a", "a", ContainsGroupError), ("a/x/0", "c", PathNotFoundError),
    ):  # fmt: skip
        with pytest.raises(error):
            g.move(source, dest)
        assert {key: g.store[key] for key in g.store} == before


@pytest.mark.format2
def test_moving_chunks_in_a_store_of_their_own() -> None:
    chunks: dict[str, bytes] = {}
    g = zchunk.group({}, chunk_store=chunks)
    g["a/b"] = [1, 2]
    g.create("empty", shape=3)
    g.move("a", "c")
    g.move("empty", "d")
    assert set(chunks) == {"c/b/0"}
    assert set(g.store) == {".zgroup", "c/.zgroup", "c/b/.zarray", "d/.zarray"}
    assert g["c/b"][...].tolist() == [1, 2]


def test_moving_what_is_cached() -> None:
    g = zchunk.group({}, cache_bytes=1 << 20)
    g["a"] = [1, 2]
    g["b"] = [3, 4]
    a, b = g["a"], g["b"]
    assert (a[...].tolist(), b[...].tolist()) == ([1, 2], [3, 4])
    g.move("a", "c")
    g.move("b", "a")
    assert (a[...].tolist(), g["a"][...].tolist(), g["c"][...].tolist()) == ([3, 4], [3, 4], [1, 2])


@pytest.mark.format2
@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("key", ["new/b/0", "new/b/notes.txt", "new/b"])
def test_nothing_is_moved_to_where_other_values_lie(folders: bool, key: str, tmp_path: Path) -> None:
    places = (tmp_path / "meta", tmp_path / "chunks") if folders else ({}, {})
    store, chunks = map(zchunk.storage.normalize_store_arg, places)
    g = zchunk.open_group(store, "w", chunk_store=chunks)
    g["a"] = [5] * 4
    chunks[key] = b"old"
    before = dict(store), dict(chunks)
    with pytest.raises(StoreError, match=r"'/new/b'.* holds values.*rmdir"):
        g.move("a", "new/b")
    assert (dict(store), dict(chunks)) == before
    zchunk.storage.rmdir(chunks, "new")
    # Folders that deleted keys have left are not in the way.
    chunks["new/b/x/y"] = b""
    del chunks["new/b/x/y"]
    g.move("a", "new/b")
    assert g["new/b"][:].tolist() == [5] * 4
    assert list(chunks) == ["new/b/0"]


@pytest.mark.parametrize("again", [False, True])
def test_moving_with_the_store_itself_as_chunk_store(again: bool, tmp_path: Path) -> None:
    store = zchunk.DirectoryStore(tmp_path)
    g = zchunk.open_group(store, "w", chunk_store=zchunk.DirectoryStore(tmp_path) if again else store)
    g["a/b"] = [1, 2]
    g.move("a", "c")
    assert g["c/b"][:].tolist() == [1, 2]
    assert list(g) == ["c"]
