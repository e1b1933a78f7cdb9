"""zarr-python 2."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Layout, Shape
from benchmarks.selections import Selection

if not zarr.__version__.startswith("2."):
    raise ImportError(f"zarr {zarr.__version__} is not zarr 2")


class Adapter(base.Adapter):
    """zarr-python 2: one chunk after the other, Blosc with its own threads within a chunk."""

    modules = ("zarr",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        numcodecs.blosc.set_nthreads(threads)

    @property
    def version(self) -> str:
        return str(zarr.__version__)

    def _store(self, path: str, layout: Layout, mode: str) -> Any:
        if layout.container == "memory":
            return zarr.MemoryStore()
        return zarr.ZipStore(path, mode=mode) if layout.container == "zip" else path

    def create(self, path: str, layout: Layout) -> Any:
        codec = layout.codec
        blosc = numcodecs.Blosc(codec.cname or "lz4", codec.level, codec.shuffle)
        compressors = {"blosc": blosc, "zstd": numcodecs.Zstd(codec.level), "none": None}
        return zarr.create(
            layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            compressor=compressors[codec.kind],
            store=self._store(path, layout, "w"),
        )

    def open(self, path: str, layout: Layout) -> Any:
        return zarr.open_array(self._store(path, layout, "r"), mode="r")

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result

    def close(self, handle: Any) -> None:
        handle.store.close()

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        handle.append(block)
        return handle

    def resize(self, handle: Any, shape: Shape) -> Any:
        handle.resize(shape)
        return handle

    def create_group(self, path: str, layout: Layout, names: list[str], consolidated: bool) -> None:
        group = zarr.open_group(path, mode="w")
        for name in names:
            group.create(name, shape=layout.shape, chunks=layout.chunks, dtype=layout.dtype)
        if consolidated:
            zarr.consolidate_metadata(path)

    def open_group(self, path: str, consolidated: bool) -> dict[str, Shape]:
        group = zarr.open_consolidated(path, mode="r") if consolidated else zarr.open_group(path, mode="r")
        return {name: array.shape for name, array in group.arrays()}
