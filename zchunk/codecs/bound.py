"""The base of codecs that only format 3 has, which are bound to the items that they encode.

Their metadata name no dtype: it follows from where in a chain they stand. So a codec is made from its
configuration and the dtype there, and keeps the configuration as it was given, to be stored again.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from zchunk.codecs.base import LimitedCodec, flat


def items_in(buf: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return the bytes of `buf`, as they lie in memory, as items of `dtype`; those of an array, too.

    Raises
    ------
    ValueError
        They are no whole number of items.
    """
    raw = flat(buf)[0]
    nbytes = memoryview(raw).nbytes
    if nbytes % dtype.itemsize:
        raise ValueError(f"{nbytes} bytes are no whole number of items of {dtype}")
    return np.frombuffer(raw, np.uint8).view(dtype) if nbytes else np.empty(0, dtype)


def _in_c_order(buf: Any) -> Any:
    # A transposition leaves items where they are.
    return np.ascontiguousarray(buf) if isinstance(buf, np.ndarray) else buf


class BoundCodec(LimitedCodec):
    """Base: a codec of items of one dtype, known by its configuration in format 3.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items that are encoded, in the byte order of the machine.
    configuration : dict
        The parameters, as JSON of format 3.
    """

    codec_id: str
    # Whether it is from array to bytes.
    serializes = False

    def __init__(self, dtype: np.dtype[Any], configuration: dict[str, Any]) -> None:
        self.dtype = dtype
        self._configuration = deepcopy(configuration)

    def encode(self, buf: Any) -> Any:
        """Return what is stored of items."""
        raise NotImplementedError

    @property
    def configuration(self) -> dict[str, Any]:
        """The parameters, as JSON of format 3."""
        return deepcopy(self._configuration)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        return {"id": self.codec_id, **self.configuration}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        # The text tells 1 from 1.0, as the metadata do.
        return type(self), self.dtype, repr(self._configuration)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._configuration.items())})"


class ItemCodec(BoundCodec):
    """Base: a codec from array to array that turns every item into another one.

    Parameters
    ----------
    dtype, configuration
        See `BoundCodec`.
    encoded : numpy.dtype
        Of the items that are stored.
    """

    def __init__(self, dtype: np.dtype[Any], configuration: dict[str, Any], encoded: np.dtype[Any]) -> None:
        super().__init__(dtype, configuration)
        self.encoded = encoded

    def encode(self, buf: Any) -> np.ndarray[Any, Any]:
        """Return the items to store, one after the other; those of an array in C order."""
        return self._encode(items_in(_in_c_order(buf), self.dtype))

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the items as they were, one after the other."""
        stored = items_in(_in_c_order(buf), self.encoded)
        if limit is not None and stored.size * self.dtype.itemsize > limit:
            raise ValueError(f"{stored.size} items of {self.dtype} take more than the {limit} bytes possible")
        items = self._decode(stored)
        if out is None:
            return items
        out[...] = items.reshape(out.shape)
        return out

    def _encode(self, items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def _decode(self, items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raise NotImplementedError
