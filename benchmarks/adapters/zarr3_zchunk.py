"""zarr-python 3 with zchunk's codec pipeline."""

from __future__ import annotations

from typing import Any

import zchunk
import zchunk.zarr_pipeline
from benchmarks.adapters import zarr3


class Adapter(zarr3.Adapter):
    """The program is zarr-python's; zchunk reads and writes the chunks."""

    modules = ("zarr", "zchunk")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.set_threads(threads)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "codec_pipeline.path": "zchunk.zarr_pipeline.ZchunkCodecPipeline"}
