"""The properties of an array: what its metadata say, under the names that users know, and what is stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from zchunk.codecs import Codec
from zchunk.core.access import Access, check_metadata
from zchunk.core.array_config import ArrayConfig
from zchunk.core.node import Node
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ArrayNotFoundError
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import read_array, serializer_of
from zchunk.runtime.lazy import LazyModule, cached_property
from zchunk.spec.dtypes import STRINGS

if TYPE_CHECKING:
    from zchunk.engine import listing
    from zchunk.spec.rectilinear_grid import Grid
    from zchunk.typing import DimensionSeparator, MemoryOrder
else:
    listing = LazyModule("zchunk.engine.listing")


def find_array(access: Access) -> tuple[Access, ArrayMetadata]:
    """Return the records of the array that is in the store. The first then has the version of the format.

    Raises
    ------
    ArrayNotFoundError
        There is no array at the path.
    MetadataError
        Its metadata are not those of an array.
    MixedFormatsError
        Nodes of both formats are at the path, and no version is asked for.
    """
    try:
        fmt, metadata = read_array(access.store, access.path, access.version, access.trusted)
    except KeyError:
        which = "" if access.version is None else f" of format {access.version}"
        raise ArrayNotFoundError(
            f"no array{which} at path {'/' + access.path!r} in {access.store!r}"
        ) from None
    return (access.at(access.path, fmt.version) if access.version is None else access), metadata


def _sizes(grid: Grid) -> tuple[tuple[int, ...], ...]:
    """Return the lengths of all chunks along every axis, the last ones cut at the end of the array."""
    found = []
    lengths: Any
    for length, lengths in zip(grid.shape, grid.chunks, strict=True):
        if isinstance(lengths, tuple):
            starts = np.cumsum((0, *lengths))[:-1].tolist()
            cut = [min(n, length - start) for start, n in zip(starts, lengths, strict=True) if start < length]
        else:
            cut = [min(lengths, length - start) for start in range(0, length, lengths)]
        found.append(tuple(cut))
    return tuple(found)


class Bytes(int):
    """A number of bytes. It is a property in zarr 2 and a method in zarr 3, so it can be called, too.

    Examples
    --------
    >>> Bytes(5), Bytes(5)()
    (5, 5)
    """

    def __call__(self) -> int:
        return int(self)


class ArrayProperties(Node):
    """A node with the metadata of an array."""

    # The metadata with which the object was made.
    _opened: ArrayMetadata

    def _become(self, access: Access, metadata: ArrayMetadata | None) -> None:
        assert metadata is not None
        super()._become(access, metadata)
        self.__dict__["_opened"] = metadata
        if access.store.root is None:
            # Beside a request, which opening takes elsewhere, this is nothing; and reading has a shorter way.
            self.__dict__["_chunked"] = self._engine_array(metadata)

    @cached_property
    def _chunked(self) -> ChunkedArray:
        """What the engine knows of the array, as of the metadata that were read last.

        Many arrays in folders are opened and not read, so theirs is made at first use. A change of metadata
        assigns another.
        """
        return self._engine_array(self._opened)

    def _engine_array(self, metadata: ArrayMetadata) -> ChunkedArray:
        access = self._access
        # Without a fill value a chunk that is not stored has no values: zeros are to be stored, too.
        defined = metadata.fill_value is not None or access.new_nodes.zeros_are_fill
        array = ChunkedArray(
            metadata,
            access.store if access.chunk_store is None else access.chunk_store,
            access.path,
            access.write_empty_chunks or not defined,
            access.synchronizer,
            access.cache,
            partial(check_metadata, access),
        )
        if access.fortran and metadata.zarr_format == 3:
            array = array.reading_as("F")
        if access.strings and STRINGS is not None and metadata.object_codec == "vlen-utf8":
            array = array.returning(STRINGS)
        return array if access.missing == "fill" else array.requiring_chunks

    def _load(self) -> None:
        metadata = find_array(self._access)[1]
        if self._chunked.metadata is not metadata:
            self._chunked = self._engine_array(metadata)

    @property
    def _current(self) -> ChunkedArray:
        """What the engine knows of the array, read again if metadata are not cached."""
        if not self._access.cache_metadata:
            self._load()
        return self._chunked

    def _chunk_key(self, chunk_coords: tuple[int, ...]) -> str:
        """Return the store key of a chunk, by the name that programs have from zarr 2."""
        return self._current.key(chunk_coords)

    # ---- where it is

    @property
    def name(self) -> str | None:
        """Path with a leading slash, as in h5py; None for an array at the root."""
        return "/" + self.path if self.path else None

    @property
    def basename(self) -> str | None:
        """Last part of the name."""
        return self.path.rpartition("/")[2] if self.path else None

    @property
    def write_empty_chunks(self) -> bool:
        """Whether chunks that hold nothing but the fill value are stored."""
        return self._access.write_empty_chunks

    @property
    def config(self) -> ArrayConfig:
        """How the array is used in this program: memory order, empty and missing chunks (zarr 3's name).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros(4, config={"write_empty_chunks": False}).config.write_empty_chunks
        False
        """
        return self._access.config

    # ---- what it is

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata; those of an array of `zchunk.zarr3` have zarr 3's members, too."""
        return self._metadata

    @property
    def async_array(self) -> NoReturn:
        """None: it is an error that says what to use (zarr 3's name)."""
        raise AttributeError(
            "zchunk reads and writes with threads, not coroutines: use the array itself, in a coroutine by "
            "asyncio.to_thread"
        )

    @property
    def _metadata(self) -> ArrayMetadata:
        return self._current.metadata

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self._metadata.shape

    @property
    def chunks(self) -> tuple[Any, ...]:
        """Length of a chunk along every axis; of those in a shard if there are shards.

        In a rectilinear grid the lengths of all chunks along every axis, as dask has them.
        """
        return self._metadata.grid_of_chunks.chunks

    @property
    def shards(self) -> tuple[Any, ...] | None:
        """Length along every axis of a shard, which is stored as one object; None if chunks are.

        In a rectilinear grid the lengths of all shards along every axis.
        """
        return None if self._metadata.shards is None else self._metadata.grid.chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""
        array = self._current
        return array.metadata.dtype if array.text is None else array.text

    @property
    def compressor(self) -> Codec | None:
        """First codec from bytes to bytes, None if there is none. In format 2 there is no other."""
        return self._metadata.compressor

    @property
    def compressors(self) -> tuple[Codec, ...]:
        """Codecs from bytes to bytes (zarr 3's name)."""
        return self._metadata.innermost.compressors

    @property
    def serializer(self) -> dict[str, Any] | None:
        """What makes bytes of the items, as JSON of format 3; None in format 2."""
        return serializer_of(self._metadata)

    @property
    def dimension_names(self) -> tuple[str | None, ...] | None:
        """Names of the axes; None if there are none, as always in format 2."""
        return self._metadata.dimension_names

    @property
    def filters(self) -> list[Codec] | None:
        """Codecs before the compressor, None if there are none."""
        return list(self._metadata.innermost.filters) or None

    @property
    def order(self) -> MemoryOrder:
        """Layout of the items in a chunk, ``"C"`` or ``"F"``."""
        return cast("MemoryOrder", self._metadata.innermost.order)

    @property
    def dimension_separator(self) -> DimensionSeparator:
        """What stands between the coordinates in a chunk's key."""
        return cast("DimensionSeparator", self._metadata.chunk_key_encoding.separator)

    # The only name that zarr 2 has for it, so programs use it.
    _dimension_separator = dimension_separator

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._metadata.ndim

    @property
    def size(self) -> int:
        """Number of items."""
        return self._metadata.size

    @property
    def itemsize(self) -> int:
        """Bytes of an item."""
        return self._metadata.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all items, uncompressed."""
        return self._metadata.nbytes

    @property
    def cdata_shape(self) -> tuple[int, ...]:
        """Number of chunks along every axis, in shards if there are some; ``(1,)`` for a 0-d array."""
        return self._metadata.grid_of_chunks.cdata_shape or (1,)

    @property
    def nchunks(self) -> int:
        """Number of chunks; of those in shards if there are shards."""
        return self._metadata.grid_of_chunks.nchunks

    @property
    def nshards(self) -> int:
        """Number of shards, or of chunks where there are no shards."""
        return self._metadata.grid.nchunks

    @property
    def read_chunk_sizes(self) -> tuple[tuple[int, ...], ...]:
        """Lengths of all chunks along every axis, within the array; of those in shards if there are shards.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros((100, 80), chunks=(30, 40)).read_chunk_sizes
        ((30, 30, 30, 10), (40, 40))
        """
        return _sizes(self._metadata.grid_of_chunks)

    @property
    def write_chunk_sizes(self) -> tuple[tuple[int, ...], ...]:
        """Lengths along every axis of all that is stored as one object, shards or chunks, within the array.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros((100, 80), chunks=(15, 20), shards=(30, 40), zarr_format=3)
        >>> z.write_chunk_sizes
        ((30, 30, 30, 10), (40, 40))
        """
        return _sizes(self._metadata.grid)

    # ---- what is stored of it

    @property
    def nchunks_initialized(self) -> int:
        """Number of chunks that are stored; as in zarr 3 a shard that is there counts for all in it."""
        return listing.initialized(self._current)

    @property
    def nshards_initialized(self) -> int:
        """Number of shards that are stored, or of chunks where there are no shards."""
        return sum(1 for _ in listing.inside(self._current))

    @property
    def initialized(self) -> int:
        """The same as `nchunks_initialized`, by zarr 2's older name."""
        return self.nchunks_initialized

    @property
    def nbytes_stored(self) -> Bytes:
        """Bytes that metadata, attributes and chunks take in the store, -1 if a value in it has no size."""
        access = self._access
        try:
            total = access.store.getsize(access.path) + listing.chunk_nbytes(self._current)
            if access.chunk_store is not None:
                total += access.chunk_store.getsize(access.path)
            return Bytes(total)
        except TypeError:
            return Bytes(-1)
