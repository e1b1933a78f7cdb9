"""dask arrays out of stored arrays."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.errors import ArrayNotFoundError, CopyError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
import zchunk.dask as zd  # noqa: E402
from tests.wings.dask.test_storing import ITEMS, KINDS, stored  # noqa: E402
from zchunk.wings.dask.reading import _chunks_of  # noqa: E402


class Counting(zchunk.MemoryStore):
    """Counts the chunks that are read."""

    reads = 0

    def __getitem__(self, key: str) -> bytes:
        self.reads += "/" not in key and key[0].isdigit()
        return super().__getitem__(key)


@KINDS
def test_reading(kwargs: dict[str, Any], tmp_path: Path) -> None:
    z = stored(tmp_path / "x", **kwargs)
    unit = kwargs.get("shards", (5, 5))
    everything = zd.from_zchunk(z)
    assert everything.chunks == ((30,), (40,))
    parts = zd.from_zchunk(z, "2 kiB")
    assert parts.nbytes / 8 <= parts.blocks[0, 0].nbytes <= 2048
    assert parts.npartitions > 1
    for x in (everything, parts, zd.from_zchunk(tmp_path / "x", None), zd.from_zchunk(z, (8, -1))):
        assert (x.shape, x.dtype, type(x._meta)) == (z.shape, z.dtype, np.ndarray)
        for scheduler in ("threads", "sync"):
            np.testing.assert_array_equal(x.compute(scheduler=scheduler), ITEMS)
        np.testing.assert_array_equal(x[3:20:3, [1, 30, 4]].compute(), ITEMS[3:20:3, [1, 30, 4]])
        again = pickle.loads(pickle.dumps(x))
        assert again.name == x.name
        np.testing.assert_array_equal(again.sum().compute(), ITEMS.sum())
    assert zd.from_zchunk(z, None).chunksize == unit
    assert all(size % n == 0 for size, n in zip(parts.chunksize, unit, strict=True))


def test_reading_from_a_store(tmp_path: Path) -> None:
    stored(tmp_path, path="a/b")
    assert int(zd.from_zchunk(str(tmp_path), path="a/b").sum().compute()) == ITEMS.sum()
    assert int(zd.from_zchunk(tmp_path / "a" / "b", inline_array=True).sum().compute()) == ITEMS.sum()
    assert zd.from_zchunk(tmp_path, path="a/b", name="mine", zarr_format=2).name == "mine"
    with pytest.raises(ArrayNotFoundError):
        zd.from_zchunk(tmp_path, path="c")
    with pytest.raises(TypeError, match="takes no path"):
        zd.from_zchunk(zchunk.open(tmp_path / "a" / "b"), path="c")


def test_nothing_is_read_before_it_is_computed() -> None:
    store = Counting()
    z = stored(store)
    store.reads = 0
    made = [zd.from_zchunk(z, None), zd.from_zchunk(z), da.from_array(z, chunks=(5, 5)), da.from_array(z)]
    assert store.reads == 0
    assert made[0][:5, :5].sum().compute() == ITEMS[:5, :5].sum()
    assert store.reads == 1


def test_what_dask_makes_of_an_array_by_itself(tmp_path: Path) -> None:
    z = stored(tmp_path / "x", zarr_format=3, shards=(10, 10))
    with dask.config.set({"array.chunk-size": "2 kiB"}):
        x = da.from_array(z)
    assert x.npartitions > 1
    assert all(size % 5 == 0 for size in x.chunksize)
    np.testing.assert_array_equal(x.compute(), ITEMS)
    assert da.from_array(z).name == da.from_array(zchunk.open(tmp_path / "x", "r")).name
    views = da.from_array(z.astype("f8")), da.from_array(z.view(dtype="u4"))
    np.testing.assert_array_equal(da.stack([x, *views])[1].compute(), ITEMS.astype("f8"))
    for lock in (True, False):
        da.store(x + 1, z, lock=lock)
        np.testing.assert_array_equal(z[...], ITEMS + (1 if lock else 2))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_shapes_at_the_edge(shape: tuple[int, ...], tmp_path: Path) -> None:
    items = np.full(shape, 7, "i2")
    z = zd.store(da.from_array(items), tmp_path / "x")
    for chunks in ("auto", None):
        np.testing.assert_array_equal(zd.from_zchunk(z, chunks).compute(), items)


def test_items_of_other_kinds(tmp_path: Path) -> None:
    text = np.array(["a", "bc", ""] * 4, object)
    for items, kwargs in (
        (text, {"dtype": str}),
        (np.arange(12).astype("M8[D]"), {}),
        (np.ones(12, [("a", "i4"), ("b", "f8")]), {}),
    ):
        x = da.from_array(items, chunks=5)
        z = zd.store(x, tmp_path, overwrite=True, **kwargs)
        assert z.chunks == (5,)
        found = zd.from_zchunk(z)
        assert found.dtype == items.dtype
        np.testing.assert_array_equal(found.compute(), items)


def test_a_rectilinear_grid(tmp_path: Path) -> None:
    z = zchunk.create(10, chunks=5, dtype="i4", zarr_format=3, store=tmp_path, fill_value=3)
    document = (tmp_path / "zarr.json").read_text()
    grid = '{"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[[2, 3], 4]]}}'
    changed = re.sub(r'"chunk_grid":\s*\{.*?\}\s*\}', f'"chunk_grid": {grid}', document, flags=re.DOTALL)
    (tmp_path / "zarr.json").write_text(changed)
    z = zchunk.open(tmp_path)
    assert z.chunks == ((2, 2, 2, 4),)
    for x in (zd.from_zchunk(z), zd.from_zchunk(z, None)):
        assert x.chunks == z.chunks
        assert x.sum().compute() == 30
    assert da.from_array(z).sum().compute() == 30
    zd.store(da.arange(10, chunks=3, dtype="i4"), z)
    assert z[...].tolist() == list(range(10))


LENGTHS = st.tuples(st.integers(0, 200), st.integers(1, 40), st.integers(1, 4))


@given(st.lists(LENGTHS, min_size=1, max_size=3), st.booleans(), st.integers(1, 100_000))
def test_automatic_chunks(axes: list[tuple[int, int, int]], sharded: bool, limit: int) -> None:
    shape, chunks, times = zip(*axes, strict=True)
    shards = tuple(c * n for c, n in zip(chunks, times, strict=True))
    z = zchunk.create(shape, chunks, "i2", zarr_format=3, shards=shards if sharded else None)
    found = _chunks_of(z, f"{limit}B")
    with dask.config.set({"array.chunk-size": limit}):
        assert _chunks_of(z, "auto") == found
    one, shard = (tuple(map(min, lengths, shape)) for lengths in (chunks, z.shards or chunks))
    nbytes = 2 * np.prod(found)
    assert nbytes <= max(limit, 2 * np.prod(one))
    # Whole shards, or whole chunks in one shard; and twice as many would be too much.
    fits = 2 * np.prod(shard) <= limit
    unit, whole = (z.shards or chunks, shape) if fits else (chunks, shard)
    for size, n, c in zip(found, whole, unit, strict=True):
        assert size == n or (size % c == 0 and 2 * nbytes > limit)


def test_names_follow_the_data(tmp_path: Path) -> None:
    z = stored(tmp_path)
    names = [zd.from_zchunk(z).name]
    assert zd.from_zchunk(tmp_path).name == names[0]
    assert zd.from_zchunk(z, (5, 5)).name != names[0]
    assert zd.from_zchunk(z, name=False).name != names[0]
    for change in (lambda: z.__setitem__(0, 5), lambda: z.resize(35, 40)):
        change()
        names.append(zd.from_zchunk(z).name)
    assert len(set(names)) == 3
    memory = stored(None)
    assert zd.from_zchunk(memory).name != zd.from_zchunk(memory).name


def test_lazy_views(tmp_path: Path) -> None:
    z = zchunk.array(np.arange(200).reshape(20, 10), chunks=(6, 5), store=tmp_path / "z")
    view = zchunk.concat([z, z.lazy[::-1]])[3:, ::-1].T
    x = da.from_array(view)
    wanted = np.concatenate([z[...], z[::-1]])[3:, ::-1].T
    np.testing.assert_array_equal(x.compute(), wanted)
    chunks = da.from_array(view, chunks=view.chunks)
    assert chunks.chunks == view.chunks == ((5, 5), (3, 6, 6, 2, 2, 6, 6, 6))
    np.testing.assert_array_equal(chunks[::2, [3, 1]].compute(), wanted[::2, [3, 1]])
    # The names follow from what is read.
    assert da.from_array(view).name == x.name
    assert da.from_array(view[:, ::-1]).name != x.name
    assert da.from_array(z.lazy[[1, 2]]).name != da.from_array(z.lazy[[1, 3]]).name
    z[0, 0] = -1
    assert da.from_array(view).name != x.name
    with pytest.raises(CopyError, match="would be read while it is written to"):
        zchunk.dask.store(da.from_array(z.lazy[::-1]), z)
