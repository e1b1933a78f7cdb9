"""The codecs of an array, bound to its dtype and chunk shape: chunk of items <-> stored bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk._ext import chain as native
from zchunk.codecs.base import Codec, NativeCodec, Spec, flat

_RAW: Spec = (native.KINDS["raw"], 0, 0, 0, 0, 1, 0)


class CodecChain:
    """Filters, then a compressor, for chunks of one shape.

    Parameters
    ----------
    filters : tuple of Codec
        In the order of encoding.
    compressor : Codec or None
        The last codec.
    dtype : numpy.dtype
        Of the items.
    chunk_shape : tuple of int
        Of a whole chunk.
    order : {"C", "F"}
        Layout of the items in a chunk.
    """

    def __init__(
        self,
        filters: tuple[Codec, ...],
        compressor: Codec | None,
        dtype: np.dtype[Any],
        chunk_shape: tuple[int, ...],
        order: str,
    ) -> None:
        self.filters = filters
        self.compressor = compressor
        self.dtype = dtype
        self.chunk_shape = chunk_shape
        self.order: Any = order
        self.nbytes = math.prod(chunk_shape) * dtype.itemsize

    def native_spec(self) -> Spec | None:
        """Return what the native engine needs to run this chain, None if it cannot."""
        if self.filters or self.dtype.itemsize == 0:
            return None
        if self.compressor is None:
            return _RAW
        if isinstance(self.compressor, NativeCodec):
            return self.compressor.spec(self.dtype.itemsize)
        return None

    def encode(self, chunk: np.ndarray[Any, Any]) -> Any:
        """Return the bytes to store of a whole chunk, any bytes-like object."""
        # Filters see the items in the order of the chunk's memory.
        data: Any = np.asarray(chunk, order=self.order)
        for codec in self.filters:
            data = codec.encode(data)
        if self.compressor is None:
            return bytes(flat(data)[0])
        return self.compressor.encode(data)

    def decode(self, data: Any) -> np.ndarray[Any, Any]:
        """Return the chunk that `data` was made of, possibly read-only.

        Raises
        ------
        Exception
            Whatever a codec raises, or `ValueError` if what comes out has another size than a chunk.
        """
        if self.dtype.itemsize == 0:
            return np.zeros(self.chunk_shape, self.dtype)
        raw: Any = data
        if isinstance(self.compressor, NativeCodec):
            if self.filters:
                # A filter may need more bytes than it gives, but not without measure.
                raw = self.compressor.decode(data, limit=16 * self.nbytes + 2**20)
            else:
                spec = self.compressor.spec(self.dtype.itemsize)
                if len(data) > (limit := native.limit(spec, self.nbytes)):
                    raise ValueError(f"it has more than the {limit} bytes that are possible")
                raw = native.decode(spec, data, self.nbytes)
        elif self.compressor is not None:
            raw = self.compressor.decode(data)
        for codec in reversed(self.filters):
            raw = codec.decode(raw)
        raw = flat(raw)[0]
        if memoryview(raw).nbytes != self.nbytes:
            raise ValueError(f"it decodes to {memoryview(raw).nbytes} bytes, expected {self.nbytes}")
        items = np.frombuffer(raw, np.uint8).view(self.dtype)
        return items.reshape(self.chunk_shape, order=self.order)

    def __repr__(self) -> str:
        names = [repr(codec) for codec in self.filters]
        return ", ".join([*names, "no compressor" if self.compressor is None else repr(self.compressor)])
