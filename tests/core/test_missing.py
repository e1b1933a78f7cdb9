"""What was never stored: an error instead of fill values, and listings of what is there and what is not."""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.engine.test_execute import executor
from tests.variants import Variant, chunks_per_key, only_v2
from zchunk.core.access import Access
from zchunk.core.array_config import NewNodes
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ChunkNotFoundError, PathNotFoundError

pytestmark = pytest.mark.usefixtures("variant")

STORES: dict[str, Callable[[Path], Any]] = {
    "dict": lambda path: {},
    "memory": lambda path: zchunk.MemoryStore(),
    "folder": lambda path: zchunk.DirectoryStore(path / "z"),
    "zip": lambda path: zchunk.ZipStore(path / "z.zip"),
    "sqlite": lambda path: zchunk.SQLiteStore(path / "z.db"),
    "objects": lambda path: zchunk.storage.ObjectStore(pytest.importorskip("obstore.store").MemoryStore()),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


@pytest.mark.parametrize("name", ["native", "generic"])
@pytest.mark.parametrize("compressor", ["default", None])
def test_reading_what_is_not_stored_is_an_error(store: Any, name: str, compressor: Any) -> None:
    z = zchunk.create((6, 10), chunks=(2, 5), dtype="i4", store=store, compressor=compressor, missing="error")
    # Whole shards, if there are some.
    z[:4] = 7
    with executor(name):
        assert (z[:4] == 7).all()
        for selection in (..., 4, (5, 7), ([0, 5], slice(None)), ([3, 4], [0, 0]), slice(4, None)):
            with pytest.raises(ChunkNotFoundError, match="is not stored; it is read as fill values if"):
                z[selection]
        assert z[4:4].shape == (0, 10)
        assert (zchunk.open_array(store, mode="r")[4:] == 0).all()
        # A write of a part of a chunk is no read.
        z[4:, 2:] = 3
        with executor("native" if name == "generic" else "generic"):
            assert (z[4:, 2:] == 3).all()
            assert (z[4:, :2] == 0).all()


def test_error_names_the_chunk(variant: Variant) -> None:
    g = zchunk.open_group({}, missing="error")
    z = g.create("a/b", shape=(4, 12), chunks=(2, 2), dtype="i4")
    z[0, 0] = 1
    with pytest.raises(ChunkNotFoundError) as caught:
        z[:, 0]
    where = r"chunk 'a/b/1.0' at (1, 0)" if variant.kind == "v2" else "chunk 'a/b/c/1/0' at (1, 0)"
    if variant.sharded:
        # The shard is there, the chunk in it is not.
        where = "chunk '1.0' at (1, 0)"
    assert str(caught.value).startswith(f"{where} of array '/a/b' in ")
    with pytest.raises(ChunkNotFoundError) as caught:
        z[0, 11]
    assert "at (0, 5) of" in str(caught.value) or (variant.sharded and "at (0, 1) of" in str(caught.value))


@given(data=st.data())
def test_listings(data: st.DataObject, variant: Variant) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 7), max_size=3)))
    chunks = tuple(data.draw(st.integers(1, 3)) for _ in shape)
    z = zchunk.create(shape, chunks=chunks, dtype="i4", fill_value=0, write_empty_chunks=False)
    counts = [-(-n // c) for n, c in zip(shape, chunks, strict=True)]
    every = list(itertools.product(*map(range, counts)))
    wanted = data.draw(st.sets(st.sampled_from(every))) if every else set()
    for coords in wanted:
        z[tuple(slice(i * c, (i + 1) * c) for i, c in zip(coords, chunks, strict=True))] = 1
    found = list(z.stored_chunks())
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert list(z.missing_chunks()) == [coords for coords in every if coords not in wanted]
    assert sorted(found + list(z.missing_chunks())) == every
    strict: Any = zchunk.open_array(z.store, mode="r", missing="error")
    for coords in every:
        part = tuple(slice(i * c, (i + 1) * c) for i, c in zip(coords, chunks, strict=True))
        if coords in wanted:
            assert (strict[part] == 1).all()
        else:
            with pytest.raises(ChunkNotFoundError):
                strict[part]


def test_listings_of_stores(store: Any, variant: Variant) -> None:
    z = zchunk.create((8, 12), chunks=(2, 2), dtype="i4", store=store)
    assert list(z.stored_chunks()) == []
    z[0, 0] = z[7, 11] = 1
    if variant.sharded:
        assert chunks_per_key(z) == 6
    assert sorted(z.stored_chunks()) == [(0, 0), (3, 5)]
    assert len(list(z.missing_chunks())) == 22


def test_chunks_beyond_the_edge_are_not_listed() -> None:
    z = zchunk.zeros((8, 12), chunks=(2, 2), dtype="i4")
    z[...] = 1
    before = dict(z.store)
    z.resize(4, 6)
    z.store.update(
        {key: value for key, value in before.items() if not key.endswith((".zarray", "zarr.json"))}
    )
    assert sorted(z.stored_chunks()) == [(i, j) for i in range(2) for j in range(3)]
    assert list(z.missing_chunks()) == []


@only_v2("counts what is asked of the store")
def test_listings_ask_for_no_chunk() -> None:
    class Counting(dict[str, Any]):
        asked = 0

        def __getitem__(self, key: str) -> Any:
            self.asked += not key.startswith(".z")
            return super().__getitem__(key)

    store = Counting()
    z = zchunk.zeros((100,), chunks=1, store=store)
    z[:] = 1
    del store["7"]
    assert list(z.missing_chunks()) == [(7,)]
    assert len(list(z.stored_chunks())) == 99
    assert store.asked == 0


@only_v2("a huge grid is one in every format")
def test_a_huge_grid() -> None:
    z = zchunk.zeros((10**12,), chunks=1, dtype="i1")
    z[0] = z[2] = 1
    assert list(itertools.islice(z.missing_chunks(), 3)) == [(1,), (3,), (4,)]


def test_everything_that_opens_takes_it(tmp_path: Path) -> None:
    path = str(tmp_path / "g.zarr")
    zchunk.open_group(path, mode="w").create("a", shape=4, chunks=2)
    inside = str(tmp_path / "g.zarr/a")
    opened: list[Any] = [
        zchunk.open(inside, missing="error"),
        zchunk.open(inside, mode="r", missing="error"),
        zchunk.open_array(inside, missing="error"),
        zchunk.Array(zchunk.DirectoryStore(inside), missing="error"),
        zchunk.open(path, missing="error")["a"],
        zchunk.open_group(path, missing="error")["a"],
        zchunk.group(path, missing="error")["a"],
        zchunk.Group(zchunk.DirectoryStore(path), missing="error")["a"],
        zchunk.open_group(path).require_dataset("a", 4, dtype="f8", missing="error"),
        zchunk.open_group(path, missing="error").create("b", shape=4),
        zchunk.create(4, missing="error"),
        zchunk.zeros(4, missing="error"),
    ]
    for z in opened:
        for again in (z, pickle.loads(pickle.dumps(z)), z.astype("f4"), z.view(dtype="i8")):
            with pytest.raises(ChunkNotFoundError):
                again[...]
    with pytest.raises(ValueError, match="'fill' or 'error', not 'raise'"):
        zchunk.open_array(inside, missing="raise")  # type: ignore[arg-type]


def test_a_cache_that_others_use() -> None:
    cache = ChunkCache(10**6)
    z = zchunk.zeros((4, 6), chunks=(2, 3))
    lax: Any = zchunk.open_array(z.store, cache_bytes=cache)
    strict: Any = zchunk.open_array(z.store, cache_bytes=cache, missing="error")
    for _ in range(2):
        assert (lax[...] == 0).all()
        with pytest.raises(ChunkNotFoundError):
            strict[...]
    z[...] = 5
    assert (strict[...] == 5).all()
    assert (strict[...] == 5).all()


def test_an_array_that_is_gone(tmp_path: Path) -> None:
    z = zchunk.create(4, store=str(tmp_path / "z"), missing="error")
    zchunk.storage.rmdir(z.store, "")
    with pytest.raises(PathNotFoundError):
        z[:]


@pytest.mark.parametrize("selection", [slice(None), (0, 0), ([0, 1], slice(None))])
def test_a_folder_that_was_never_there(selection: Any, tmp_path: Path) -> None:
    """The error is that of a chunk, not that of a file."""
    stores: Any = {"store": {}, "path": "a", "chunk_store": zchunk.DirectoryStore(tmp_path / "c")}
    z = zchunk.create((8, 6), chunks=(2, 3), missing="error", **stores)
    with pytest.raises(ChunkNotFoundError):
        z[selection]


@pytest.mark.parametrize("selection", [slice(None), (0, 0), ([0, 1], slice(None))])
def test_reading_an_array_that_is_gone(selection: Any, tmp_path: Path) -> None:
    z = zchunk.create((8, 6), chunks=(2, 3), store=tmp_path / "z", missing="error")
    zchunk.storage.rmdir(z.store, "")
    with pytest.raises(PathNotFoundError):
        z[selection]


@pytest.mark.parametrize("listing", [zchunk.Array.stored_chunks, zchunk.Array.missing_chunks])
def test_listings_of_an_array_that_is_gone(listing: Callable[[zchunk.Array], Any], tmp_path: Path) -> None:
    z = zchunk.create((8, 6), chunks=(2, 3), store=tmp_path / "z")
    zchunk.storage.rmdir(z.store, "")
    with pytest.raises(PathNotFoundError):
        list(listing(z))


@only_v2("the record is that of every format")
def test_pickles_from_before() -> None:
    # Made when a record had no such members.
    assert Access(*zchunk.zeros(2)._access[:-1]).new_nodes == NewNodes()
    assert Access(*zchunk.zeros(2)._access[:-2]).fortran is False
    assert Access(*zchunk.zeros(2)._access[:-3]).missing == "fill"


def test_objects() -> None:
    z = zchunk.create(4, chunks=2, dtype=str, missing="error")
    z[:2] = ["a", "b"]
    np.testing.assert_array_equal(z[:2], np.array(["a", "b"], object))
    with pytest.raises(ChunkNotFoundError):
        z[1:]


def bytes_read() -> int:
    """Return how many bytes this process has read, from files and caches of the kernel."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel counts what is read on Linux")
def test_a_part_of_a_chunk_is_read_alone(tmp_path: Path, variant: Variant) -> None:
    """As without ``missing``: of an uncompressed chunk not more than the rows that are selected."""
    z = zchunk.create(
        (64, 2**14), chunks=(32, 2**14), dtype="i4", compressor=None, store=tmp_path / "z", missing="error"
    )
    z[...] = 3
    before = bytes_read()
    assert (z[40] == 3).all()
    assert bytes_read() - before < 2**18 < z.nbytes // 8


@only_v2("keys are named")
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("kind", ["dict", "memory", "folder"])
def test_folders_named_like_chunks_are_none(kind: str, separator: Any, tmp_path: Path) -> None:
    z = zchunk.zeros((4, 4), chunks=2, store=STORES[kind](tmp_path), dimension_separator=separator)
    z[:2, :2] = 1
    z.store[f"0{separator}1/notes.txt"] = b"no chunk"
    assert list(z.stored_chunks()) == [(0, 0)]
    assert sorted(z.missing_chunks()) == [(0, 1), (1, 0), (1, 1)]
