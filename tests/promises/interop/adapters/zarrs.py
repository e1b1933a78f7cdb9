"""zarrs as the codec pipeline of zarr 3: zarr finds the chunks, zarrs reads and writes them."""

from __future__ import annotations

import zarr

from .zarr3 import attributes, change, read, write

__all__ = ["attributes", "change", "read", "write"]

# Strict: it must not leave the work to zarr's own pipeline.
zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": True})
