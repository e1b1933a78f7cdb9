"""Arrays of a data set that are read when they are asked for."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk

xr = pytest.importorskip("xarray")
dask = pytest.importorskip("dask")
from tests.wings.xarray.test_backend import sample  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    # zarr's, about format 3.
    "ignore:.*does not have a Zarr V3 specification",
    "ignore:Consolidated metadata is currently not part",
)


@pytest.fixture(scope="module", params=[2, 3], ids=["v2", "v3"])
def by_zarr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, written by xarray with zarr."""
    pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("xarray") / "sample.zarr"
    sample().to_zarr(path, zarr_format=request.param, consolidated=True)
    return path


@pytest.mark.parametrize(
    "select",
    [
        lambda a: a[3, 2, 1],
        lambda a: a[::-2, 1:4, -1],
        lambda a: a.isel(time=[4, 0, 0], x=[3, 1]),
        lambda a: a.isel(y=np.array([True, False, True, False, True])),
        lambda a: a.isel(time=xr.DataArray([0, 5], dims="p"), y=xr.DataArray([4, 1], dims="p")),
        lambda a: a.isel(time=xr.DataArray([[0, 5]], dims=("p", "q")), x=slice(None, None, 2)),
        lambda a: a[1:, ::2][::2, 1].T,
    ],
)
def test_selections_are_lazy_and_right(by_zarr: Path, select: Any) -> None:
    found = xr.open_dataset(by_zarr, engine="zchunk").air
    part = select(found)
    assert not part.variable._in_memory
    xr.testing.assert_identical(part.load(), select(sample().air))
    assert not found.variable._in_memory


def test_dask_chunks_are_the_stored_ones_and_those_of_shards(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    root = zchunk.open_group(path, "w", zarr_format=3)
    root.create("plain", shape=(10, 6), chunks=(4, 3), dtype="i4", dimension_names=("a", "b"))
    sharded = root.create(
        "sharded", shape=(10, 6), chunks=(1, 3), shards=(4, 6), dtype="i4", dimension_names=("a", "b")
    )
    sharded[...] = np.arange(60).reshape(10, 6)
    ds = xr.open_dataset(path, engine="zchunk", chunks={})
    assert ds.plain.chunks == ((4, 4, 2), (3, 3))
    assert ds.sharded.chunks == ((4, 4, 2), (6,))
    assert ds.sharded.encoding["chunks"] == (1, 3)
    assert ds.sharded.encoding["shards"] == (4, 6)
    np.testing.assert_array_equal(ds.sharded, np.arange(60).reshape(10, 6))


def total(ds: Any) -> float:
    return float(ds.air.max())


def test_pickles_and_other_processes(by_zarr: Path) -> None:
    ds = xr.open_dataset(by_zarr, engine="zchunk", chunks=None)
    expected = total(sample())
    again = pickle.loads(pickle.dumps(ds))
    assert not again.air.variable._in_memory
    assert total(again) == expected
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(total, ds).result(60) == expected
    chunked = xr.open_dataset(by_zarr, engine="zchunk", chunks={"x": 4})
    assert float(chunked.air.max().compute(scheduler="processes", num_workers=1)) == expected
