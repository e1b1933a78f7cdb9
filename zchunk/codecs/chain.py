"""The codecs of an array, bound to its dtype and chunk shape: chunk of items <-> stored bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk._ext.codecs import dispatch as native
from zchunk.codecs import checked
from zchunk.codecs.base import ChainSpec, Codec, NativeCodec, Spec, flat
from zchunk.codecs.checksum import Checksum
from zchunk.errors import ChunkError
from zchunk.runtime.lazy import cached_property

_RAW: Spec = (native.KINDS["raw"], 0, 0, 0, 0, 1, 0)
# Most bytes that the objects of a chunk may be encoded to: the codecs of zarr 2.18 take no more.
_OBJECTS_MAX = 2**31 - 1
# How many of them any chunk may have, how many for each byte that is stored, and for each item. In JSON and
# MsgPack a byte can be an object of its own (up to 80 bytes of memory), elsewhere only an item is one.
_OBJECTS_PER_STORED = 1000
_NESTED = 2**24, 128
_FLAT = 2**26, 4096
_FLAT_IDS = {"vlen-utf8", "vlen-bytes", "vlen-array", "categorize"}
_NESTED_IDS = {"json2", "msgpack2"}


class CodecChain:
    """Filters, then compressors, for chunks of one shape.

    Parameters
    ----------
    filters : tuple of Codec
        In the order of encoding.
    compressors : tuple of Codec
        Those from bytes to bytes that follow.
    dtype : numpy.dtype
        Of the items.
    chunk_shape : tuple of int
        Of a whole chunk.
    order : {"C", "F"}
        Layout of the items in a chunk.
    swapped : bool, optional
        Items are stored in the other byte order than that of `dtype`.

    Examples
    --------
    >>> import numpy as np
    >>> from zchunk.codecs import CodecChain, Zstd
    >>> chain = CodecChain((), (Zstd(),), np.dtype("i4"), (2, 2), "C")
    >>> stored = chain.encode(np.ones((2, 2), dtype="i4"))
    >>> chain.decode(stored)
    array([[1, 1],
           [1, 1]], dtype=int32)
    """

    def __init__(
        self,
        filters: tuple[Codec, ...],
        compressors: tuple[Codec, ...],
        dtype: np.dtype[Any],
        chunk_shape: tuple[int, ...],
        order: str,
        swapped: bool = False,
    ) -> None:
        self.filters = filters
        self.compressors = compressors
        self.swapped = swapped
        self.dtype = dtype
        self.chunk_shape = chunk_shape
        self.order: Any = order
        self.nbytes = math.prod(chunk_shape) * dtype.itemsize
        # Most bytes on the way, and of items: a filter may need more than it gives, but not without measure.
        self.items_limit = 16 * self.nbytes + 2**20

    def limit(self, stored: int) -> int:
        """Return the most bytes that a chunk of `stored` bytes may have between its codecs.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.codecs import CodecChain, Zstd
        >>> chain = CodecChain((), (Zstd(),), np.dtype("i4"), (2, 2), "C")
        >>> chain.limit(10) >= chain.nbytes
        True
        """
        if not self.dtype.hasobject:
            return self.items_limit
        ids = [codec.codec_id for codec in self.filters + self.compressors]
        known = ids[:1] and ids[0] in _FLAT_IDS and _NESTED_IDS.isdisjoint(ids)
        least, per_item = _FLAT if known else _NESTED
        size = math.prod(self.chunk_shape)
        return min(_OBJECTS_MAX, max(least, _OBJECTS_PER_STORED * stored, per_item * size))

    @cached_property
    def most_stored(self) -> int | None:
        """The most bytes that a stored chunk can have, None if that is not known."""
        spec: Any = self.native_spec
        if spec is None:
            return None if self.dtype.hasobject else self.items_limit
        return native.limit(spec, self.nbytes)

    @cached_property
    def native_spec(self) -> ChainSpec | None:
        """Return what the native engine needs to run this chain, None if it cannot."""
        if self.dtype.itemsize == 0 or self.dtype.hasobject:
            return None
        # In format 2 a codec from bytes to bytes is a filter if a checksum follows.
        codecs, kind = self.filters + self.compressors, 0
        if codecs and isinstance(codecs[-1], Checksum):
            kind = native.SUMS.get(codecs[-1].native_name, 0)
            codecs = codecs[:-1] if kind else codecs
        if not codecs:
            return (*_RAW, kind) if kind else _RAW
        if len(codecs) > 1 or not isinstance(codecs[0], NativeCodec):
            return None
        spec = codecs[0].spec(self.dtype.itemsize)
        return (*spec, kind) if kind else spec

    def encode(self, chunk: np.ndarray[Any, Any]) -> Any:
        """Return the bytes to store of a whole chunk, any bytes-like object.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.codecs import CodecChain, Zstd
        >>> chain = CodecChain((), (Zstd(),), np.dtype("i4"), (2, 2), "C")
        >>> type(chain.encode(np.ones((2, 2), dtype="i4")))
        <class 'bytes'>
        """
        # Filters see the items in the order of the chunk's memory.
        data: Any = np.asarray(chunk, order=self.order)
        if self.swapped:
            data = data.byteswap()
        for codec in self.filters:
            data = codec.encode(data)
        nbytes = self._check_encoded(data) if self.dtype.hasobject else 0
        for codec in self.compressors:
            data = codec.encode(data)
        stored = data if self.compressors else bytes(flat(data)[0])
        if self.dtype.hasobject and nbytes > (limit := self.limit(len(stored))):
            raise ChunkError(
                f"the objects of a chunk take {nbytes} bytes that are stored in {len(stored)}; no more than "
                f"{limit} are taken out of so few again. Choose smaller chunks or no compressor"
            )
        return stored

    def _check_encoded(self, data: object) -> int:
        """Return how many bytes the objects of a chunk have become."""
        if isinstance(data, np.ndarray) and data.dtype.hasobject:
            raise ChunkError(
                f"a chunk of dtype {self.dtype} still holds objects after the filters {self.filters}; the "
                "array needs an object_codec"
            )
        nbytes = memoryview(flat(data)[0]).nbytes
        if nbytes > _OBJECTS_MAX:
            raise ChunkError(
                f"the objects of a chunk take {nbytes} bytes, at most {_OBJECTS_MAX} can be "
                "stored; choose smaller chunks"
            )
        return nbytes

    def decode(self, data: Any) -> np.ndarray[Any, Any]:
        """Return the chunk that `data` was made of, possibly read-only.

        Raises
        ------
        Exception
            Whatever a codec raises, or `ValueError` if what comes out has another size than a chunk.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.codecs import CodecChain, Zstd
        >>> chain = CodecChain((), (Zstd(),), np.dtype("i4"), (2, 2), "C")
        >>> chain.decode(chain.encode(np.ones((2, 2), dtype="i4"))).sum()
        np.int64(4)
        """
        if self.dtype.itemsize == 0:
            return np.zeros(self.chunk_shape, self.dtype)
        raw: Any = data
        limit = self.limit(len(data))
        codec = self.compressors[0] if len(self.compressors) == 1 else None
        if isinstance(codec, NativeCodec) and not self.filters and not self.dtype.hasobject:
            spec = codec.spec(self.dtype.itemsize)
            if len(data) > (most := native.limit(spec, self.nbytes)):
                raise ValueError(f"it has more than the {most} bytes that are possible")
            raw = native.decode(spec, data, self.nbytes)
        else:
            for codec in reversed(self.compressors):
                raw = checked.decode(codec, raw, limit)
        for codec in reversed(self.filters[1:]):
            raw = checked.decode(codec, raw, limit)
        for codec in self.filters[:1]:
            raw = checked.decode(codec, raw, self.items_limit)
        items = self._items(raw)
        return items.byteswap() if self.swapped else items

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
        return ", ".join([*names, *([repr(codec) for codec in self.compressors] or ["no compressor"])])
