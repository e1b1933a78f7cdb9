"""Filters that only move the bytes of a chunk: axes in another order or of other lengths, another byte order.

In metadata of format 3 they are codecs of their own; what `order` and `swapped` of the model can say is not
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


class Reshape(_Moves):
    """The same items in C order, along other axes.

    Parameters
    ----------
    sizes : tuple
        Of each stored axis: its length, -1 for what is left, or a tuple of the axes whose place it takes.
    shape : tuple of int
        Of what is encoded.
    dtype : numpy.dtype
        Of the items; they may be objects.

    Raises
    ------
    CodecError
        There are other numbers of items, or axes in another order.
    """

    codec_id = "reshape"

    def __init__(
        self, sizes: tuple[int | tuple[int, ...], ...], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.sizes = sizes
        self.shape = shape
        self.dtype = dtype
        self.encoded_shape = _reshaped(sizes, shape)

    def encode(self, buf: Any) -> np.ndarray[Any, Any]:
        """Return the items along the other axes, in C order."""
        return np.asarray(items_of(buf, self.dtype, self.shape), order="C").reshape(self.encoded_shape)

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the items as they were, an array of the decoded shape."""
        items = items_of(buf, self.dtype, self.encoded_shape).reshape(self.shape)
        if out is None:
            return items
        out[...] = items
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        return {"id": self.codec_id, "shape": [list(n) if isinstance(n, tuple) else n for n in self.sizes]}


def _reshaped(sizes: tuple[int | tuple[int, ...], ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of the stored axes; `CodecError` if there are none such."""
    said = f"codec 'reshape': shape {[list(n) if isinstance(n, tuple) else n for n in sizes]!r:.80}"
    axes = [axis for n in sizes if isinstance(n, tuple) for axis in n]
    if axes != sorted(set(axes)) or not set(axes) <= set(range(len(shape))):
        raise CodecError(f"{said}: axes are each of the {len(shape)} at most once, in their order")
    found = [math.prod(shape[axis] for axis in n) if isinstance(n, tuple) else n for n in sizes]
    if -1 in found:
        at = found.index(-1)
        found[at] = math.prod(shape) // max(math.prod(found[:at] + found[at + 1 :]), 1)
    if math.prod(found) != math.prod(shape):
        raise CodecError(f"{said} has another number of items than {shape}")
    for at, n in enumerate(sizes):
        if isinstance(n, tuple) and n and math.prod(found[:at]) != math.prod(shape[: n[0]]):
            raise CodecError(f"{said}: axis {at} is not made of the axes {list(n)} of {shape}")
    return tuple(found)


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
