"""xarray's data sets in Zarr hierarchies, without zarr: the engine ``"zchunk"``, and `to_zarr`.

Importing this module adds an accessor to data sets and trees::

    import xarray as xr
    import zchunk.xarray

    ds.zchunk.to_zarr("run.zarr")
    ds = xr.open_dataset("run.zarr", engine="zchunk", chunks={})
"""

from zchunk.wings.xarray import WritableStore, ZchunkBackendEntrypoint, ZchunkStore, to_zarr

__all__ = ["WritableStore", "ZchunkBackendEntrypoint", "ZchunkStore", "to_zarr"]

# Pickles name modules that were in it when it was a package (`zchunk.runtime.former_names`).
__path__: list[str] = []
