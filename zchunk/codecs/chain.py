"""The codecs of an array, bound to its dtype and chunk shape: chunk of items <-> stored bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk._ext import chain as native
from zchunk.codecs import checked
from zchunk.codecs.base import Codec, NativeCodec, Spec, flat
from zchunk.errors import ChunkError

_RAW: Spec = (native.KINDS["raw"], 0, 0, 0, 0, 1, 0)
# Most bytes that the objects of a chunk may be encoded to: the codecs of zarr 2.18 take no more.
_OBJECTS_MAX = 2**31 - 1


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
        # Most bytes on the way, and of items: a filter may need more than it gives, but not without measure.
        self.items_limit = 16 * self.nbytes + 2**20
        self.limit = _OBJECTS_MAX if dtype.hasobject else self.items_limit

    def native_spec(self) -> Spec | None:
        """Return what the native engine needs to run this chain, None if it cannot."""
        if self.filters or self.dtype.itemsize == 0 or self.dtype.hasobject:
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
        if self.dtype.hasobject:
            self._check_encoded(data)
        if self.compressor is None:
            return bytes(flat(data)[0])
        return self.compressor.encode(data)

    def _check_encoded(self, data: Any) -> None:
        if isinstance(data, np.ndarray) and data.dtype.hasobject:
            raise ChunkError(
                f"a chunk of dtype {self.dtype} still holds objects after the filters {self.filters}; the "
                "array needs an object_codec"
            )
        nbytes = memoryview(flat(data)[0]).nbytes
        if nbytes > self.limit:
            raise ChunkError(
                f"the objects of a chunk take {nbytes} bytes, at most {self.limit} can be "
                "stored; choose smaller chunks"
            )

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
            if self.filters or self.dtype.hasobject:
                raw = self.compressor.decode(data, limit=self.limit)
            else:
                spec = self.compressor.spec(self.dtype.itemsize)
                if len(data) > (limit := native.limit(spec, self.nbytes)):
                    raise ValueError(f"it has more than the {limit} bytes that are possible")
                raw = native.decode(spec, data, self.nbytes)
        elif self.compressor is not None:
            raw = checked.decode(self.compressor, data, self.limit)
        for codec in reversed(self.filters[1:]):
            raw = checked.decode(codec, raw, self.limit)
        for codec in self.filters[:1]:
            raw = checked.decode(codec, raw, self.items_limit)
        return self._items(raw)

    def _items(self, raw: Any) -> np.ndarray[Any, Any]:
        """Return what the codecs have decoded as the items of a chunk."""
        if isinstance(raw, np.ndarray) and raw.dtype == self.dtype and raw.shape == self.chunk_shape:
            # From a codec that stores the shape, so that the layout in memory means nothing.
            return raw
        if self.dtype.hasobject:
            # Never by a view: bytes must not become references.
            if not isinstance(raw, np.ndarray) or raw.dtype != self.dtype:
                found = raw.dtype if isinstance(raw, np.ndarray) else type(raw).__name__
                raise ValueError(f"it decodes to {found}, not to {self.dtype}: an object codec is missing")
            if raw.nbytes != self.nbytes:
                raise ValueError(f"it decodes to {raw.size} items, expected {math.prod(self.chunk_shape)}")
            return raw.reshape(-1, order="A").reshape(self.chunk_shape, order=self.order)
        raw = flat(raw)[0]
        if memoryview(raw).nbytes != self.nbytes:
            raise ValueError(f"it decodes to {memoryview(raw).nbytes} bytes, expected {self.nbytes}")
        items = np.frombuffer(raw, np.uint8).view(self.dtype)
        return items.reshape(self.chunk_shape, order=self.order)

    def __repr__(self) -> str:
        names = [repr(codec) for codec in self.filters]
        return ", ".join([*names, "no compressor" if self.compressor is None else repr(self.compressor)])
