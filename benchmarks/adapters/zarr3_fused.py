"""zarr-python 3 with its experimental synchronous pipeline."""

from __future__ import annotations

from zarr.core import codec_pipeline

from benchmarks.adapters import zarr3

if not hasattr(codec_pipeline, "FusedCodecPipeline"):
    raise ImportError("this zarr 3 has no FusedCodecPipeline")


class Adapter(zarr3.Adapter):
    """The fused pipeline, which has a thread limit of its own."""

    def __init__(self, threads: int) -> None:
        self.config = {
            "codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline",
            "codec_pipeline.max_workers": threads,
        }
        super().__init__(threads)
