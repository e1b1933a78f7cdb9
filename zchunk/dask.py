"""dask arrays from stored arrays, and into them: `from_zchunk` and `store`.

>>> import dask.array as da
>>> import zchunk.dask
>>> x = da.arange(100, chunks=25)
>>> z = zchunk.dask.store(x, zchunk.MemoryStore())
>>> zchunk.dask.from_zchunk(z).sum().compute()
np.int64(4950)
"""

from zchunk.wings.dask import from_zchunk, store

__all__ = ["from_zchunk", "store"]

# Pickles name modules that were in it when it was a package (`zchunk.runtime.former_names`).
__path__: list[str] = []
