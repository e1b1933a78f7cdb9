"""Where data sets can be written, and in which mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.xarray.test_backend import FORMATS, pytestmark, sample, xr
from tests.wings.xarray.test_writing import opened, steps

__all__ = ["pytestmark"]
pytest.importorskip("zarr")


@FORMATS
def test_modes(version: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"

    def write(ds: Any, mode: str | None = None, **kwargs: Any) -> None:
        ds.zchunk.to_zarr(path, mode, zarr_format=version, **kwargs)

    write(steps(1, 2))
    with pytest.raises(FileExistsError):
        write(steps(1, 2))
    xr.testing.assert_identical(opened(path), steps(1, 2))
    write(steps(5, 6).a.to_dataset(name="b").drop_vars(["t", "x"]), "a")
    assert set(opened(path)) == {"a", "b", "fixed"}
    write(steps(3, 4), "w")
    xr.testing.assert_identical(opened(path), steps(3, 4))
    write(steps(7, 8), append_dim="t")
    xr.testing.assert_identical(opened(path).a, steps(3, 4, 7, 8).a)
    assert opened(path).fixed.values.tolist() == [0, 7, 14, 21]
    write(steps(9), "a-", append_dim="t")
    xr.testing.assert_identical(opened(path).a, steps(3, 4, 7, 8, 9).a)
    assert opened(path).fixed.values.tolist() == [0, 7, 14, 21]
    xr.testing.assert_identical(xr.open_zarr(path).load(), opened(path))
    with pytest.raises(ValueError, match="non-pre-existing"):
        write(xr.Dataset({"new": 1}), "r+")
    with pytest.raises(ValueError, match="different dimension sizes"):
        write(steps(1, 2), "a")
    with pytest.raises(ValueError, match="encoding was provided"):
        write(steps(1), append_dim="t", encoding={"a": {"chunks": (1, 1)}})
    with pytest.raises(FileNotFoundError):
        xr.Dataset({"new": 1}).zchunk.to_zarr(tmp_path / "none.zarr", "r+")
    assert not (tmp_path / "none.zarr").exists()


def test_chunks_of_nothing_but_the_fill_value(tmp_path: Path) -> None:
    ds = xr.Dataset({"a": ("x", np.array([np.nan, np.nan, 1, 2]))})
    encoding = {"a": {"chunks": (2,)}}
    for wanted, count in ((None, 1), (False, 1), (True, 2)):
        found = ds.zchunk.to_zarr(tmp_path, "w", encoding=encoding, write_empty_chunks=wanted)
        assert found.group["a"].nchunks_initialized == count
    (ds * np.nan).zchunk.to_zarr(tmp_path, "r+", write_empty_chunks=False)
    assert found.group["a"].nchunks_initialized == 0


@pytest.mark.parametrize("kind", ["zip", "url", "dict", "group", "memory"])
def test_where_it_can_be_written(kind: str, tmp_path: Path) -> None:
    source: Any = {"zip": tmp_path / "x.zip", "url": "memory://zchunk-xarray", "dict": {}}.get(kind)
    if kind == "url":
        pytest.importorskip("fsspec")
    if kind == "group":
        source = zchunk.open_group(tmp_path / "y.zarr").create_group("below")
    found = sample().zchunk.to_zarr(source, "w", group=None if kind == "group" else "deep/er")
    if kind == "group":
        assert found.group.path == "below"
        xr.testing.assert_identical(opened(tmp_path / "y.zarr", group="below", consolidated=True), sample())
        with pytest.raises(PermissionError):
            sample().zchunk.to_zarr(zchunk.open_group(tmp_path / "y.zarr", "r"), "w")
    else:
        where = (found.group, None) if source is None else (source, "deep/er")
        xr.testing.assert_identical(opened(where[0], group=where[1]), sample())
