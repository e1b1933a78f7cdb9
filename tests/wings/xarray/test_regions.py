"""Writing parts of data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.wings.xarray.test_backend import FORMATS, pytestmark, xr
from tests.wings.xarray.test_writing import opened, steps

__all__ = ["pytestmark"]
pytest.importorskip("zarr")


@FORMATS
def test_regions(version: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    whole = steps(*range(8)).drop_vars("fixed")
    whole.chunk(t=3, x=4).zchunk.to_zarr(path, zarr_format=version, compute=False)
    assert (opened(path).a == 0).all()
    for t in (slice(3, 6), slice(0, 3), slice(6, 8)):
        part = whole.isel(t=t)
        if t.start == 3:
            part.drop_vars(["t", "x"]).zchunk.to_zarr(path, region={"t": t})
        elif t.start == 0:
            part.zchunk.to_zarr(path, region={"t": "auto", "x": slice(None)})
        else:
            part.chunk().zchunk.to_zarr(path, region="auto")
    xr.testing.assert_identical(opened(path), whole)
    for region, error in (
        ({"t": slice(0, 8, 2)}, ValueError),
        ({"u": slice(0, 8)}, ValueError),
        ({"t": 3}, TypeError),
        ([], TypeError),
        ({"t": slice(0, 4)}, ValueError),
    ):
        with pytest.raises(error):
            whole.drop_vars("x").zchunk.to_zarr(path, region=region)
    with pytest.raises(KeyError):
        steps(100).drop_vars("fixed").zchunk.to_zarr(path, region="auto")
    with pytest.raises(ValueError, match="non-contiguous"):
        whole.isel(t=[0, 2]).zchunk.to_zarr(path, region="auto")
    xr.testing.assert_identical(opened(path), whole)


def test_path_tokens_change_with_a_region(tmp_path: Path) -> None:
    ds = steps(1, 2)[["a"]].drop_vars(["t", "x"])
    ds.zchunk.to_zarr(tmp_path)
    os.utime(tmp_path, (1, 1))
    name = xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name
    assert name == xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name
    ds.zchunk.to_zarr(tmp_path, region={"t": slice(0, 2)})
    assert name != xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name
