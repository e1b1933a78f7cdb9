"""The operations that every library is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Layout, Selection

# The same codec for all: Blosc with LZ4, level 5, byte shuffle, blocks of Blosc's choice.
CNAME, CLEVEL, SHUFFLE = "lz4", 5, 1


class Adapter(ABC):
    """A library under measurement, with at most ``threads`` threads for its work.

    Handles are whatever the library uses for an open array. Zarr libraries write format 2, "." between the
    chunk indices, and every chunk, also those that equal the fill value.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of the library."""

    @abstractmethod
    def create(self, path: str, layout: Layout) -> Any:
        """Create an array in the new folder ``path`` and return its handle."""

    @abstractmethod
    def open(self, path: str) -> Any:
        """Open an array for reading and return its handle."""

    @abstractmethod
    def write(self, handle: Any, data: NDArray[Any]) -> None:
        """Write the whole array; on return the data is in the files."""

    @abstractmethod
    def read(self, handle: Any, selection: Selection) -> NDArray[Any] | np.generic:
        """Return a selection as a NumPy array or scalar."""
