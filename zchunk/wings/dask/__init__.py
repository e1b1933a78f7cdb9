"""dask arrays from stored arrays, and into them: `from_zchunk` and `store`.

>>> import dask.array as da
>>> import zchunk.dask
>>> x = da.arange(100, chunks=25)
>>> z = zchunk.dask.store(x, zchunk.MemoryStore())
>>> zchunk.dask.from_zchunk(z).sum().compute()
np.int64(4950)
"""

try:
    import dask.array  # noqa: F401
except ImportError as err:
    raise ImportError("zchunk.dask needs dask: pip install 'dask[array]'") from err

from zchunk.wings.dask.reading import from_zchunk
from zchunk.wings.dask.storing import store

__all__ = ["from_zchunk", "store"]
