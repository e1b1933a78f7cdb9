"""The sharding codec, where a shard is decoded whole: when it is not all that a chunk passes.

A chunk that is a shard and nothing else has no such codec: its inner chunks are found by `ShardIndex` and
are read and written one by one. Both have the same bytes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from zchunk.codecs.base import LimitedCodec, flat
from zchunk.codecs.shard_index import EMPTY, ShardFormat, ShardIndex, chain_of
from zchunk.codecs.transpose import items_of
from zchunk.spec.fill_values import fill_bytes, holds_only, object_fill


class ShardingCodec(LimitedCodec):
    """An array as a shard: inner chunks and an index.

    Parameters
    ----------
    format : ShardFormat
        How the shard is stored.
    """

    codec_id = "sharding_indexed"

    def __init__(self, format: ShardFormat) -> None:
        self.format = format
        self.index = ShardIndex(format)
        inner = format.inner
        self._inner: Any = ShardingCodec(inner.shards) if inner.shards is not None else chain_of(inner)

    def _chunks(self) -> Iterator[tuple[int, tuple[int, ...], tuple[slice, ...]]]:
        """Yield number, coordinates and place of every inner chunk."""
        chunk_shape = self.format.inner.chunk_shape
        for number, coords in enumerate(itertools.product(*map(range, self.index.shape))):
            yield number, coords, tuple(
                slice(i * c, (i + 1) * c) for i, c in zip(coords, chunk_shape, strict=True)
            )

    def encode(self, buf: Any) -> bytes:
        """Return the shard of an array; inner chunks that are nothing but fill are left out."""
        inner = self.format.inner
        shard = items_of(buf, inner.dtype, inner.shape)
        entries = np.full((math.prod(self.index.shape), 2), EMPTY, np.uint64)
        parts: list[bytes] = []
        end = self.index.nbytes if self.index.location == "start" else 0
        for number, _, place in self._chunks():
            # Without axes, NumPy would give the item itself: text without its padding, for instance.
            chunk = shard[place] if place else shard
            if self._is_empty(chunk):
                continue
            data = bytes(self._inner.encode(chunk))
            entries[number] = end, len(data)
            end += len(data)
            parts.append(data)
        encoded = self.index.encode(entries)
        return b"".join([encoded, *parts] if self.index.location == "start" else [*parts, encoded])

    def _is_empty(self, chunk: np.ndarray[Any, Any]) -> bool:
        inner = self.format.inner
        if inner.fill_value is None:
            return False
        if inner.dtype.hasobject:
            return holds_only(chunk, inner.fill_value)
        # Bits, not values: -0.0 is not 0.0, and NaN equals itself.
        return chunk.tobytes() == fill_bytes(inner.fill_value, inner.dtype) * chunk.size

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the array of a shard.

        Raises
        ------
        ValueError
            The index is damaged, or an inner chunk, which the message names.
        """
        inner = self.format.inner
        data = memoryview(flat(buf)[0]).cast("B")
        start, stop = self.index.span(len(data))
        entries = self.index.decode(data[start:stop], len(data)).tolist()
        shard = np.empty(inner.shape, inner.dtype) if out is None else out
        for number, coords, place in self._chunks():
            offset, nbytes = entries[number]
            if offset == EMPTY:
                shard[place] = self._fill()
                continue
            try:
                shard[place] = self._inner.decode(data[offset : offset + nbytes])
            # Codecs may object in any way.
            except Exception as err:
                raise ValueError(f"inner chunk {coords} of a shard: {err}") from err
        return shard

    def _fill(self) -> np.ndarray[Any, Any]:
        fill, dtype = self.format.inner.fill_value, self.format.inner.dtype
        if dtype.hasobject:
            return object_fill(fill, dtype)
        raw = np.frombuffer(fill_bytes(fill, dtype), np.uint8)
        return raw.view(dtype).reshape(()) if dtype.itemsize else np.zeros((), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        inner = self.format.inner
        return {
            "id": self.codec_id,
            "chunk_shape": list(inner.chunk_shape),
            "codecs": [codec.get_config() for codec in inner.filters + inner.compressors],
            "index_location": self.format.location,
        }

    def __repr__(self) -> str:
        inner = self.format.inner
        chain = self._inner if inner.shards is None else (self._inner,)
        return f"ShardingCodec(chunk_shape={inner.chunk_shape}, codecs=({chain!r}))"
