"""The operations of libraries with the API of zarr 2: zarr 2 itself, and zchunk."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import base
from benchmarks.datasets import Codec, Layout, Shape
from benchmarks.selections import Picks, Points, Selection


class Adapter(base.Adapter):
    """The public API, as its guide shows it."""

    library: ModuleType

    def _compressor(self, codec: Codec) -> Any:
        if codec.kind == "blosc":
            return self.library.Blosc(codec.cname, codec.level, codec.shuffle)
        return self.library.Zstd(codec.level) if codec.kind == "zstd" else None

    def _format(self, layout: Layout) -> dict[str, Any]:
        """Return the arguments of ``create`` that ask for another format than 2, and for shards."""
        if layout.zarr_format != 2:
            raise base.Unsupported("writes format 2 only")
        return {}

    @property
    def version(self) -> str:
        return str(self.library.__version__)

    def _store(self, path: str, layout: Layout, mode: str) -> Any:
        if layout.container == "objects":
            raise base.Unsupported("no object store without s3fs")
        if layout.container == "memory":
            return self.library.MemoryStore()
        return self.library.ZipStore(path, mode=mode) if layout.container == "zip" else path

    def create(self, path: str, layout: Layout) -> Any:
        return self.library.create(
            layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            compressor=self._compressor(layout.codec),
            store=self._store(path, layout, "w"),
            **self._format(layout),
        )

    def open(self, path: str, layout: Layout) -> Any:
        return self.library.open_array(self._store(path, layout, "r"), mode="r")

    def write(self, handle: Any, data: NDArray[Any]) -> None:
        handle[...] = data

    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        result: NDArray[Any] | np.generic = handle[selection]
        return result

    def read_points(self, handle: Any, selection: Points) -> NDArray[Any]:
        result: NDArray[Any] = handle.vindex[tuple(selection)]
        return result

    def read_picks(self, handle: Any, selection: Picks) -> NDArray[Any]:
        result: NDArray[Any] = handle.oindex[tuple(selection)]
        return result

    def close(self, handle: Any) -> None:
        handle.store.close()

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        handle.append(block)
        return handle

    def resize(self, handle: Any, shape: Shape) -> Any:
        handle.resize(shape)
        return handle

    def list_keys(self, path: str) -> int:
        return sum(1 for _ in self.library.DirectoryStore(path))

    def count_chunks(self, path: str, layout: Layout) -> int:
        return int(self.library.open_array(path, mode="r").nchunks_initialized)

    def delete(self, path: str) -> None:
        self.library.DirectoryStore(path).rmdir("")

    def copy_store(self, source: str, target: str) -> None:
        self.library.copy_store(self.library.DirectoryStore(source), self.library.DirectoryStore(target))

    def consolidate(self, path: str) -> None:
        self.library.consolidate_metadata(path)

    def create_group(self, path: str, layout: Layout, names: list[str], consolidated: bool) -> None:
        store = self._store(path, layout, "w")
        group = self.library.open_group(store, mode="w")
        for name in names:
            group.create(name, shape=layout.shape, chunks=layout.chunks, dtype=layout.dtype)
        if consolidated:
            self.library.consolidate_metadata(store)

    def open_group(self, path: str, layout: Layout, consolidated: bool) -> dict[str, Shape]:
        opener = self.library.open_consolidated if consolidated else self.library.open_group
        group = opener(self._store(path, layout, "r"), mode="r")
        return {name: array.shape for name, array in group.arrays()}
