"""zchunk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import zchunk
from benchmarks.adapters import base
from benchmarks.cases import Layout, Selection


class Adapter(base.Adapter):
    """zchunk's public API, as its guide shows it."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zchunk.set_threads(threads)

    @property
    def version(self) -> str:
        return str(zchunk.__version__)

    def create(self, path: str, layout: Layout) -> Any:
        return zchunk.open(
            path,
            mode="w",
            shape=layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            compressor=zchunk.codecs.Blosc(base.CNAME, base.CLEVEL, base.SHUFFLE),
        )

    def open(self, path: str) -> Any:
        return zchunk.open(path, mode="r")

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result
