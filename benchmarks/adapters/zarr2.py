"""zarr-python 2."""

from __future__ import annotations

import numcodecs
import zarr

from benchmarks.adapters import zarr2_api
from benchmarks.adapters.base import Unsupported
from benchmarks.datasets import Layout
from benchmarks.files import remove

if not zarr.__version__.startswith("2."):
    raise ImportError(f"zarr {zarr.__version__} is not zarr 2")


class Adapter(zarr2_api.Adapter):
    """zarr-python 2: one chunk after the other, Blosc with its own threads within a chunk."""

    modules = ("zarr",)
    library = zarr

    def rechunk(self, source: str, target: str, layout: Layout, memory: int) -> None:
        try:
            import dask
            import rechunker
        except ImportError as error:
            raise Unsupported(f"no rechunking without rechunker and dask: {error}") from None
        temp = f"{target}.temp"
        # Each task takes as much memory as it is allowed.
        array, limit = self.library.open(source, mode="r"), memory // self.threads
        plan = rechunker.rechunk(array, layout.chunks, limit, target, temp_store=temp)
        with dask.config.set(scheduler="threads", num_workers=self.threads):
            plan.execute()
        remove(temp)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        numcodecs.blosc.set_nthreads(threads)
