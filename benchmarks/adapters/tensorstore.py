"""TensorStore's ``zarr`` and ``zarr3`` drivers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import tensorstore
from numpy.typing import NDArray

from benchmarks import objects
from benchmarks.adapters import base
from benchmarks.datasets import SHUFFLES, Codec, Layout, Shape
from benchmarks.selections import Picks, Points, Selection

DRIVERS = {2: "zarr", 3: "zarr3"}
LITTLE_ENDIAN = {"name": "bytes", "configuration": {"endian": "little"}}


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


def compressors(codec: Codec, typesize: int) -> list[dict[str, Any]]:
    """Return the compressor, if any, as format 3 has it."""
    if codec.kind == "none":
        return []
    if codec.kind == "zstd":
        return [{"name": "zstd", "configuration": {"level": codec.level}}]
    configuration = {
        "cname": codec.cname,
        "clevel": codec.level,
        "shuffle": SHUFFLES[codec.shuffle],
        "typesize": typesize,
        "blocksize": 0,
    }
    return [{"name": "blosc", "configuration": configuration}]


def metadata(layout: Layout) -> dict[str, Any]:
    """Return the metadata of an array, without what is the same in both formats."""
    if layout.zarr_format == 2:
        return {
            "chunks": layout.chunks,
            "dtype": layout.dtype,
            "order": "C",
            "compressor": compressor(layout.codec),
        }
    dtype = np.dtype(layout.dtype)
    codecs: list[dict[str, Any]] = [LITTLE_ENDIAN, *compressors(layout.codec, dtype.itemsize)]
    if layout.shards:
        sharding = {
            "chunk_shape": layout.chunks,
            "codecs": codecs,
            "index_codecs": [LITTLE_ENDIAN, {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    grid = {"chunk_shape": layout.shards or layout.chunks}
    return {
        "chunk_grid": {"name": "regular", "configuration": grid},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "data_type": dtype.name,
        "codecs": codecs,
    }


class Adapter(base.Adapter):
    """TensorStore; its cache stays at the default of zero bytes, so that every read reads the file."""

    modules = ("tensorstore",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # TensorStore decides how many files it has in flight; the worker's affinity bounds the CPU time.
        self.context = tensorstore.Context(
            {
                "data_copy_concurrency": {"limit": threads},
                "aws_credentials": {"type": "environment"},
                "s3_request_concurrency": {"limit": objects.CONCURRENCY},
            }
        )

    @property
    def version(self) -> str:
        return version("tensorstore")

    def _store(self, path: str, layout: Layout) -> dict[str, Any]:
        if layout.container != "objects":
            driver = "memory" if layout.container == "memory" else "file"
            return {"driver": driver, "path": path + "/"}
        (bucket, prefix), options = objects.split(path), objects.options()
        server = {"endpoint": options["endpoint"], "aws_region": options["region"]}
        return {"driver": "s3", "bucket": bucket, "path": prefix + "/", **server}

    def create(self, path: str, layout: Layout) -> Any:
        if layout.container == "zip":
            raise base.Unsupported("zip files can only be read")
        spec = {
            "driver": DRIVERS[layout.zarr_format],
            "kvstore": self._store(path, layout),
            "store_data_equal_to_fill_value": True,
            "metadata": {"shape": layout.shape, "fill_value": 0, **metadata(layout)},
        }
        return tensorstore.open(spec, create=True, delete_existing=True, context=self.context).result()

    def open(self, path: str, layout: Layout) -> Any:
        spec = {"driver": DRIVERS[layout.zarr_format], "kvstore": self._store(path, layout)}
        return tensorstore.open(spec, open=True, read=True, context=self.context).result()

    def _files(self, path: str) -> Any:
        return tensorstore.KvStore.open({"driver": "file", "path": path + "/"}, context=self.context).result()

    def list_keys(self, path: str) -> int:
        return len(self._files(path).list().result())

    def delete(self, path: str) -> None:
        self._files(path).delete_range(tensorstore.KvStore.KeyRange()).result()

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle.write(data).result()

    def save_synced(self, path: str, layout: Layout, data: NDArray[Any]) -> None:
        # Its `file_io_sync`, which is the default.
        self.save(path, layout, data)

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
