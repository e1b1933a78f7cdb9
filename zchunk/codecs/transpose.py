"""Filters that only move the bytes of a chunk: axes in another order, items in another byte order.

In metadata of format 3 both are codecs of their own; what `order` and `swapped` of the model can say is not
said by these.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk.codecs.base import LimitedCodec, flat
from zchunk.errors import CodecError


def items_of(buf: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return what another codec made, an array or bytes, as the array of `dtype` and `shape` that it is.

    Raises
    ------
    ValueError
        It has another size.
    """
    if isinstance(buf, np.ndarray) and buf.dtype == dtype:
        if buf.shape == shape:
            return buf
        if buf.size == math.prod(shape):
            return buf.reshape(-1, order="A").reshape(shape)
        raise ValueError(f"it decodes to {buf.size} items, expected {math.prod(shape)}")
    if dtype.hasobject:
        found = buf.dtype if isinstance(buf, np.ndarray) else type(buf).__name__
        raise ValueError(f"it decodes to {found}, not to {dtype}")
    raw = flat(buf)[0]
    nbytes = math.prod(shape) * dtype.itemsize
    if memoryview(raw).nbytes != nbytes:
        raise ValueError(f"it decodes to {memoryview(raw).nbytes} bytes, expected {nbytes}")
    if not nbytes:
        return np.zeros(shape, dtype)
    return np.frombuffer(raw, np.uint8).view(dtype).reshape(shape)


class _Moves(LimitedCodec):
    """Base: a codec that is known by its parameters."""

    codec_id: str

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Transpose(_Moves):
    """Axes in another order.

    Parameters
    ----------
    order : tuple of int
        A permutation: axis i of what is stored is axis ``order[i]`` of what is encoded.
    shape : tuple of int
        Of what is encoded.
    dtype : numpy.dtype
        Of the items; they may be objects.
    """

    codec_id = "transpose"

    def __init__(self, order: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.order = order
        self.shape = shape
        self.dtype = dtype
        if sorted(order) != list(range(len(shape))):
            raise CodecError(f"codec 'transpose': order {order!r:.80} is no permutation of {len(shape)} axes")

    @property
    def encoded_shape(self) -> tuple[int, ...]:
        """Shape of what is stored."""
        return tuple(self.shape[axis] for axis in self.order)

    def encode(self, buf: Any) -> np.ndarray[Any, Any]:
        """Return the transposed items, in C order."""
        return np.asarray(items_of(buf, self.dtype, self.shape).transpose(self.order), order="C")

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the items as they were, an array of the decoded shape."""
        stored = items_of(buf, self.dtype, self.encoded_shape)
        items = stored.transpose([self.order.index(axis) for axis in range(len(self.order))])
        if out is None:
            return items
        out[...] = items
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        return {"id": self.codec_id, "order": list(self.order)}


class ByteSwap(_Moves):
    """Items in the other byte order than the machine's, where what comes before is not just moved.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items, in the byte order of the machine.
    """

    codec_id = "byteswap"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def encode(self, buf: Any) -> np.ndarray[Any, Any]:
        """Return the items swapped."""
        raw = flat(buf)[0]
        return np.frombuffer(raw, np.uint8).view(self.dtype).byteswap()

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the items swapped back."""
        items = self.encode(buf)
        if out is None:
            return items
        out[...] = items.reshape(out.shape)
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        return {"id": self.codec_id, "dtype": self.dtype.str}
