"""xarray's data sets in Zarr hierarchies, without zarr: the engine ``"zchunk"``, and `to_zarr`.

>>> import xarray as xr
>>> import zchunk.xarray
>>> ds.zchunk.to_zarr("run.zarr")                                      # doctest: +SKIP
>>> xr.open_dataset("run.zarr", engine="zchunk", chunks={})            # doctest: +SKIP
"""

from zchunk.xarray.backend import ZchunkBackendEntrypoint
from zchunk.xarray.store import ZchunkStore

__all__ = ["ZchunkBackendEntrypoint", "ZchunkStore"]
