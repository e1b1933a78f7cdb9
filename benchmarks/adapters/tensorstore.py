"""TensorStore's ``zarr`` driver, on local files."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import tensorstore
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.cases import Layout, Selection


class Adapter(base.Adapter):
    """TensorStore; its cache stays at the default of zero bytes, so that every read reads."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # How many files it has in flight is left to it; the worker's affinity bounds the CPU time.
        self.context = tensorstore.Context({"data_copy_concurrency": {"limit": threads}})

    @property
    def version(self) -> str:
        return version("tensorstore")

    def create(self, path: str, layout: Layout) -> Any:
        spec = {
            "driver": "zarr",
            "kvstore": {"driver": "file", "path": path},
            "store_data_equal_to_fill_value": True,
            "metadata": {
                "shape": layout.shape,
                "chunks": layout.chunks,
                "dtype": layout.dtype,
                "order": "C",
                "fill_value": 0,
                "compressor": {
                    "id": "blosc",
                    "cname": base.CNAME,
                    "clevel": base.CLEVEL,
                    "shuffle": base.SHUFFLE,
                    "blocksize": 0,
                },
            },
        }
        return tensorstore.open(spec, create=True, context=self.context).result()

    def open(self, path: str) -> Any:
        spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": path}}
        return tensorstore.open(spec, open=True, read=True, context=self.context).result()

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle.write(data).result()

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection].read().result()
        return result
