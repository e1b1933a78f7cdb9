"""dask and xarray beside zchunk: what is right passes, and mistakes are reported."""

from threading import Lock
from typing import Any, assert_type

import dask.array as da
import xarray as xr

import zchunk
import zchunk.dask
import zchunk.xarray


def lazy(x: da.Array, z: zchunk.Array) -> None:
    assert_type(zchunk.dask.from_zchunk(z), da.Array)
    zchunk.dask.from_zchunk("a.zarr", chunks=None, path="b", storage_options={"anon": True})
    zchunk.dask.from_zchunk("a.zarr", (50, 50), cache_bytes=1 << 20)
    zchunk.dask.from_zchunk("a.zarr", "64 MiB", zarr_format=3, inline_array=True, name=False)
    assert_type(zchunk.dask.store(x, "a.zarr", shards=True, compressor=None, overwrite=True), zchunk.Array)
    assert_type(zchunk.dask.store(x, z, slice(0, 10), lock=Lock(), align="rechunk"), zchunk.Array)
    assert_type(zchunk.dask.store(x, z, return_stored=True), da.Array)
    assert_type(zchunk.dask.store(x, z, compute=False), Any)
    zchunk.dask.store(x, z, compute_kws={"scheduler": "threads"}, lock=True)

    zchunk.dask.from_zchunk("a.zarr", chnks=None)  # reported: chnks
    zchunk.dask.from_zchunk("a.zarr", zarr_format=5)  # reported: 5
    zchunk.dask.from_zchunk(2.5)  # reported: float
    zchunk.dask.store(x, "a.zarr", chnks=5)  # reported: store
    zchunk.dask.store(x, "a.zarr", chunks=2.5)  # reported: store
    zchunk.dask.store(x, "a.zarr", align="rechnk")  # reported: store
    zchunk.dask.store(x, z, lock=5)  # reported: store


def labelled(ds: xr.Dataset, tree: xr.DataTree) -> None:
    assert_type(zchunk.xarray.to_zarr(ds, "a.zarr", "w"), zchunk.xarray.WritableStore)
    zchunk.xarray.to_zarr(ds, {}, "a", append_dim="time", encoding={"t": {"chunks": (5,)}})
    zchunk.xarray.to_zarr(ds, zchunk.group(), "r+", region={"time": slice(0, 10), "x": "auto"})
    zchunk.xarray.to_zarr(ds, region="auto", progress=True, synchronizer=zchunk.ThreadSynchronizer())
    assert_type(zchunk.xarray.to_zarr(tree, compute=False, write_inherited_coords=True), Any)

    zchunk.xarray.to_zarr(ds, "a.zarr", "rw")  # reported: to_zarr
    zchunk.xarray.to_zarr(ds, "a.zarr", append_dmi="time")  # reported: to_zarr
    zchunk.xarray.to_zarr(ds, "a.zarr", region={"time": 5})  # reported: slice
    zchunk.xarray.to_zarr([ds])  # reported: to_zarr
