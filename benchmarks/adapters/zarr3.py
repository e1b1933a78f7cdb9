"""zarr-python 3 with its default codec pipeline."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.cases import Layout, Selection


class Adapter(base.Adapter):
    """zarr-python 3, writing format 2."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if int(zarr.__version__.split(".")[0]) < 3:
            raise ImportError(f"zarr {zarr.__version__} is not zarr 3")
        zarr.config.set({"threading.max_workers": threads})

    @property
    def version(self) -> str:
        return str(zarr.__version__)

    def create(self, path: str, layout: Layout) -> Any:
        return zarr.create_array(
            path,
            shape=layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            compressors=numcodecs.Blosc(base.CNAME, base.CLEVEL, base.SHUFFLE),
            fill_value=0,
            zarr_format=2,
            config={"write_empty_chunks": True},
        )

    def open(self, path: str) -> Any:
        return zarr.open_array(path, mode="r")

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result
