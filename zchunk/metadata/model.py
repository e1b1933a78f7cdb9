"""The frozen model of an array's metadata, the same for every format version."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from zchunk.dtypes import check_dtype
from zchunk.errors import MetadataError
from zchunk.grid import RegularGrid
from zchunk.keys import ChunkKeyEncoding

if TYPE_CHECKING:
    from zchunk.codecs import Codec

# NumPy's limit, so that every array can be read whole.
MAX_NDIM = 64

_DOTTED = ChunkKeyEncoding("v2", ".")


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
        Length of a chunk along every axis, at least 1.
    fill_value : numpy scalar, object or None
        Value of the items of missing chunks; None if they are undefined.
    order : {"C", "F"}
        Layout of the items in a chunk.
    filters : tuple of Codec
        Codecs that a chunk passes before `compressor`, in the order of encoding. The first turns objects into
        bytes if the dtype holds some.
    compressor : Codec or None
        Last codec of a chunk.
    chunk_key_encoding : ChunkKeyEncoding
        How chunks are named.
    dimension_separator : str or None
        What the metadata say of it; None is not written.
    zarr_format : int
        Version of the format.

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
    compressor: Codec | None
    chunk_key_encoding: ChunkKeyEncoding
    dimension_separator: str | None
    zarr_format: int

    # Not a dataclass: making one, and importing what makes it, would take a tenth of the time that importing
    # the whole package takes.
    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunk_shape: tuple[int, ...],
        fill_value: Any,
        order: str = "C",
        filters: tuple[Codec, ...] = (),
        compressor: Codec | None = None,
        chunk_key_encoding: ChunkKeyEncoding = _DOTTED,
        dimension_separator: str | None = None,
        zarr_format: int = 2,
    ) -> None:
        members = self.__dict__
        members["shape"] = shape
        members["dtype"] = dtype
        members["chunk_shape"] = chunk_shape
        members["fill_value"] = fill_value
        members["order"] = order
        members["filters"] = filters
        members["compressor"] = compressor
        members["chunk_key_encoding"] = chunk_key_encoding
        members["dimension_separator"] = dimension_separator
        members["zarr_format"] = zarr_format
        self._check()

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"metadata do not change; `replace` makes new ones with another {name!r}")

    def replace(self, **members: Any) -> ArrayMetadata:
        """Return metadata that differ in `members`."""
        old = {name: self.__dict__[name] for name in _MEMBERS}
        return ArrayMetadata(**old | members)

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
        self._check_chunk_nbytes()

    def _check_chunk_nbytes(self) -> None:
        nbytes = math.prod(self.chunk_shape) * max(self.dtype.itemsize, 1)
        self._check_limit(nbytes, 2**63 - 1, "any chunk")
        for codec in self.codecs:
            self._check_limit(
                nbytes, getattr(codec, "max_size", None), f"one for the codec {codec.codec_id!r}"
            )
            growth = _growth(codec)
            if growth is None:
                return
            encoded, decoded = growth
            nbytes = nbytes * encoded // decoded

    def _check_limit(self, nbytes: int, limit: int | None, who: str) -> None:
        if limit is not None and nbytes > limit:
            raise MetadataError(
                f"a chunk has {nbytes} bytes (shape {self.shape}, chunks {self.chunk_shape}, "
                f"dtype {self.dtype}), but {who} has at most {limit}; choose smaller chunks"
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
        """Bytes of a whole chunk, uncompressed."""
        return math.prod(self.chunk_shape) * self.dtype.itemsize

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """Filters and compressor, in the order of encoding."""
        return self.filters if self.compressor is None else (*self.filters, self.compressor)

    @cached_property
    def grid(self) -> RegularGrid:
        """The chunk grid."""
        return RegularGrid(self.shape, self.chunk_shape)

    def with_shape(self, shape: tuple[int, ...]) -> ArrayMetadata:
        """Return the metadata of the array resized to `shape`."""
        return self.replace(shape=shape)


_MEMBERS = tuple(ArrayMetadata.__annotations__)


def _growth(codec: Codec) -> tuple[int, int] | None:
    """Return how many bytes a filter makes of how many; None if that depends on the data or nobody knows."""
    if codec.codec_id in ("shuffle", "bitround"):
        return 1, 1
    if codec.codec_id in ("delta", "quantize", "fixedscaleoffset"):
        decoded, encoded = getattr(codec, "dtype", None), getattr(codec, "astype", None)
        if isinstance(decoded, np.dtype) and isinstance(encoded, np.dtype) and decoded.itemsize:
            return encoded.itemsize, decoded.itemsize
    return None


def _check_lengths(member: str, values: tuple[int, ...], least: int) -> None:
    for value in values:
        # bool is an int, but no length.
        if type(value) is not int or not least <= value < 2**63:
            raise MetadataError(f"{member} has {value!r:.80}, not an integer from {least} to 2**63 - 1")
