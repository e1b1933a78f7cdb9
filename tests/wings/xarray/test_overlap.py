"""Data sets that are read from where they are to be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import CopyError

xr = pytest.importorskip("xarray")
pytest.importorskip("dask")
pytest.importorskip("zchunk.xarray")


def _stored(path: Path, zarr_format: int) -> dict[str, bytes]:
    ds = xr.Dataset(
        {"a": (("t", "x"), np.arange(1, 25.0).reshape(6, 4)), "s": ("x", list("abcd"))},
        coords={"t": np.arange(6), "c": ("x", np.arange(4.0))},
    )
    tree = xr.DataTree.from_dict({"/": ds, "/g": ds[["a"]]})
    tree.zchunk.to_zarr(path, zarr_format=zarr_format, encoding={"/": {"a": {"chunks": (2, 4)}}})
    return _files(path)


def _files(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def _part(ds: Any, *dropped: str) -> Any:
    return ds[["a"]].drop_vars(["c", *dropped])


# What replaces, or writes over, what it is read from.
REPLACED: dict[str, Callable[[Any, Path], object]] = {
    "w": lambda ds, path: ds.zchunk.to_zarr(path, mode="w"),
    "part": lambda ds, path: _part(ds.isel(t=slice(2, 4))).zchunk.to_zarr(path, mode="w"),
    "link": lambda ds, path: ds.zchunk.to_zarr(path.with_name("link"), mode="w"),
    "above": lambda ds, path: ds.zchunk.to_zarr(path.parent, mode="w"),
    "group": lambda ds, path: ds.zchunk.to_zarr(zchunk.open_group(path), mode="w"),
    "tree": lambda ds, path: xr.DataTree.from_dict({"/": ds, "/g": ds}).zchunk.to_zarr(path, mode="w"),
    "below": lambda ds, path: xr.DataTree.from_dict({"/g": ds}).zchunk.to_zarr(path, mode="w"),
    "later": lambda ds, path: ds.zchunk.to_zarr(path, mode="w", compute=False),
}
# The same, if dask writes part by part.
IN_PARTS: dict[str, Callable[[Any, Path], object]] = {
    "a": lambda ds, path: ds.zchunk.to_zarr(path, mode="a"),
    "backwards": lambda ds, path: _part(ds.isel(t=slice(None, None, -1)), "t").zchunk.to_zarr(path, mode="a"),
    "r+": lambda ds, path: ds.zchunk.to_zarr(path, mode="r+"),
    "backwards r+": lambda ds, path: _part(ds.isel(t=slice(None, None, -1)), "t").zchunk.to_zarr(
        path, mode="r+"
    ),
    "mean": lambda ds, path: _part(ds - ds[["a"]].mean("t"), "t").zchunk.to_zarr(path, mode="r+"),
    "region": lambda ds, path: _part(ds.isel(t=slice(0, 4)), "t").zchunk.to_zarr(
        path, region={"t": slice(2, 6)}
    ),
    "group a": lambda ds, path: ds.zchunk.to_zarr(zchunk.open_group(path), mode="a"),
}


def _opened(path: Path, chunks: Any) -> Any:
    ds = xr.open_dataset(path, engine="zchunk", chunks=chunks)
    for variable in ds.variables.values():
        variable.encoding.clear()
    return ds


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("chunks", "write"),
    [(chunks, write) for chunks in (None, {}) for write in REPLACED.values()]
    + [({}, write) for write in IN_PARTS.values()],
)
def test_refused_before_anything_is_touched(
    zarr_format: int, chunks: Any, write: Callable[[Any, Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "x.zarr"
    stored = _stored(path, zarr_format)
    path.with_name("link").symlink_to(path)
    with pytest.raises(CopyError, match="write elsewhere"):
        write(_opened(path, chunks), path)
    assert _files(path) == stored


def test_one_variable_from_another(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    _stored(path, 2)
    ds = _opened(path, None)
    swapped = xr.Dataset({"a": ds.variables["a"], "b": ds.variables["a"]})
    with pytest.raises(CopyError):
        swapped.zchunk.to_zarr(path, mode="a")


@pytest.mark.parametrize("chunks", [None, {}])
def test_what_is_read_elsewhere_is_written(chunks: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    _stored(path, 2)
    expected = np.arange(1, 25.0).reshape(6, 4)
    ds = _opened(path, chunks)
    ds.load().zchunk.to_zarr(path, mode="w")
    ds = _opened(path, chunks)
    # Another array, another group, another store, more of the same.
    _part(ds, "t").rename(a="b").zchunk.to_zarr(path, mode="a")
    ds.zchunk.to_zarr(path, mode="w", group="h")
    ds.zchunk.to_zarr(tmp_path / "y.zarr", mode="w")
    ds.zchunk.to_zarr(tmp_path / "y.zip", mode="w")
    _part(ds).zchunk.to_zarr(path, append_dim="t")
    group = zchunk.open_group(path, "r")
    for found in (group["b"], group["h/a"], zchunk.load(tmp_path / "y.zarr")["a"]):
        np.testing.assert_array_equal(found[:], expected)
    np.testing.assert_array_equal(group["a"][:], np.concatenate([expected, expected]))


@pytest.mark.parametrize("mode", ["a", "r+"])
def test_a_variable_that_is_read_whole_is_written_over_itself(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    _stored(path, 2)
    ds = _opened(path, None)
    ds.zchunk.to_zarr(path, mode=mode)
    _part(ds.isel(t=slice(None, None, -1)), "t").zchunk.to_zarr(path, mode=mode)
    np.testing.assert_array_equal(zchunk.open_group(path)["a"][:], np.arange(1, 25.0).reshape(6, 4)[::-1])
