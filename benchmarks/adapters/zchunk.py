"""zchunk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import zchunk
from benchmarks import objects
from benchmarks.adapters import zarr2_api
from benchmarks.datasets import SHUFFLES, Layout


class Adapter(zarr2_api.Adapter):
    """zchunk's public API, as its guide shows it."""

    modules = ("zchunk",)
    library = zchunk
    engine = "zchunk"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.set_threads(threads)

    def drop_memory(self) -> None:
        zchunk.set_spare_memory(0)
        zchunk.set_spare_memory(None)

    def _store(self, path: str, layout: Layout, mode: str) -> Any:
        if layout.container == "objects":
            return zchunk.ObjectStore.from_url(path, read_only=mode == "r", **objects.options())
        return super()._store(path, layout, mode)

    def save_synced(self, path: str, layout: Layout, data: NDArray[Any]) -> None:
        with zchunk.config.set({"durability": "fsync"}):
            self.save(path, layout, data)

    def rechunk(self, source: str, target: str, layout: Layout, memory: int) -> None:
        zchunk.rechunk(source, layout.chunks, target, memory)

    def write_dataset(self, dataset: Any, path: str, **options: Any) -> None:
        from zchunk.xarray import to_zarr

        to_zarr(dataset, path, **options)

    def dataset_compressors(self, layout: Layout) -> Any:
        codec = layout.codec
        if layout.zarr_format == 2:
            return (self._compressor(codec),)
        blosc = {
            "typesize": np.dtype(layout.dtype).itemsize,
            "cname": codec.cname,
            "clevel": codec.level,
            "shuffle": SHUFFLES[codec.shuffle],
            "blocksize": 0,
        }
        return ({"name": "blosc", "configuration": blosc},)

    def _format(self, layout: Layout) -> dict[str, Any]:
        if layout.zarr_format == 2:
            return {}
        return {"zarr_format": layout.zarr_format, "shards": layout.shards}
