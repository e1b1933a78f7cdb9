"""The operations that every library is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Layout, Shape
from benchmarks.selections import Picks, Points, Selection


class Unsupported(Exception):
    """A library cannot do what the case asks for; the message says why."""


class Adapter(ABC):
    """A library under measurement, with at most ``threads`` threads for its work.

    A path is one of a file or a folder, or the URL of a prefix in an object store (see `benchmarks.objects`).

    Handles are whatever the library uses for an open array. Zarr libraries write format 2 with "." between
    the chunk indices, or format 3 with its default keys and with shards whose index is at the end. They write
    every chunk, including those that equal the fill value, 0. Other libraries ignore the format; some have a
    counterpart of shards.
    """

    # The module that a user imports to work with the library
    modules: ClassVar[tuple[str, ...]]
    # The name of its engine for xarray, if there is one
    engine: ClassVar[str | None] = None

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of the library."""

    @abstractmethod
    def create(self, path: str, layout: Layout) -> Any:
        """Create an array in the new file or folder ``path`` and return a handle that writes and reads."""

    @abstractmethod
    def open(self, path: str, layout: Layout) -> Any:
        """Open an array for reading and return its handle."""

    @abstractmethod
    def write(self, handle: Any, data: NDArray[Any]) -> None:
        """Write the whole array."""

    @abstractmethod
    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        """Return a selection as a NumPy array or scalar."""

    def read_points(self, handle: Any, selection: Points) -> NDArray[Any]:
        """Return the elements at points."""
        raise Unsupported("no selection of points")

    def read_picks(self, handle: Any, selection: Picks) -> NDArray[Any]:
        """Return the product of positions along every axis."""
        raise Unsupported("no selection of positions along several axes")

    def select(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        """Return a selection of any kind."""
        if isinstance(selection, Points):
            return self.read_points(handle, selection)
        if isinstance(selection, Picks):
            return self.read_picks(handle, selection)
        return self.read(handle, selection)

    def drop_memory(self) -> None:  # noqa: B027 (most keep none)
        """Release memory that the library keeps for the next results."""

    def close(self, handle: Any) -> None:  # noqa: B027 (most have nothing to close)
        """Finish with a handle; everything written is then in the files."""

    def save(self, path: str, layout: Layout, data: NDArray[Any]) -> Any:
        """Create, write and close an array; return the handle of one in memory, which stays open."""
        handle = self.create(path, layout)
        self.write(handle, data)
        if layout.container != "memory":
            self.close(handle)
        return handle

    def save_synced(self, path: str, layout: Layout, data: NDArray[Any]) -> None:
        """Create, write and close an array whose files and names are then on the disk."""
        raise Unsupported("it does not sync files")

    def append(self, handle: Any, block: NDArray[Any]) -> Any:
        """Append to the first axis and return the handle to go on with."""
        raise Unsupported("arrays do not grow")

    def resize(self, handle: Any, shape: Shape) -> Any:
        """Change the length of the first axis and return the handle to go on with."""
        raise Unsupported("arrays do not grow")

    def rechunk(self, source: str, target: str, layout: Layout, memory: int) -> None:
        """Rechunk the array in ``source`` to ``target``, with a layout that has other chunks.

        It takes at most the given bytes of memory; a library that has no such bound may take more.
        """
        raise Unsupported("no rechunking")

    def create_group(self, path: str, layout: Layout, names: list[str], consolidated: bool) -> None:
        """Create a group of arrays that hold nothing."""
        raise Unsupported("no groups")

    def open_group(self, path: str, layout: Layout, consolidated: bool) -> dict[str, Shape]:
        """Open a group and every array in it, all of one layout, and return their shapes by name."""
        raise Unsupported("no groups")

    def list_keys(self, path: str) -> int:
        """Go through all keys of a store and return how many there are."""
        raise Unsupported("no list of keys")

    def count_chunks(self, path: str, layout: Layout) -> int:
        """Open an array and return how many of its chunks are stored."""
        raise Unsupported("no number of stored chunks")

    def delete(self, path: str) -> None:
        """Delete all that is in a store."""
        raise Unsupported("no deletion of all keys")

    def copy_store(self, source: str, target: str) -> None:
        """Copy all keys and values of a store to another one."""
        raise Unsupported("no copy of a store")

    def consolidate(self, path: str) -> None:
        """Collect the metadata of a group, and of all arrays in it, under one key."""
        raise Unsupported("no consolidated metadata")

    def write_dataset(self, dataset: Any, path: str, **options: Any) -> None:
        """Write a data set of xarray, with the options of `xarray.Dataset.to_zarr`."""
        raise Unsupported("no engine of xarray")

    def dataset_compressors(self, layout: Layout) -> Any:
        """Return the layout's compressors as the engine takes them in the encoding."""
        raise Unsupported("no engine of xarray")
