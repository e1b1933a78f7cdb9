"""What an array's metadata say of it, under the names that users know."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.codecs import Codec
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import serializer_of


class ArrayProperties:
    """Base of `zchunk.Array`: the properties that need nothing but its metadata."""

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata."""
        raise NotImplementedError

    @property
    def chunks(self) -> tuple[Any, ...]:
        """Length of a chunk along every axis; of those in a shard if there are shards.

        In a rectilinear grid the lengths of all chunks along every axis, as dask has them.
        """
        return self.metadata.grid_of_chunks.chunks

    @property
    def shards(self) -> tuple[Any, ...] | None:
        """Length along every axis of a shard, which is stored as one object; None if chunks are.

        In a rectilinear grid the lengths of all shards along every axis.
        """
        return None if self.metadata.shards is None else self.metadata.grid.chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""
        return self.metadata.dtype

    @property
    def compressor(self) -> Codec | None:
        """First codec from bytes to bytes, None if there is none. In format 2 there is no other."""
        return self.metadata.compressor

    @property
    def compressors(self) -> tuple[Codec, ...]:
        """Codecs from bytes to bytes (zarr 3's name)."""
        return self.metadata.innermost.compressors

    @property
    def serializer(self) -> dict[str, Any] | None:
        """What makes bytes of the items, as JSON of format 3; None in format 2."""
        return serializer_of(self.metadata)

    @property
    def dimension_names(self) -> tuple[str | None, ...] | None:
        """Names of the axes; None if there are none, as always in format 2."""
        return self.metadata.dimension_names

    @property
    def filters(self) -> list[Codec] | None:
        """Codecs before the compressor, None if there are none."""
        return list(self.metadata.innermost.filters) or None

    @property
    def order(self) -> str:
        """Layout of the items in a chunk, ``"C"`` or ``"F"``."""
        return self.metadata.innermost.order

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
        """Number of chunks along every axis, in shards if there are some; ``(1,)`` for a 0-d array."""
        return self.metadata.grid_of_chunks.cdata_shape or (1,)

    @property
    def nchunks(self) -> int:
        """Number of chunks; of those in shards if there are shards."""
        return self.metadata.grid_of_chunks.nchunks
