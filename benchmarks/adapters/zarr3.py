"""zarr-python 3 with its default codec pipeline."""

from __future__ import annotations

from typing import Any, ClassVar

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync

from benchmarks import objects
from benchmarks.adapters import base
from benchmarks.datasets import SHUFFLES, Layout, Shape
from benchmarks.selections import Picks, Points, Selection

if int(zarr.__version__.split(".")[0]) < 3:
    raise ImportError(f"zarr {zarr.__version__} is not zarr 3")


def compressor(layout: Layout) -> Any:
    """Return the compressor as the array's format has it."""
    codec = layout.codec
    if codec.kind == "none":
        return None
    if codec.kind == "zstd":
        return (numcodecs.Zstd if layout.zarr_format == 2 else zarr.codecs.ZstdCodec)(level=codec.level)
    if layout.zarr_format == 2:
        return numcodecs.Blosc(codec.cname, codec.level, codec.shuffle)
    return zarr.codecs.BloscCodec(
        typesize=np.dtype(layout.dtype).itemsize,
        cname=codec.cname,
        clevel=codec.level,
        shuffle=SHUFFLES[codec.shuffle],
        blocksize=0,
    )


class Adapter(base.Adapter):
    """zarr-python 3. Opening names the format, which saves a search."""

    modules: ClassVar[tuple[str, ...]] = ("zarr",)
    engine = "zarr"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        zarr.config.set(self.config())

    def config(self) -> dict[str, Any]:
        """Return the settings for ``zarr.config``."""
        concurrency = {"async.concurrency": objects.CONCURRENCY} if objects.given() else {}
        return {"threading.max_workers": self.threads, **concurrency}

    @property
    def version(self) -> str:
        return str(zarr.__version__)

    def _store(self, path: str, layout: Layout, mode: Any) -> Any:
        if layout.container == "objects":
            from obstore.store import from_url

            bucket = from_url(path, **objects.options())
            return zarr.storage.ObjectStore(bucket, read_only=mode == "r")
        if layout.container == "memory":
            return zarr.storage.MemoryStore()
        return zarr.storage.ZipStore(path, mode=mode) if layout.container == "zip" else path

    def create(self, path: str, layout: Layout) -> Any:
        return zarr.create_array(
            self._store(path, layout, "w"),
            shape=layout.shape,
            chunks=layout.chunks,
            shards=layout.shards,
            dtype=layout.dtype,
            compressors=compressor(layout),
            fill_value=0,
            zarr_format=layout.zarr_format,
            config={"write_empty_chunks": True},
        )

    def open(self, path: str, layout: Layout) -> Any:
        store = self._store(path, layout, "r")
        return zarr.open_array(store, mode="r", zarr_format=layout.zarr_format)

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

    def rechunk(self, source: str, target: str, layout: Layout, memory: int) -> None:
        try:
            import dask
            import dask.array
        except ImportError as error:
            raise base.Unsupported(f"no rechunking without dask: {error}") from None
        # This is what xarray's chunk() and to_zarr() do.
        items = dask.array.from_zarr(self.open(source, layout)).rechunk(layout.chunks)
        with dask.config.set(scheduler="threads", num_workers=self.threads):
            dask.array.store(items, self.create(target, layout), lock=False)

    def list_keys(self, path: str) -> int:
        store = zarr.storage.LocalStore(path)

        async def count() -> int:
            found = 0
            async for _ in store.list():
                found += 1
            return found

        return int(sync(count()))

    def count_chunks(self, path: str, layout: Layout) -> int:
        return int(zarr.open_array(path, mode="r", zarr_format=layout.zarr_format).nchunks_initialized)

    def delete(self, path: str) -> None:
        sync(zarr.storage.LocalStore(path).delete_dir(""))

    def consolidate(self, path: str) -> None:
        zarr.consolidate_metadata(path, zarr_format=2)

    def create_group(self, path: str, layout: Layout, names: list[str], consolidated: bool) -> None:
        store = self._store(path, layout, "w")
        group = zarr.open_group(store, mode="w", zarr_format=2)
        for name in names:
            group.create_array(
                name, shape=layout.shape, chunks=layout.chunks, dtype=layout.dtype, fill_value=0
            )
        if consolidated:
            zarr.consolidate_metadata(store, zarr_format=2)

    def open_group(self, path: str, layout: Layout, consolidated: bool) -> dict[str, Shape]:
        store = self._store(path, layout, "r")
        group = zarr.open_group(store, mode="r", zarr_format=2, use_consolidated=consolidated)
        return {name: array.shape for name, array in group.arrays()}

    def write_dataset(self, dataset: Any, path: str, **options: Any) -> None:
        dataset.to_zarr(path, **options)

    def dataset_compressors(self, layout: Layout) -> Any:
        return (compressor(layout),)
