"""zarr-python 2."""

from __future__ import annotations

import numcodecs
import zarr

from benchmarks.adapters import zarr2_api

if not zarr.__version__.startswith("2."):
    raise ImportError(f"zarr {zarr.__version__} is not zarr 2")


class Adapter(zarr2_api.Adapter):
    """zarr-python 2: one chunk after the other, Blosc with its own threads within a chunk."""

    modules = ("zarr",)
    library = zarr

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        numcodecs.blosc.set_nthreads(threads)
