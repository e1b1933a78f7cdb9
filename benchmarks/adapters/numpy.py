"""A plain ``.npy`` file, without chunks or compression: a peer of uncompressed arrays, else a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Layout
from benchmarks.selections import Selection


class Adapter(base.Adapter):
    """``numpy.save`` and ``numpy.load``; selections are copied out of the mapped file."""

    modules = ("numpy",)

    @property
    def version(self) -> str:
        return np.__version__

    def _check(self, layout: Layout) -> None:
        if layout.container != "folder":
            raise base.Unsupported("numpy.save writes a file")
        if layout.shards:
            raise base.Unsupported("a .npy file has neither chunks nor shards")

    def create(self, path: str, layout: Layout) -> Any:
        raise base.Unsupported("numpy.save writes an array as a whole")

    def save(self, path: str, layout: Layout, data: NDArray[Any]) -> Any:
        self._check(layout)
        with open(path, "wb") as file:
            np.save(file, data)

    def open(self, path: str, layout: Layout) -> Any:
        return path, np.load(path, mmap_mode="r")

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        raise base.Unsupported("numpy.save writes an array as a whole")

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        path, mapped = handle
        if selection == tuple(slice(0, n) for n in mapped.shape):
            whole: NDArray[Any] = np.load(path)
            return whole
        return np.array(mapped[selection])
