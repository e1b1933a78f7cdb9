"""zchunk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import zchunk
from benchmarks.adapters import base
from benchmarks.datasets import Codec, Layout, Shape
from benchmarks.selections import Selection


def compressor(codec: Codec) -> Any:
    """Return zchunk's codec."""
    if codec.kind == "blosc":
        return zchunk.Blosc(codec.cname, codec.level, codec.shuffle)
    return zchunk.Zstd(codec.level) if codec.kind == "zstd" else None


class Adapter(base.Adapter):
    """zchunk's public API, as its guide shows it."""

    modules = ("zchunk",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.set_threads(threads)

    @property
    def version(self) -> str:
        return str(zchunk.__version__)

    def _store(self, path: str, layout: Layout, mode: Literal["r", "w"]) -> Any:
        if layout.container == "memory":
            return zchunk.MemoryStore()
        return zchunk.ZipStore(path, mode=mode) if layout.container == "zip" else path

    def create(self, path: str, layout: Layout) -> Any:
        return zchunk.create(
            layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            compressor=compressor(layout.codec),
            store=self._store(path, layout, "w"),
        )

    def open(self, path: str, layout: Layout) -> Any:
        return zchunk.open_array(self._store(path, layout, "r"), mode="r")

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
        group = zchunk.open_group(path, mode="w")
        for name in names:
            group.create(name, shape=layout.shape, chunks=layout.chunks, dtype=layout.dtype)
        if consolidated:
            zchunk.consolidate_metadata(path)

    def open_group(self, path: str, consolidated: bool) -> dict[str, Shape]:
        group: Any = (zchunk.open_consolidated if consolidated else zchunk.open_group)(path, mode="r")
        return {name: array.shape for name, array in group.arrays()}
