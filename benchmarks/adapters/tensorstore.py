"""TensorStore's ``zarr`` driver."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import tensorstore
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Codec, Layout, Shape
from benchmarks.selections import Picks, Points, Selection


def compressor(codec: Codec) -> dict[str, Any] | None:
    """Return the compressor member of the metadata."""
    if codec.kind == "blosc":
        return {
            "id": "blosc",
            "cname": codec.cname,
            "clevel": codec.level,
            "shuffle": codec.shuffle,
            "blocksize": 0,
        }
    return {"id": "zstd", "level": codec.level} if codec.kind == "zstd" else None


class Adapter(base.Adapter):
    """TensorStore; its cache stays at the default of zero bytes, so that every read reads."""

    modules = ("tensorstore",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # How many files it has in flight is left to it; the worker's affinity bounds the CPU time.
        self.context = tensorstore.Context({"data_copy_concurrency": {"limit": threads}})

    @property
    def version(self) -> str:
        return version("tensorstore")

    def create(self, path: str, layout: Layout) -> Any:
        if layout.container == "zip":
            raise base.Unsupported("zip files can only be read")
        driver = "memory" if layout.container == "memory" else "file"
        spec = {
            "driver": "zarr",
            "kvstore": {"driver": driver, "path": path + "/"},
            "store_data_equal_to_fill_value": True,
            "metadata": {
                "shape": layout.shape,
                "chunks": layout.chunks,
                "dtype": layout.dtype,
                "order": "C",
                "fill_value": 0,
                "compressor": compressor(layout.codec),
            },
        }
        return tensorstore.open(spec, create=True, delete_existing=True, context=self.context).result()

    def open(self, path: str, layout: Layout) -> Any:
        spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": path + "/"}}
        return tensorstore.open(spec, open=True, read=True, context=self.context).result()

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle.write(data).result()

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection].read().result()
        return result

    def read_points(self, handle: Any, selection: Points) -> NDArray[Any]:
        result: NDArray[Any] = handle.vindex[tuple(selection)].read().result()
        return result

    def read_picks(self, handle: Any, selection: Picks) -> NDArray[Any]:
        result: NDArray[Any] = handle.oindex[tuple(selection)].read().result()
        return result

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        start = handle.shape[0]
        handle = self.resize(handle, (start + len(block), *handle.shape[1:]))
        handle[start:].write(block).result()
        return handle

    def resize(self, handle: Any, shape: Shape) -> Any:
        return handle.resize(exclusive_max=shape).result()
