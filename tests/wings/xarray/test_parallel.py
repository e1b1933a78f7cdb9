"""xarray's data sets written by many at the same time: refused, or every value right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.xarray.test_backend import pytestmark, xr

pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

from zchunk.xarray import to_zarr  # noqa: E402

__all__ = ["pytestmark"]

SHAPE, CHUNKS = (61, 40), (8, 16)


def whole() -> Any:
    values = np.arange(np.prod(SHAPE), dtype="i4").reshape(SHAPE) + 1
    return xr.Dataset({"a": (("y", "x"), values)})


def encoding(shards: bool) -> Any:
    return {"a": {"chunks": (4, 8), "shards": CHUNKS} if shards else {"chunks": CHUNKS}}


def prepared(path: Path, version: int = 2, shards: bool = False) -> None:
    """Make the array, without its values."""
    later = whole().chunk(y=-1, x=-1).zchunk
    later.to_zarr(path, compute=False, zarr_format=version, encoding=encoding(shards))


def pieces() -> list[tuple[slice, slice]]:
    """Parts of the array that share chunks, one next to the other at different times."""
    corners = itertools.product(range(0, 61, 10), range(0, 40, 7))
    found = [(slice(y, y + 10), slice(x, x + 7)) for y, x in corners]
    return found[::2] + found[1::2]


def write_piece(path: Path, y: slice, x: slice, synchronizer: Any = None) -> None:
    region = {"y": slice(y.start, min(y.stop, 61)), "x": slice(x.start, min(x.stop, 40))}
    to_zarr(whole().isel(y=y, x=x), path, region=region, synchronizer=synchronizer)


def check(path: Path) -> None:
    with xr.open_dataset(path, engine="zchunk") as found:
        xr.testing.assert_equal(found.load(), whole())


KINDS = pytest.mark.parametrize(("version", "shards"), [(2, False), (3, True)], ids=["v2", "shards"])


# ---- threads


@KINDS
def test_threads_that_write_regions_which_share_chunks(version: int, shards: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    prepared(path, version, shards)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda piece: write_piece(path, *piece), pieces()))
    check(path)


@KINDS
def test_dask_threads(version: int, shards: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    ds = whole().chunk(y=5, x=7)
    given = {"zarr_format": version, "encoding": encoding(shards)}
    with pytest.raises(ValueError, match="align_chunks=True"):
        ds.zchunk.to_zarr(path, "w", **given)
    for mode in ({"align_chunks": True}, {"safe_chunks": False}):
        ds.zchunk.to_zarr(path, "w", **given, **mode)
        check(path)


def test_dask_chunks_that_are_those_of_chunks_in_shards_are_refused(tmp_path: Path) -> None:
    ds = whole().chunk(y=4, x=8)
    for shards in (CHUNKS, "auto"):
        wanted = {"a": {"chunks": (4, 8), "shards": shards}}
        with pytest.raises(ValueError, match="align_chunks=True"):
            ds.zchunk.to_zarr(tmp_path, "w", zarr_format=3, encoding=wanted)
    prepared(tmp_path / "x.zarr", 3, True)
    with pytest.raises(ValueError, match="align_chunks=True"):
        ds.zchunk.to_zarr(tmp_path / "x.zarr", "r+")
    prepared(tmp_path / "y.zarr", 3, True)
    with xr.open_dataset(tmp_path / "x.zarr", engine="zchunk", chunks={}) as ds:
        (ds + whole()).zchunk.to_zarr(tmp_path / "y.zarr", "r+")
    check(tmp_path / "y.zarr")


# ---- processes


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes."""
    options = {"n_workers": 2, "threads_per_worker": 2, "processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(host="127.0.0.1", protocol="tcp", **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@KINDS
def test_workers(client: Any, version: int, shards: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    ds = whole().chunk(y=5, x=7)
    given = {"zarr_format": version, "encoding": encoding(shards)}
    with pytest.raises(ValueError, match="align_chunks=True"):
        ds.zchunk.to_zarr(path, "w", **given)
    ds.zchunk.to_zarr(path, "w", align_chunks=True, **given)
    check(path)
    locks = zchunk.ProcessSynchronizer(tmp_path / "locks")
    ds.zchunk.to_zarr(path, "w", safe_chunks=False, synchronizer=locks, **given)
    check(path)
    later = whole().chunk(y=16, x=16).zchunk.to_zarr(path, "w", compute=False, **given)
    client.compute(later).result(timeout=60)
    check(path)
    with xr.open_dataset(path, engine="zchunk", chunks={}) as found:
        assert int(found.a.sum().compute()) == int(whole().a.sum())


def test_workers_that_write_regions_which_share_chunks(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    prepared(path)
    locks = zchunk.ProcessSynchronizer(tmp_path / "locks")
    ys, xs = zip(*pieces(), strict=True)
    done = client.map(write_piece, [path] * len(ys), ys, xs, [locks] * len(ys), pure=False)
    client.gather(done)
    check(path)


def test_workers_append_in_turns(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    for number in range(3):
        part = whole().isel(y=slice(20 * number, 20 * number + 20 + number // 2)).chunk(y=10, x=20)
        given = {"append_dim": "y"} if number else {"encoding": {"a": {"chunks": (10, 20)}}}
        part.zchunk.to_zarr(path, **given)
    check(path)


def test_progress_of_workers(client: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ds = whole().chunk(y=8, x=16)
    ds.zchunk.to_zarr(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, ds.a.size), (ds.a.size, ds.a.size)]


@pytest.mark.parametrize("store", [zchunk.MemoryStore, dict])
def test_what_other_processes_write_to_memory_is_not_lost_in_silence(client: Any, store: Any) -> None:
    with pytest.raises(TypeError) as caught:
        whole().chunk(y=8).zchunk.to_zarr(store())
    reasons, error = [], caught.value
    while error is not None:
        reasons.append(str(error))
        error = error.__cause__ or error.__context__
    assert any("memory of this process" in reason for reason in reasons), reasons
