"""The codec ``packbits`` of format 3: items of a few bits side by side, without the bits between them.

It is not numcodecs' codec of this name, which packs nothing but booleans, in another order of bits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from zchunk.codecs.base import flat
from zchunk.codecs.bound import BoundCodec, items_in
from zchunk.errors import CodecError
from zchunk.spec.dtypes import bits_of, is_complex, is_integer, is_ml

_Array = np.ndarray[Any, Any]
PADDINGS = ("none", "first_byte", "last_byte")
# Items that are unpacked at once, to a byte for every bit. A multiple of 8, so that their bits fill bytes.
_AT_ONCE = 1 << 16


class PackBits(BoundCodec):
    """Items as bits.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items: booleans, numbers.
    size : int
        Number of items in a chunk.
    padding : {"none", "first_byte", "last_byte"}
        Where the number of bits is stored that fill the last byte.
    first_bit, last_bit : int or None
        The bits that are stored of every item, or of each part of a complex number, from the lowest, 0.
    configuration : dict
        The parameters as JSON.

    Raises
    ------
    CodecError
        Items have no such bits.
    """

    codec_id = "packbits"
    serializes = True

    def __init__(
        self,
        dtype: np.dtype[Any],
        size: int,
        padding: str,
        first_bit: int | None,
        last_bit: int | None,
        configuration: dict[str, Any],
    ) -> None:
        super().__init__(dtype, configuration)
        self.size = size
        self.padding = padding
        if dtype.kind not in "biufc" and not is_ml(dtype):
            raise CodecError(f"codec 'packbits' packs booleans and numbers, not {dtype}")
        parts = 2 if is_complex(dtype) else 1
        self._part_nbytes = dtype.itemsize // parts
        self._count = size * parts
        self._has_sign = is_integer(dtype) and dtype.name[0] == "i"
        self._bits = bits_of(dtype) // parts
        self._first = 0 if first_bit is None else first_bit
        self._last = self._bits - 1 if last_bit is None else last_bit
        if not 0 <= self._first <= self._last < self._bits:
            raise CodecError(
                f"codec 'packbits': there are no bits {self._first} to {self._last} in items of {dtype}, "
                f"which have {self._bits}"
            )

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.size

    @property
    def _width(self) -> int:
        """Bits that are stored of an item."""
        return self._last - self._first + 1

    @property
    def _filling(self) -> int:
        """Bits that fill the last byte."""
        return -self._count * self._width % 8

    @property
    def nbytes(self) -> int:
        """Bytes of a chunk that is packed."""
        return (self._count * self._width + 7) // 8 + (self.padding != "none")

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, self._count, _AT_ONCE):
            yield slice(start, min(start + _AT_ONCE, self._count))

    def encode(self, buf: Any) -> bytes:
        """Return the bits of the items, in the order in which these lie in memory."""
        items = items_in(buf, self.dtype)
        if items.size != self.size:
            raise ValueError(f"codec 'packbits' gets {items.size} items of {self.size}")
        raw = _little(items.view(np.uint8).reshape(self._count, self._part_nbytes))
        packed = []
        for block in self._blocks():
            bits = np.unpackbits(raw[block], axis=1, bitorder="little")[:, self._first : self._last + 1]
            packed.append(np.packbits(bits, bitorder="little").tobytes())
        filling = bytes([self._filling])
        match self.padding:
            case "first_byte":
                packed.insert(0, filling)
            case "last_byte":
                packed.append(filling)
        return b"".join(packed)

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return the items, one after the other.

        Raises
        ------
        ValueError
            The bytes are not those of so many items.
        """
        data = np.frombuffer(flat(buf)[0], np.uint8)
        if data.size != self.nbytes:
            raise ValueError(f"it has {data.size} bytes, {self.size} items are packed to {self.nbytes}")
        if self.padding != "none":
            at = 0 if self.padding == "first_byte" else -1
            if data[at] != self._filling:
                raise ValueError(f"it says that {data[at]} bits are filling, not {self._filling}")
            data = data[1:] if at == 0 else data[:-1]
        raw = np.empty((self._count, self._part_nbytes), np.uint8)
        for block in self._blocks():
            self._unpack(data[block.start * self._width // 8 :], raw[block])
        items = _little(raw).reshape(-1).view(self.dtype)
        if out is None:
            return items
        out[...] = items.reshape(out.shape)
        return out

    def _unpack(self, data: _Array, raw: _Array) -> None:
        """Fill the bytes of items from the bits at the beginning of `data`."""
        count = len(raw)
        found = np.unpackbits(data, bitorder="little", count=count * self._width).reshape(count, self._width)
        bits = np.zeros((count, 8 * self._part_nbytes), np.uint8)
        bits[:, self._first : self._last + 1] = found
        if self._has_sign:
            bits[:, self._last + 1 : self._bits] = found[:, -1:]
        raw[...] = np.packbits(bits, axis=1, bitorder="little")


def _little(raw: _Array) -> _Array:
    """Return the bytes of items, a row for each, from the machine's order to the lowest first, or back."""
    return raw if sys.byteorder == "little" else raw[:, ::-1]
