"""What an array's metadata say of it, under the names that users know."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.codecs import Codec
from zchunk.metadata.model import ArrayMetadata


class ArrayProperties:
    """Base of `zchunk.Array`: the properties that need nothing but its metadata."""

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata."""
        raise NotImplementedError

    @property
    def chunks(self) -> tuple[int, ...]:
        """Length of a chunk along every axis."""
        return self.metadata.chunk_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""
        return self.metadata.dtype

    @property
    def compressor(self) -> Codec | None:
        """Last codec of a chunk."""
        return self.metadata.compressor

    @property
    def filters(self) -> list[Codec] | None:
        """Codecs before the compressor, None if there are none."""
        return list(self.metadata.filters) or None

    @property
    def order(self) -> str:
        """Layout of the items in a chunk, ``"C"`` or ``"F"``."""
        return self.metadata.order

    @property
    def dimension_separator(self) -> str:
        """What stands between the coordinates in a chunk's key."""
        return self.metadata.chunk_key_encoding.separator

    @property
    def _dimension_separator(self) -> str:
        # The only name that zarr 2 has for it, and so known to programs.
        return self.dimension_separator

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.metadata.ndim

    @property
    def size(self) -> int:
        """Number of items."""
        return self.metadata.size

    @property
    def itemsize(self) -> int:
        """Bytes of an item."""
        return self.metadata.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all items, uncompressed."""
        return self.metadata.nbytes

    @property
    def cdata_shape(self) -> tuple[int, ...]:
        """Number of chunks along every axis; ``(1,)`` for a 0-d array."""
        return self.metadata.grid.cdata_shape or (1,)

    @property
    def nchunks(self) -> int:
        """Number of chunks."""
        return self.metadata.grid.nchunks
