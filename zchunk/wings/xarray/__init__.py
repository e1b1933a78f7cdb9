"""xarray reads and writes Zarr hierarchies without zarr: by the engine ``"zchunk"``, and by `to_zarr`.

Importing this module adds an accessor to data sets and trees::

    import xarray as xr
    import zchunk.xarray

    ds.zchunk.to_zarr("run.zarr")
    ds = xr.open_dataset("run.zarr", engine="zchunk", chunks={})
"""

try:
    import xarray  # noqa: F401
except ImportError as err:
    raise ImportError("zchunk.xarray needs xarray: pip install xarray") from err

from zchunk.wings.xarray.backend import ZchunkBackendEntrypoint
from zchunk.wings.xarray.store import ZchunkStore
from zchunk.wings.xarray.writable import WritableStore
from zchunk.wings.xarray.writing import to_zarr

__all__ = ["WritableStore", "ZchunkBackendEntrypoint", "ZchunkStore", "to_zarr"]
