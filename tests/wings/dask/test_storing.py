"""dask: arrays out of stored arrays and into them, by threads and by processes that must not lose items."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests import ROOT, choice
from zchunk.errors import ContainsArrayError, CopyError, ReadOnlyError
from zchunk.spec.rectilinear_grid import RectilinearGrid
from zchunk.spec.regular_grid import RegularGrid

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

import zchunk.dask as zd  # noqa: E402
from zchunk.wings.dask import storing  # noqa: E402

ITEMS = np.arange(30 * 40, dtype="i4").reshape(30, 40)
# Dask chunks of this shape cut the stored chunks below.
ACROSS = (7, 9)
KINDS = pytest.mark.parametrize(
    "kwargs",
    [{"zarr_format": 2}, {"zarr_format": 3}, {"zarr_format": 3, "shards": (10, 20)}],
    ids=["v2", "v3", "shards"],
)


def stored(store: Any, items: Any = ITEMS, chunks: Any = (5, 5), **kwargs: Any) -> zchunk.Array:
    array = zchunk.create(items.shape, chunks, items.dtype, store=store, **kwargs)
    array[...] = items
    return array


def lazy(chunks: Any = ACROSS, items: Any = ITEMS) -> Any:
    return da.from_array(items, chunks=chunks)


# ---- writing


@KINDS
def test_an_array_made_to_measure(kwargs: dict[str, Any], tmp_path: Path) -> None:
    x = lazy((10, 20))
    z = zd.store(x, tmp_path, path="a/b", attributes={"units": "m"}, **kwargs)
    assert isinstance(z, zchunk.Array)
    assert z.name == "/a/b"
    assert (z.dtype, z.attrs["units"]) == (ITEMS.dtype, "m")
    assert (z.shards or z.chunks) == kwargs.get("shards", (10, 20))
    np.testing.assert_array_equal(zchunk.open(tmp_path / "a/b")[...], ITEMS)
    with pytest.raises(ContainsArrayError):
        zd.store(x + 1, tmp_path, path="a/b")
    # What cannot be made does not take away what is there.
    with pytest.raises(ValueError, match="chunks"):
        zd.store(x + 1, tmp_path, path="a/b", overwrite=True, chunks=(1, 2, 3))
    np.testing.assert_array_equal(z[...], ITEMS)
    given = {"dtype": "f8", "chunks": (10, 10), "zarr_version": kwargs["zarr_format"]}
    again = zd.store(x + 1, tmp_path, path="a/b", overwrite=True, **given)
    assert (again.dtype, again.chunks, again.zarr_format) == (np.dtype("f8"), (10, 10), z.zarr_format)
    np.testing.assert_array_equal(again[...], ITEMS + 1)


def test_the_format_is_that_of_the_group(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path, zarr_format=3)
    z = zd.store(lazy((10, 10)), tmp_path, path="x", shards=(10, 10), chunks=(5, 5))
    assert (z.zarr_format, z.shards) == (3, (10, 10))


def test_dask_chunks_become_shards(tmp_path: Path) -> None:
    x = da.zeros((2000, 3000), chunks=(1000, 1500))
    for shards in (True, "auto"):
        z = zd.store(x, tmp_path, overwrite=True, zarr_format=3, shards=shards)
        assert z.shards == (1000, 1500)
        assert z.chunks != z.shards


def test_chunks_of_several_lengths(tmp_path: Path) -> None:
    x = lazy(((3, 10, 17), (20, 20)))
    assert zd.store(x, tmp_path / "a").chunks == (17, 20)
    z = zd.store(x, tmp_path / "b", align="rechunk")
    assert z.chunks == (17, 20)
    np.testing.assert_array_equal(z[...], ITEMS)


@KINDS
@pytest.mark.parametrize("align", [None, "rechunk"])
def test_into_an_array(kwargs: dict[str, Any], align: str | None, tmp_path: Path) -> None:
    z = stored(tmp_path, np.zeros((40, 50), "f8"), **kwargs)
    expected = z[...]
    for region in (np.s_[3:33, 10:], np.s_[-30:, :40]):
        assert zd.store(lazy(), z, region, align=align) is z
        expected[region] = ITEMS
        np.testing.assert_array_equal(z[...], expected)
    zd.store(lazy(7, ITEMS[:, 0]), zchunk.create(50, store=tmp_path / "y"), slice(1, 31), align=align)
    np.testing.assert_array_equal(zchunk.open(tmp_path / "y")[1:31], ITEMS[:, 0])


def test_later(tmp_path: Path) -> None:
    z = stored(tmp_path, np.zeros((40, 50), "f8"))
    later = zd.store(lazy(), z, np.s_[:30, :40], compute=False)
    assert not z[...].any()
    for _ in range(2):
        later.compute()
        np.testing.assert_array_equal(z[:30, :40], ITEMS)
        z[...] = 0


@pytest.mark.parametrize("compute", [True, False])
def test_what_was_stored(compute: bool, tmp_path: Path) -> None:
    z = stored(tmp_path, np.zeros((40, 50), "u1"))
    x = zd.store(lazy(), z, np.s_[10:, 10:], compute=compute, return_stored=True)
    assert (x.shape, x.dtype) == (ITEMS.shape, z.dtype)
    assert z[...].any() == compute
    found = x.compute()
    assert found.dtype == z.dtype
    np.testing.assert_array_equal(found, ITEMS.astype("u1"))
    np.testing.assert_array_equal(z[10:, 10:], found)


def test_what_is_refused(tmp_path: Path) -> None:
    z = stored(tmp_path)
    before = z[...]
    x = lazy() + 1
    wrong: list[tuple[type[Exception], str, tuple[Any, ...], dict[str, Any]]] = [
        (TypeError, "not a dask array", (ITEMS, z), {}),
        (ValueError, "compute_chunk_sizes", (x[x > 3], z), {}),
        (ValueError, "align is", (x, z), {"align": True}),
        (TypeError, "takes no path, chunks", (x, z), {"path": "a", "chunks": 3}),
        (TypeError, "takes no write_empty_chunks", (x, z), {"write_empty_chunks": False}),
        (TypeError, "takes no overwrite", (x, z), {"overwrite": True}),
        (ReadOnlyError, "read-only", (x, zchunk.open(tmp_path, "r")), {}),
        (ValueError, "does not fit", (x[1:], z), {}),
        (ValueError, "does not fit", (x, z, np.s_[1:]), {}),
        (ValueError, "does not fit", (x, z, np.s_[:100, 5:2]), {}),
        (ValueError, "steps of 1", (x, z, np.s_[::2]), {}),
        (ValueError, "steps of 1", (x, z, np.s_[3, :]), {}),
        (ValueError, "has 3 axes", (x, z, np.s_[:, :, :]), {}),
        (TypeError, "a region is of", (x, tmp_path / "new", np.s_[:]), {}),
    ]
    for error, message, args, kwargs in wrong:
        with pytest.raises(error, match=message):
            zd.store(*args, **kwargs)
    np.testing.assert_array_equal(z[...], before)
    assert not (tmp_path / "new").exists()


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(st.lists(st.tuples(SIZES, st.integers(0, 20), st.integers(1, 12) | SIZES), max_size=3))
def test_alignment(axes: list[tuple[list[int], int, Any]]) -> None:
    sizes = tuple(tuple(s) for s, _, _ in axes)
    starts, shape = tuple(start for _, start, _ in axes), tuple(start + sum(s) for s, start, _ in axes)
    # Those of a rectilinear grid go on with a long one.
    chunks = tuple(c if isinstance(c, int) else (*c, 100) for _, _, c in axes)
    regular = all(isinstance(c, int) for c in chunks)
    grid: Any = RegularGrid(shape, chunks) if regular else RectilinearGrid(shape, chunks)

    def shared(sizes: Any) -> bool:
        """Whether two dask chunks lie in one stored chunk, by looking at each item."""
        for lengths, start, c in zip(sizes, starts, chunks, strict=True):
            ends = list(itertools.accumulate(lengths, initial=start))
            of = np.repeat(np.arange(200 if isinstance(c, int) else len(c)), c)
            touched = [set(of[a:b].tolist()) for a, b in itertools.pairwise(ends)]
            if sum(map(len, touched)) > len(set().union(*touched)):
                return True
        return False

    assert storing._is_aligned(sizes, starts, grid) == (not shared(sizes))
    found = storing._aligned(sizes, starts, grid)
    assert not shared(found)
    assert list(map(sum, found)) == list(map(sum, sizes))
    if not shared(sizes):
        assert found == sizes


# ---- races: every item right, or refused


RUNS = 20 if choice.everything else 4


@KINDS
def test_threads_that_share_chunks(kwargs: dict[str, Any]) -> None:
    z = zchunk.create(ITEMS.shape, chunks=(5, 5), dtype="i4", store=zchunk.MemoryStore(), **kwargs)
    with dask.config.set(scheduler="threads", num_workers=8):
        for run in range(RUNS):
            zd.store(lazy((3, 8)) + run, z)
            np.testing.assert_array_equal(z[...], ITEMS + run)


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """The client of two worker processes, which only the tests use that ask for it."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(host="127.0.0.1", protocol="tcp", processes=True, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def client(workers: Any) -> Iterator[Any]:
    """The same, which dask uses during the test."""
    with workers.as_current():
        yield workers


@KINDS
def test_processes_that_share_chunks(client: Any, kwargs: dict[str, Any], tmp_path: Path) -> None:
    x = lazy((3, 40))
    z = stored(tmp_path / "x", np.zeros_like(ITEMS), (5, 20), **kwargs)
    locks = zchunk.ProcessSynchronizer(tmp_path / "locks")
    synchronized = zchunk.open_array(tmp_path / "x", "r+", synchronizer=locks)
    threads = zchunk.ThreadSynchronizer()
    of_threads = [dask.utils.SerializableLock(), threads["x"]]
    for lock in (None, False, *of_threads):
        with pytest.raises(ValueError, match="align='rechunk'"):
            zd.store(x, z, lock=lock)
    with pytest.raises(ValueError, match="align='rechunk'"):
        zd.store(x, zchunk.open_array(tmp_path / "x", "r+", synchronizer=threads))
    with pytest.raises(ValueError, match="align='rechunk'"):
        zd.store(x, tmp_path / "new", chunks=(4, 4))
    assert not (tmp_path / "new").exists()
    later = zd.store(x, z, compute=False)
    with pytest.raises(ValueError, match="align='rechunk'"):
        client.compute(later).result(timeout=60)
    assert not z[...].any()
    later.compute(scheduler="threads")
    np.testing.assert_array_equal(z[...], ITEMS)
    for run in range(RUNS if kwargs["zarr_format"] == 2 else 4):
        target, options = (
            (z, {"align": "rechunk"}),
            (z, {"lock": True}),
            (synchronized, {}),
            (z, {"lock": locks["all"]}),
        )[run % 4]
        zd.store(x + run, target, **options)
        np.testing.assert_array_equal(z[...], ITEMS + run)


@KINDS
def test_processes(client: Any, kwargs: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x"
    z = zd.store(lazy((10, 20)), path, chunks=(10, 10), **kwargs)
    parts = kwargs.get("shards", (10, 10))
    np.testing.assert_array_equal(z[...], ITEMS)
    x = zd.from_zchunk(path, parts)
    assert int(x.sum().compute()) == ITEMS.sum()
    # The same name in every process, so that results are found again.
    assert client.submit(lambda p: zd.from_zchunk(p, parts).name, path).result(timeout=60) == x.name
    other = zd.store(x + 1, tmp_path / "y")
    zd.store(zd.from_zchunk(other), z)
    np.testing.assert_array_equal(z[...], ITEMS + 1)
    assert int(zd.from_zchunk(path, parts).sum().compute()) == (ITEMS + 1).sum()
    back = zd.store(x + 1, other, return_stored=True)
    np.testing.assert_array_equal(back.compute(), ITEMS + 2)


@pytest.mark.parametrize("kind", ["dict", "memory", "fsspec", "zip", "dbm", "lru"])
def test_stores_that_one_process_writes(client: Any, kind: str, tmp_path: Path) -> None:
    if kind == "fsspec":
        pytest.importorskip("fsspec")
    store: Any = {
        "dict": dict,
        "memory": zchunk.MemoryStore,
        "fsspec": lambda: "memory://test_stores_that_one_process_writes",
        "zip": lambda: zchunk.ZipStore(tmp_path / "x.zip"),
        "dbm": lambda: zchunk.DBMStore(tmp_path / "x"),
        "lru": lambda: zchunk.LRUStoreCache(zchunk.ZipStore(tmp_path / "x.zip"), 10_000),
    }[kind]()
    x = lazy((10, 20))
    with pytest.raises(ValueError, match="is written by one"):
        zd.store(x, store)
    z = zd.store(x, store, compute_kws={"scheduler": "threads"})
    with pytest.raises(ValueError, match="is written by one"):
        zd.store(x, z)
    later = zd.store(x + 1, z, compute=False)
    with pytest.raises(Exception, match=r"is written by one|[Ss]erializ"):
        client.compute(later).result(timeout=60)
    np.testing.assert_array_equal(z[...], ITEMS)


def test_workers_that_are_threads(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    z = stored(tmp_path, np.zeros_like(ITEMS))
    options = {"n_workers": 2, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        for run in range(3):
            zd.store(lazy() + run, z)
            np.testing.assert_array_equal(z[...], ITEMS + run)


def test_dasks_own_processes(tmp_path: Path) -> None:
    z = stored(tmp_path, np.zeros_like(ITEMS))
    kws = {"compute_kws": {"scheduler": "processes", "num_workers": 2}}
    with pytest.raises(ValueError, match="align='rechunk'"):
        zd.store(lazy(), z, **kws)
    assert not z[...].any()
    zd.store(lazy(), z, align="rechunk", **kws)
    np.testing.assert_array_equal(z[...], ITEMS)


# ---- progress, documentation, installation


def test_progress(client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import distributed
    from dask.diagnostics import ProgressBar

    with ProgressBar(minimum=0), dask.config.set(scheduler="threads"):
        zd.store(lazy((10, 20)), tmp_path)
    assert "100% Completed" in capsys.readouterr().out
    future = client.compute(zd.from_zchunk(tmp_path, (10, 10)).sum())
    distributed.progress(future, notebook=False)
    assert "Completed" in capsys.readouterr().out
    assert future.result(timeout=60) == ITEMS.sum()


def test_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "dask.md").read_text()
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(block, names)


def test_without_dask() -> None:
    code = (
        "import sys, zchunk; assert 'dask' not in sys.modules; sys.modules['dask'] = None\n"
        "try: import zchunk.dask\n"
        "except ImportError as err: print(err)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'dask[array]'" in run.stdout


def test_the_source_is_not_replaced(tmp_path: Path) -> None:
    z = zchunk.array(ITEMS, store=tmp_path / "x.zarr", chunks=10)
    (tmp_path / "link").symlink_to(tmp_path / "x.zarr")
    everything = zd.from_zchunk(z, (10, 10))
    lazily = [
        everything, (everything + 1)[::-1], everything.sum(axis=0), da.from_array(z, chunks=10),
        zd.from_zchunk(z, inline_array=True),
        da.map_blocks(lambda z=z: z[:], chunks=((30,), (40,)), dtype=z.dtype),
    ]  # fmt: skip
    for x in lazily:
        for target in (tmp_path / "x.zarr", z.store, str(tmp_path), tmp_path / "link"):
            with pytest.raises(CopyError, match="write elsewhere"):
                zd.store(x, target, overwrite=True)
        with pytest.raises(CopyError):
            zd.store(x, tmp_path, path="x.zarr/below", overwrite=True)
        zd.store(x, tmp_path / "y.zarr", overwrite=True)
    np.testing.assert_array_equal(z[:], ITEMS)


def test_the_source_is_not_changed_while_it_is_read(tmp_path: Path) -> None:
    z = zchunk.array(ITEMS, store=tmp_path / "x.zarr", chunks=10)
    (tmp_path / "link").symlink_to(tmp_path / "x.zarr")
    x = zd.from_zchunk(z, (10, 10))
    lazily = [x + 1, x[::-1], x - x.mean(axis=0), da.from_array(z, chunks=(10, 40)), (x - x[:1])[:10]]
    targets = [z, zchunk.open_array(tmp_path / "x.zarr"), zchunk.open_array(tmp_path / "link")]
    for target in targets:
        for data in lazily:
            for how in ({}, {"compute": False}, {"align": "rechunk"}, {"lock": True}):
                with pytest.raises(CopyError, match="write elsewhere"):
                    zd.store(data, target, slice(0, len(data)), **how)
    np.testing.assert_array_equal(z[:], ITEMS)
    # What is computed is read no more.
    zd.store((x[::-1] + 1).persist(), z)
    np.testing.assert_array_equal(z[:], ITEMS[::-1] + 1)


def test_the_source_in_a_store_of_chunks_is_not_changed_while_it_is_read(tmp_path: Path) -> None:
    chunks = zchunk.MemoryStore()
    z = zchunk.array(ITEMS, store=tmp_path / "x.zarr", chunk_store=chunks, chunks=10)
    other = zchunk.open_array(tmp_path / "x.zarr", chunk_store=chunks)
    with pytest.raises(CopyError, match="write elsewhere"):
        zd.store(zd.from_zchunk(z)[::-1], other)
