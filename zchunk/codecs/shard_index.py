"""The index of a shard: where in it the inner chunks are. No I/O, only bytes.

An inner chunk may lie anywhere in the shard, in any order, with gaps, and even over another: all of that is
legal to read. What the index must not do is to point out of the shard.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from zchunk._ext.codecs.crc32c import checksum
from zchunk.codecs.base import Codec
from zchunk.codecs.chain import CodecChain
from zchunk.codecs.crc32c import Crc32c
from zchunk.errors import CodecError

# Offset and size of an inner chunk that is not stored: all its items are the fill value.
EMPTY = 2**64 - 1

# Most bytes of an index: 2 ** 27 inner chunks. It is in memory whenever one of them is read or written.
MAX_INDEX = 1 << 31

# How many bytes the codecs that may be used add to those they get.
_ADDED = {"transpose": 0, "byteswap": 0, "shuffle": 0}
_ADDED |= dict.fromkeys(("crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"), 4)


class ChunkFormat(Protocol):
    """What `zchunk.metadata.ArrayMetadata` say of the chunks of an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an item."""

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Of a chunk."""

    @property
    def fill_value(self) -> Any:
        """Of items that are not stored."""

    @property
    def order(self) -> str:
        """Layout of the items in a chunk."""

    @property
    def filters(self) -> tuple[Codec, ...]:
        """Codecs that a chunk passes first."""

    @property
    def compressors(self) -> tuple[Codec, ...]:
        """Codecs from bytes to bytes."""

    @property
    def swapped(self) -> bool:
        """Whether items are stored in the other byte order."""

    @property
    def shards(self) -> ShardFormat | None:
        """How a chunk is stored, if it is a shard."""


class ShardFormat(Protocol):
    """What `zchunk.metadata.array.ShardFormat` says of a shard."""

    @property
    def inner(self) -> ChunkFormat:
        """The array in a shard."""

    @property
    def index_array(self) -> ChunkFormat:
        """The array of offsets and sizes."""

    @property
    def location(self) -> str:
        """Where the index is."""


def chain_of(meta: ChunkFormat) -> CodecChain:
    """Return the codecs of chunks that are no shards."""
    return CodecChain(
        meta.filters, meta.compressors, meta.dtype, meta.chunk_shape, meta.order, swapped=meta.swapped
    )


class ShardIndex:
    """The index of the shards of one format. It holds no state: threads may share it.

    Parameters
    ----------
    format : ShardFormat
        How a shard is stored.

    Attributes
    ----------
    shape : tuple of int
        Grid of the inner chunks.
    nbytes : int
        Size of the index as it is stored.
    location : {"end", "start"}
        Where in the shard it is.

    Raises
    ------
    CodecError
        One of the codecs makes a size that depends on the data, or grid and index do not fit.
    """

    def __init__(self, format: ShardFormat) -> None:
        inner, array = format.inner, format.index_array
        self.shape = tuple(s // c for s, c in zip(inner.shape, inner.chunk_shape, strict=True))
        self.location = format.location
        if array.shards is not None:
            raise CodecError("index_codecs: an index cannot be a shard itself, since it has a fixed size")
        if array.chunk_shape != (*self.shape, 2):
            raise CodecError(f"a shard index has the shape {array.chunk_shape}, not {(*self.shape, 2)}")
        self.nbytes = 16 * math.prod(self.shape)
        for codec in array.filters + array.compressors:
            added = _ADDED.get(codec.codec_id)
            if added is None:
                raise CodecError(
                    f"index_codecs: the size that codec {codec.codec_id!r} makes depends on the data, but an "
                    "index has a fixed size"
                )
            self.nbytes += added
        if self.nbytes > MAX_INDEX:
            raise CodecError(
                f"a shard of {math.prod(self.shape)} inner chunks has an index of {self.nbytes} bytes, but "
                f"at most {MAX_INDEX} are possible; choose larger chunks or smaller shards"
            )
        self._chain = chain_of(array)
        # Numbers of this machine and their checksum, as nearly all shards have it.
        usual = not array.filters and array.compressors == (Crc32c(),)
        self._plain = usual and not array.swapped and array.order == "C"

    def span(self, size: int) -> tuple[int, int]:
        """Return where in a shard of `size` bytes the index is: its start and stop.

        Raises
        ------
        ValueError
            The shard is smaller than its index.
        """
        if size < self.nbytes:
            raise ValueError(f"a shard of {size} bytes cannot hold its index of {self.nbytes} bytes")
        return (0, self.nbytes) if self.location == "start" else (size - self.nbytes, size)

    def decode(self, raw: Any, size: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return offset and size of every inner chunk, both `EMPTY` where none is stored.

        Parameters
        ----------
        raw : bytes-like
            The index as it is stored.
        size : int
            Bytes of the whole shard.

        Returns
        -------
        numpy.ndarray
            Of uint64 and shape (n, 2), in C order of the grid; possibly read-only.

        Raises
        ------
        ValueError
            The index is damaged, or an inner chunk is not within the shard.
        """
        if len(raw) != self.nbytes:
            raise ValueError(f"a shard index has {len(raw)} bytes, expected {self.nbytes}")
        try:
            if self._plain and checksum(raw[:-4]) == int.from_bytes(raw[-4:], "little"):
                entries = np.frombuffer(raw, np.uint64, len(raw) // 8).reshape(-1, 2)
            else:
                entries = np.require(self._chain.decode(raw), requirements=("C", "A")).reshape(-1, 2)
        # A codec of another package may raise anything.
        except Exception as err:
            raise ValueError(f"shard index: {err}") from err
        offset, nbytes = entries[:, 0], entries[:, 1]
        end = offset + nbytes
        # Those of chunks that are not stored: 2 * EMPTY wraps.
        bad = (end > size) | (end < offset)
        if bad.any():
            bad &= (offset != EMPTY) | (nbytes != EMPTY)
            if bad.any():
                self._refuse(entries, int(bad.argmax()), size)
        return entries

    def _refuse(self, entries: np.ndarray[Any, Any], which: int, size: int) -> None:
        offset, nbytes = (int(n) for n in entries[which])
        coords = tuple(int(i) for i in np.unravel_index(which, self.shape)) if self.shape else ()
        if EMPTY in (offset, nbytes):
            reason = "only one of the two says that it is not stored"
        else:
            reason = f"not within the shard of {size} bytes"
        raise ValueError(f"shard index: inner chunk {coords}: offset {offset}, {nbytes} bytes: {reason}")

    def encode(self, entries: np.ndarray[Any, Any]) -> bytes:
        """Return the bytes to store of what `decode` returns."""
        items = np.ascontiguousarray(entries, np.uint64).reshape(*self.shape, 2)
        return bytes(self._chain.encode(items))
