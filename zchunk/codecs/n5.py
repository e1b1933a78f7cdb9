"""The blocks of N5: a header with the shape, then items in big-endian order, compressed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zchunk.codecs import checked
from zchunk.codecs.base import Codec, LimitedCodec, NativeCodec, flat
from zchunk.codecs.registry import as_codec, get_codec
from zchunk.errors import CodecError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.typing import CodecLike

# What has a byte order, and a name in N5 or in what zarr 2 writes as N5.
_KINDS = "biufmM"
# mode: 0 is a plain block, 1 and 2 are of items without a fixed size; number of axes.
_HEADER = struct.Struct(">HH")


class N5ChunkWrapper(LimitedCodec):
    """A chunk as an N5 block. `zchunk.storage.N5Store` gives it to the arrays that it shows.

    Parameters
    ----------
    dtype : dtype-like
        Of the items.
    chunk_shape : sequence of int
        Shape of a whole chunk. Blocks may be cut off; the items that they lack are 0.
    compressor_config : dict, optional
        Configuration of the codec for what follows the header.
    compressor : codec, optional
        That codec itself.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.codecs.N5ChunkWrapper("i4", (2,), compressor=zchunk.GZip())
    >>> import numpy as np
    >>> block = codec.encode(np.array([1, 2], dtype="i4"))
    >>> np.frombuffer(codec.decode(block), "i4")
    array([1, 2], dtype=int32)
    """

    codec_id = "n5_wrapper"

    def __init__(
        self,
        dtype: npt.DTypeLike,
        chunk_shape: Iterable[int],
        compressor_config: Mapping[str, Any] | None = None,
        compressor: CodecLike | None = None,
    ) -> None:
        if compressor is not None and compressor_config is not None:
            raise ValueError("compressor and compressor_config are given; leave one out")
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in _KINDS:
            raise CodecError(f"codec {self.codec_id!r}: N5 has no blocks of dtype {self.dtype}")
        self.chunk_shape = tuple(chunk_shape)
        if not all(type(n) is int and n > 0 for n in self.chunk_shape):
            raise CodecError(f"codec {self.codec_id!r}: chunk_shape is {chunk_shape!r:.80}")
        config = compressor_config
        self.compressor: Codec | None = None
        if compressor is not None:
            self.compressor = as_codec(compressor)
        elif config is not None and not (isinstance(config, dict) and config.get("id") == "raw"):
            self.compressor = get_codec(config)
        if isinstance(self.compressor, N5ChunkWrapper):
            raise CodecError(f"codec {self.codec_id!r} is inside another one")
        self.compressor_config = None if self.compressor is None else self.compressor.get_config()

    @property
    def max_size(self) -> int | None:
        """Largest chunk that can be encoded, in bytes; None if only memory limits it."""
        limit: int | None = getattr(self.compressor, "max_size", None)
        return limit

    def encode(self, buf: Any) -> bytes:
        """Return a chunk, or the part of one that is there, as a block.

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.codecs.N5ChunkWrapper("i4", (2,), compressor=zchunk.GZip())
        >>> import numpy as np
        >>> block = codec.encode(np.array([1, 2], dtype="i4"))
        >>> block[:8].hex()
        '0000000100000002'
        """
        if isinstance(buf, np.ndarray) and buf.dtype == self.dtype:
            items = np.ascontiguousarray(buf).reshape(buf.shape)
        else:
            items = np.frombuffer(flat(buf)[0], self.dtype).reshape(self.chunk_shape)
        header = _HEADER.pack(0, items.ndim) + struct.pack(f">{items.ndim}I", *items.shape[::-1])
        if self.dtype.newbyteorder(">") != self.dtype:
            # Not by another dtype, which codecs that store it would see.
            items = items.byteswap()
        body = items if self.compressor is None else self.compressor.encode(items)
        return header + bytes(flat(body)[0])

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the chunk that a block holds.

        Parameters
        ----------
        buf : bytes-like
            The block.
        out : writable array, optional
            Filled and returned.
        limit : int, optional
            Most bytes that may come out; checked before memory is taken.

        Raises
        ------
        Exception
            Whatever the compressor raises, or `ValueError` if it is no block of such a chunk.

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.codecs.N5ChunkWrapper("i4", (2,), compressor=zchunk.GZip())
        >>> import numpy as np
        >>> np.frombuffer(codec.decode(codec.encode(np.array([1, 2], dtype="i4"))), "i4")
        array([1, 2], dtype=int32)
        """
        nbytes = math.prod(self.chunk_shape) * self.dtype.itemsize
        if limit is not None and nbytes > limit:
            raise ValueError(f"chunks of shape {self.chunk_shape} have {nbytes} bytes, not {limit} or fewer")
        view = memoryview(flat(buf)[0])
        shape, start = self._read_header(view)
        items = self._items(view[start:], shape)
        if shape != self.chunk_shape:
            chunk = np.zeros(self.chunk_shape, self.dtype)
            chunk[tuple(map(slice, shape))] = items
            items = chunk
        if out is None:
            return items
        if isinstance(out, np.ndarray) and not (out.flags.c_contiguous or out.flags.f_contiguous):
            raise ValueError(f"out has strides {out.strides}; only contiguous memory can be decoded into")
        target = memoryview(flat(out)[0]).cast("B")
        if target.nbytes != items.nbytes:
            raise ValueError(f"out has {target.nbytes} bytes, a chunk {items.nbytes}")
        target[:] = flat(items)[0]
        return out

    def _read_header(self, view: memoryview) -> tuple[tuple[int, ...], int]:
        """Return the shape of a block, and where what follows its header begins."""
        start = _HEADER.size + 4 * len(self.chunk_shape)
        mode, ndim = _HEADER.unpack_from(view) if len(view) >= _HEADER.size else (0, len(self.chunk_shape))
        if mode or ndim != len(self.chunk_shape):
            raise ValueError(
                f"the header says mode {mode} and {ndim} axes; only mode 0 can be read, and the array has "
                f"{len(self.chunk_shape)} axes"
            )
        if len(view) < start:
            raise ValueError(f"a block begins with {start} bytes, {len(view)} are there")
        shape = struct.unpack_from(f">{ndim}I", view, _HEADER.size)[::-1]
        if any(n > most for n, most in zip(shape, self.chunk_shape, strict=True)):
            raise ValueError(f"the block's shape is {shape}, larger than a chunk's, {self.chunk_shape}")
        return shape, start

    def _items(self, raw: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        nbytes = math.prod(shape) * self.dtype.itemsize
        if isinstance(self.compressor, NativeCodec):
            raw = self.compressor.decode(raw, limit=nbytes)
        elif self.compressor is not None:
            raw = checked.decode(self.compressor, raw, nbytes)
        raw = flat(raw)[0]
        found = memoryview(raw).nbytes
        if found != nbytes:
            raise ValueError(f"a block of shape {shape} decodes to {found} bytes, not {nbytes}")
        items = np.frombuffer(raw, self.dtype.newbyteorder(">"))
        return items.astype(self.dtype).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``.

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.codecs.N5ChunkWrapper("i4", (2,), compressor=zchunk.GZip())
        >>> codec.get_config()["id"]
        'n5_wrapper'
        """
        return {
            "id": self.codec_id,
            "compressor_config": self.compressor_config,
            "dtype": self.dtype.str,
            "chunk_shape": list(self.chunk_shape),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the codec with these parameters (without ``"id"``).

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.codecs.N5ChunkWrapper("i4", (2,), compressor=zchunk.GZip())
        >>> config = codec.get_config()
        >>> del config["id"]
        >>> zchunk.codecs.N5ChunkWrapper.from_config(config) == codec
        True
        """
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, N5ChunkWrapper) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((self.dtype, self.chunk_shape))

    def __repr__(self) -> str:
        return f"N5ChunkWrapper({self.dtype.str!r}, {self.chunk_shape}, compressor={self.compressor!r})"
