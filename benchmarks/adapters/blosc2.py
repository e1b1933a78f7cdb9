"""Blosc2's own container, NDArray."""

from __future__ import annotations

from typing import Any

import blosc2
import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Codec, Layout, Shape
from benchmarks.selections import Picks, Points, Selection


class Adapter(base.Adapter):
    """NDArray in one contiguous file, with the library's choice of blocks in a chunk.

    In place of shards it has chunks, and blocks in place of the chunks inside them.
    """

    modules = ("blosc2",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        blosc2.set_nthreads(threads)

    @property
    def version(self) -> str:
        return str(blosc2.__version__)

    def _parameters(self, codec: Codec) -> dict[str, Any]:
        if codec.kind == "blosc":
            chosen = {"codec": blosc2.Codec[codec.cname.upper()], "clevel": codec.level}
            return {**chosen, "filters": [blosc2.Filter.SHUFFLE], "nthreads": self.threads}
        if codec.kind == "zstd":
            # Level n here is level 2n - 1 of Zstd, whose default is 3.
            chosen = {"codec": blosc2.Codec.ZSTD, "clevel": 2}
            return {**chosen, "filters": [blosc2.Filter.NOFILTER], "nthreads": self.threads}
        return {"clevel": 0, "filters": [blosc2.Filter.NOFILTER], "nthreads": self.threads}

    def _place(self, path: str, layout: Layout) -> dict[str, Any]:
        if layout.container in ("zip", "objects"):
            raise base.Unsupported("NDArray is stored neither in zip files nor as objects")
        place: dict[str, Any] = {"chunks": layout.chunks, "cparams": self._parameters(layout.codec)}
        if layout.shards:
            place |= {"chunks": layout.shards, "blocks": layout.chunks}
        if layout.container == "memory":
            return place
        return {**place, "urlpath": path, "mode": "w"}

    def create(self, path: str, layout: Layout) -> Any:
        return blosc2.zeros(layout.shape, dtype=np.dtype(layout.dtype), **self._place(path, layout))

    def save(self, path: str, layout: Layout, data: NDArray[Any]) -> Any:
        return blosc2.asarray(data, **self._place(path, layout))

    def open(self, path: str, layout: Layout) -> Any:
        return blosc2.open(path, mode="r", dparams={"nthreads": self.threads})

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result

    def read_points(self, handle: Any, selection: Points) -> NDArray[Any]:
        result: NDArray[Any] = handle[tuple(selection)]
        return result

    def read_picks(self, handle: Any, selection: Picks) -> NDArray[Any]:
        result: NDArray[Any] = handle.oindex[tuple(selection)]
        return result

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        start = handle.shape[0]
        handle.resize((start + len(block), *handle.shape[1:]))
        handle[start:] = block
        return handle

    def resize(self, handle: Any, shape: Shape) -> Any:
        handle.resize(shape)
        return handle
