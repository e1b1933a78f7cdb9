"""HDF5 with Blosc, by h5py and hdf5plugin."""

from __future__ import annotations

import os
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Codec, Layout, Shape
from benchmarks.selections import Selection

NAME = "data"


def filters(codec: Codec) -> Any:
    """Return the keyword arguments of ``create_dataset`` that ask for a codec."""
    if codec.kind == "blosc":
        return hdf5plugin.Blosc(cname=codec.cname, clevel=codec.level, shuffle=codec.shuffle)
    # The plugin counts from 1; 3 is what 0 means to Zstd.
    return hdf5plugin.Zstd(clevel=codec.level or 3) if codec.kind == "zstd" else {}


class Adapter(base.Adapter):
    """One dataset in one file, in place of every shard, too: chunks are those inside the shards.

    It is opened for reading without a cache of decoded chunks: cases are repeated, and every read must read
    the file, as in the other libraries. A first read takes the same time with and without that cache.
    """

    modules = ("h5py", "hdf5plugin")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # The plugin's Blosc reads this variable whenever it works on a chunk.
        os.environ["BLOSC_NTHREADS"] = str(threads)

    @property
    def version(self) -> str:
        return str(h5py.__version__)

    def create(self, path: str, layout: Layout) -> Any:
        if layout.container in ("zip", "objects"):
            raise base.Unsupported("an HDF5 file is neither a zip file nor a set of objects")
        memory = {"driver": "core", "backing_store": False} if layout.container == "memory" else {}
        return h5py.File(path, "w", **memory).create_dataset(
            NAME,
            shape=layout.shape,
            maxshape=(None, *layout.shape[1:]),
            chunks=layout.chunks,
            dtype=layout.dtype,
            fillvalue=0,
            **filters(layout.codec),
        )

    def open(self, path: str, layout: Layout) -> Any:
        return h5py.File(path, "r", rdcc_nbytes=0)[NAME]

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result

    def close(self, handle: Any) -> None:
        handle.file.close()

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        start = handle.shape[0]
        handle.resize(start + len(block), axis=0)
        handle[start:] = block
        return handle

    def resize(self, handle: Any, shape: Shape) -> Any:
        handle.resize(shape)
        return handle

    def create_group(self, path: str, layout: Layout, names: list[str], consolidated: bool) -> None:
        if consolidated:
            raise base.Unsupported("no consolidated metadata")
        with h5py.File(path, "w") as file:
            for name in names:
                file.create_dataset(name, shape=layout.shape, chunks=layout.chunks, dtype=layout.dtype)

    def open_group(self, path: str, layout: Layout, consolidated: bool) -> dict[str, Shape]:
        with h5py.File(path, "r") as file:
            return {name: dataset.shape for name, dataset in file.items()}
