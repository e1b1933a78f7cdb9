"""zarr-python 3 with zchunk's codec pipeline, and its engine for whole reads and writes."""

from __future__ import annotations

import zchunk.zarr_pipeline
from benchmarks.adapters import zarr3_zchunk


class Adapter(zarr3_zchunk.Adapter):
    """zarr-python's indexers and event loop are left out where they can be."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.zarr_pipeline.install(engine=True)
