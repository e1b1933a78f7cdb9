"""zarrs (Rust) as the codec pipeline of zarr-python 3."""

from __future__ import annotations

import os
import warnings
from typing import Any

import zarrs

from benchmarks import objects
from benchmarks.adapters import base, zarr3
from benchmarks.datasets import Layout

# It would fall back to zarr-python's own pipeline, which would not measure zarrs.
warnings.filterwarnings("error", message="Array is unsupported by ZarrsCodecPipeline")


class Adapter(zarr3.Adapter):
    """The zarrs pipeline, which hands selections that it does not support (steps) to zarr-python."""

    modules = ("zarr", "zarrs")

    def config(self) -> dict[str, Any]:
        own: dict[str, Any] = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}
        if objects.given():
            # One thread waits for each request.
            os.environ["RAYON_NUM_THREADS"] = str(objects.CONCURRENCY)
            for name in ("threading.max_workers", "codec_pipeline.chunk_concurrent_maximum"):
                own[name] = objects.CONCURRENCY
        return {**super().config(), **own}

    @property
    def version(self) -> str:
        return str(zarrs.__version__)

    def _store(self, path: str, layout: Layout, mode: Any) -> Any:
        if layout.container not in ("folder", "objects"):
            raise base.Unsupported("zarrs has local, object and HTTP stores")
        return super()._store(path, layout, mode)
