"""zarr-python 3 with its experimental synchronous pipeline."""

from __future__ import annotations

from typing import Any

from zarr.core import codec_pipeline

from benchmarks.adapters import zarr3

if not hasattr(codec_pipeline, "FusedCodecPipeline"):
    raise ImportError("this zarr 3 has no FusedCodecPipeline")


class Adapter(zarr3.Adapter):
    """The fused pipeline, which has a thread limit of its own."""

    def config(self) -> dict[str, Any]:
        path = "zarr.core.codec_pipeline.FusedCodecPipeline"
        own = {"codec_pipeline.path": path, "codec_pipeline.max_workers": self.threads}
        return {**super().config(), **own}
