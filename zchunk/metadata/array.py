"""The frozen model of an array's metadata, the same for every format version."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from zchunk.codecs.chain import CodecChain
from zchunk.errors import MetadataError
from zchunk.runtime.lazy import LazyModule, cached_property
from zchunk.runtime.settings import config
from zchunk.spec.dtypes import check_dtype
from zchunk.spec.fill_values import fill_bytes
from zchunk.spec.keys import ChunkKeyEncoding
from zchunk.spec.regular_grid import RegularGrid

if TYPE_CHECKING:
    from zchunk.codecs import Codec
    from zchunk.metadata import formats, v3
    from zchunk.spec import rectilinear_grid
    from zchunk.spec.rectilinear_grid import Edges, Grid
else:
    # Few arrays have such a grid.
    rectilinear_grid = LazyModule("zchunk.spec.rectilinear_grid")
    # Which parse and render it.
    formats, v3 = LazyModule("zchunk.metadata.formats"), LazyModule("zchunk.metadata.v3")

# NumPy's limit, so that every array can be read whole.
MAX_NDIM = 64

_DOTTED = ChunkKeyEncoding("v2", ".")


class ShardFormat(NamedTuple):
    """What the chunks of an array are if each holds an array of its own, cut into inner chunks: a shard.

    Parameters
    ----------
    inner : ArrayMetadata
        Of the array in a shard: its shape is that of the shard, its chunks are the inner chunks. Dtype, fill
        value and byte order are its own too.
    index_array : ArrayMetadata
        Of the array of offsets and sizes of the inner chunks: of uint64, its shape that of the grid of inner
        chunks and 2, in one chunk.
    location : {"end", "start"}
        Where in the shard the index is.
    """

    inner: ArrayMetadata
    index_array: ArrayMetadata
    location: str


# What modules keep of documents that they have parsed. It was checked with the settings of then.
parsed: list[dict[Any, ArrayMetadata]] = []


def _forget_parsed(most: int | None) -> None:
    for kept in parsed:
        kept.clear()


config.define("array.max_chunk_bytes", changed=_forget_parsed)


class ArrayMetadata:
    """What is known of an array before any chunk is read; it never changes.

    Two of them are the same if they render to the same bytes; ``==`` asks for identity, since fill values
    such as NaN do not equal themselves.

    Parameters
    ----------
    shape : tuple of int
        Length of every axis, at least 0.
    dtype : numpy.dtype
        Type of an item, no sub-array.
    chunk_shape : tuple of int
        Length along every axis, at least 1, of what is stored under a key: a chunk, or a shard. If there are
        `edges`, that of the array.
    fill_value : numpy scalar, object or None
        Value of the items of missing chunks; None if they are undefined.
    order : {"C", "F"}
        Layout of the items in a chunk.
    filters : tuple of Codec
        Codecs that a chunk passes first, in the order of encoding. The first turns objects into bytes if the
        dtype holds some.
    compressors : tuple of Codec
        Codecs from bytes to bytes that follow. In format 2 there is one or none.
    chunk_key_encoding : ChunkKeyEncoding
        How chunks are named.
    dimension_separator : str or None
        What the metadata say of it; None is not written.
    zarr_format : int
        Version of the format.
    swapped : bool
        Items are stored in the other byte order than that of `dtype`. (In format 2 the dtype says it.)
    shards : ShardFormat or None
        How a chunk is stored, if it is a shard. There are no other codecs then.
    edges : tuple of Edges or None
        Lengths of what is stored under a key, in a rectilinear grid: see `zchunk.spec.rectilinear_grid`.
        Codecs and `shards` are those for the largest chunk then; `zchunk.metadata.v3.document.with_chunks`
        gives those of others.
    dimension_names : tuple of (str or None), optional
        Names of the axes; None if they have none at all. Of format 3.
    data_type : object, optional
        What the metadata call the dtype, where there are several names for it, as JSON. Of format 3.
    extensions : dict, optional
        Members that need not be understood, as JSON. Of format 3.

    Raises
    ------
    MetadataError
        If no array can be so, or a codec cannot take chunks of this size.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk_shape: tuple[int, ...]
    fill_value: Any
    order: str
    filters: tuple[Codec, ...]
    compressors: tuple[Codec, ...]
    chunk_key_encoding: ChunkKeyEncoding
    dimension_separator: str | None
    zarr_format: int
    swapped: bool
    shards: ShardFormat | None
    edges: tuple[Edges, ...] | None
    dimension_names: tuple[str | None, ...] | None
    data_type: Any
    extensions: dict[str, Any] | None

    # Not a dataclass: making one, and importing what makes it, would take a tenth of the time that importing
    # the whole package takes.
    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunk_shape: tuple[int, ...],
        fill_value: object,
        order: str = "C",
        filters: tuple[Codec, ...] = (),
        compressors: tuple[Codec, ...] = (),
        chunk_key_encoding: ChunkKeyEncoding = _DOTTED,
        dimension_separator: str | None = None,
        zarr_format: int = 2,
        swapped: bool = False,
        shards: ShardFormat | None = None,
        edges: tuple[Edges, ...] | None = None,
        dimension_names: tuple[str | None, ...] | None = None,
        data_type: object = None,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        members = self.__dict__
        members["shape"] = shape
        members["dtype"] = dtype
        members["chunk_shape"] = chunk_shape
        members["fill_value"] = fill_value
        members["order"] = order
        members["filters"] = filters
        members["compressors"] = compressors
        members["chunk_key_encoding"] = chunk_key_encoding
        members["dimension_separator"] = dimension_separator
        members["zarr_format"] = zarr_format
        members["swapped"] = swapped
        members["shards"] = shards
        members["edges"] = edges
        members["dimension_names"] = dimension_names
        members["data_type"] = data_type
        members["extensions"] = extensions
        self._check()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"metadata do not change; `replace` makes new ones with another {name!r}")

    def replace(self, **members: Any) -> ArrayMetadata:
        """Return metadata that differ in `members`."""
        old = {name: self.__dict__[name] for name in _MEMBERS}
        return ArrayMetadata(**old | members)

    def replace_all(self, **members: Any) -> ArrayMetadata:
        """Return metadata that differ in `members`, also those of the array in a shard."""
        if self.shards is not None:
            members["shards"] = self.shards._replace(inner=self.shards.inner.replace_all(**members))
        return self.replace(**members)

    def _check(self) -> None:
        _check_lengths("shape", self.shape, 0)
        _check_lengths("chunks", self.chunk_shape, 1)
        if len(self.shape) != len(self.chunk_shape):
            raise MetadataError(f"shape has {len(self.shape)} axes, chunks has {len(self.chunk_shape)}")
        if len(self.shape) > MAX_NDIM:
            raise MetadataError(f"shape has {len(self.shape)} axes, the limit is {MAX_NDIM}")
        try:
            check_dtype(self.dtype)
        except ValueError as err:
            raise MetadataError(str(err)) from err
        if self.order not in ("C", "F"):
            raise MetadataError(f"order is {self.order!r:.80}, not 'C' or 'F'")
        if self.dimension_separator not in (None, self.chunk_key_encoding.separator):
            raise MetadataError(
                f"dimension_separator is {self.dimension_separator!r}, but chunk keys are joined by "
                f"{self.chunk_key_encoding.separator!r}"
            )
        if self.edges is not None:
            self._check_edges(self.edges)
        if self.shards is None:
            self._check_chunk_nbytes()

    def _check_edges(self, edges: tuple[Edges, ...]) -> None:
        if len(edges) != self.ndim or self.chunk_shape != rectilinear_grid.whole(self.shape):
            raise MetadataError(f"{len(edges)} axes of edges, chunks {self.chunk_shape} for {self.shape}")
        nbytes = math.prod(self.chunk_shape) * max(self.dtype.itemsize, 1)
        if nbytes >= 2**63:
            # It is planned as one chunk.
            raise MetadataError(f"an array of {nbytes} bytes is too large for a rectilinear chunk grid")

    def _check_chunk_nbytes(self) -> None:
        nbytes = math.prod(self.grid.largest) * max(self.dtype.itemsize, 1)
        self._check_limit(nbytes, 2**63 - 1, "any chunk")
        # What strangers have written may ask for more memory than there is.
        most = config.get("array.max_chunk_bytes")
        self._check_limit(nbytes, most, "one that the setting 'array.max_chunk_bytes' allows")
        for codec in self.codecs:
            self._check_limit(
                nbytes, getattr(codec, "max_size", None), f"one for the codec {codec.codec_id!r}"
            )
            growth = _growth(codec)
            if growth is None:
                return
            encoded, decoded = growth
            nbytes = nbytes * encoded // decoded

    def _check_limit(self, nbytes: int, limit: int | None, what: str) -> None:
        if limit is not None and nbytes > limit:
            raise MetadataError(
                f"a chunk has {nbytes} bytes (shape {self.shape}, chunks {self.grid.largest}, "
                f"dtype {self.dtype}), but {what} has at most {limit}; choose smaller chunks"
            )

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of items."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all items, uncompressed."""
        return self.size * self.dtype.itemsize

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of a whole chunk, the largest, uncompressed."""
        largest = self.chunk_shape if self.edges is None else self.grid.largest
        return math.prod(largest) * self.dtype.itemsize

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """All codecs of a chunk in the order of encoding, or of an inner chunk if chunks are shards."""
        return self.filters + self.compressors if self.shards is None else self.shards.inner.codecs

    @property
    def compressor(self) -> Codec | None:
        """First of the codecs from bytes to bytes, None if there is none."""
        if self.shards is not None:
            return self.shards.inner.compressor
        return self.compressors[0] if self.compressors else None

    @property
    def innermost(self) -> ArrayMetadata:
        """Metadata whose chunks are no shards: these, or those of the array in a shard."""
        return self if self.shards is None else self.shards.inner.innermost

    @cached_property
    def grid(self) -> Grid:
        """The chunk grid."""
        if self.edges is not None:
            return rectilinear_grid.RectilinearGrid(self.shape, self.edges)
        return RegularGrid(self.shape, self.chunk_shape)

    @property
    def grid_of_chunks(self) -> Grid:
        """The grid of chunks, of those in shards if chunks are shards."""
        return self.grid if self.shards is None else RegularGrid(self.shape, self.shards.inner.chunk_shape)

    # ---- what the engine needs, for all arrays that have the same metadata

    @cached_property
    def chain(self) -> CodecChain:
        """The codecs of a chunk that is no shard."""
        return CodecChain(
            self.filters, self.compressors, self.dtype, self.chunk_shape, self.order, self.swapped
        )

    @cached_property
    def item(self) -> np.dtype[Any]:
        """What items are moved as: plain bytes, so that padding and NaN payloads survive, or integers.

        Those are faster.

        Objects stay what they are: a reference is not just bytes.
        """
        size = self.dtype.itemsize
        if self.dtype.hasobject:
            return self.dtype
        return np.dtype(f"u{size}" if size in (1, 2, 4, 8) else (np.void, size))

    @cached_property
    def fill(self) -> bytes:
        """One item that holds the fill value, as bytes; none of objects."""
        return b"" if self.dtype.hasobject else fill_bytes(self.fill_value, self.dtype)

    @property
    def object_codec(self) -> str | None:
        """Name of the codec that makes bytes of the items, None if they are no objects."""
        if self.dtype.kind != "O":
            return None
        filters = self.innermost.filters
        return filters[0].codec_id if filters else None

    @cached_property
    def fill_object(self) -> Any:
        """Value of an object that was never written: the empty one, where zarr 2 has its default 0.

        That is no value for the codecs of text, bytes and arrays.
        """
        if type(self.fill_value) is not int or self.fill_value:
            return self.fill_value
        match self.object_codec:
            case "vlen-utf8":
                return ""
            case "vlen-bytes":
                return b""
            case "vlen-array":
                return np.empty(0, self.innermost.filters[0].get_config()["dtype"])
        return self.fill_value

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored, as JSON: the document without user attributes.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros(4, zarr_format=3).metadata.to_dict()["data_type"]
        'float64'
        """
        fmt = formats.get_format(self.zarr_format)
        found: dict[str, Any] = json.loads(fmt.array_items(self)[fmt.array_key])
        return found

    @property
    def node_type(self) -> str:
        """What it is the metadata of: ``"array"``."""
        return "array"

    def with_shape(self, shape: tuple[int, ...]) -> ArrayMetadata:
        """Return the metadata of the array resized to `shape`."""
        if self.edges is not None:
            # With it the largest of its chunks may change.
            return v3.with_shape(self, shape)
        return self.replace(shape=shape)


_MEMBERS = tuple(ArrayMetadata.__annotations__)


def _growth(codec: Codec) -> tuple[int, int] | None:
    """Return how many bytes a filter makes of how many; None if that depends on the data or nobody knows."""
    if codec.codec_id in ("shuffle", "bitround", "scale_offset", "transpose", "reshape", "byteswap"):
        return 1, 1
    if codec.codec_id in ("delta", "quantize", "fixedscaleoffset", "cast_value"):
        name = "encoded" if codec.codec_id == "cast_value" else "astype"
        decoded, encoded = getattr(codec, "dtype", None), getattr(codec, name, None)
        if isinstance(decoded, np.dtype) and isinstance(encoded, np.dtype) and decoded.itemsize:
            return encoded.itemsize, decoded.itemsize
    return None


def _check_lengths(member: str, values: tuple[int, ...], least: int) -> None:
    for value in values:
        # bool is an int, but no length.
        if type(value) is not int or not least <= value < 2**63:
            raise MetadataError(f"{member} has {value!r:.80}, not an integer from {least} to 2**63 - 1")
