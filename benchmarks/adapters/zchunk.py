"""zchunk."""

from __future__ import annotations

import zchunk
from benchmarks.adapters import zarr2_api


class Adapter(zarr2_api.Adapter):
    """zchunk's public API, as its guide shows it."""

    modules = ("zchunk",)
    library = zchunk

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.set_threads(threads)
