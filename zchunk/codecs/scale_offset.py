"""The codec ``scale_offset`` of format 3: ``(item - offset) * scale``, in the arithmetic of the items' dtype.

What that cannot hold is an error, not another number: integers that are too large, and stored integers that
`scale` does not divide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.codecs.bound import ItemCodec
from zchunk.errors import CodecError

_Array = np.ndarray[Any, Any]


class ScaleOffset(ItemCodec):
    """Items less an offset, times a scale.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the items: integers or floats of NumPy.
    offset, scale : numpy scalar
        Of this dtype. The scale is not zero.
    configuration : dict
        The parameters as JSON.

    Raises
    ------
    CodecError
        The dtype has no such arithmetic, or the scale is zero.
    """

    codec_id = "scale_offset"

    def __init__(self, dtype: np.dtype[Any], offset: Any, scale: Any, configuration: dict[str, Any]) -> None:
        super().__init__(dtype, configuration, dtype)
        self.offset = offset
        self.scale = scale
        if scale == 0:
            raise CodecError("codec 'scale_offset': scale is 0, by which nothing can be decoded")

    def _encode(self, items: _Array) -> _Array:
        if self.dtype.kind in "iu":
            self._check(items, lambda item: (item - int(self.offset)) * int(self.scale))
        # Of integers the result fits, so that it is right even if a step on the way wraps.
        with np.errstate(all="ignore"):
            scaled: _Array = (items - self.offset) * self.scale
        return scaled

    def _decode(self, items: _Array) -> _Array:
        with np.errstate(all="ignore"):
            if self.dtype.kind in "iu":
                self._check_stored(items)
                found: _Array = items // self.scale + self.offset
            else:
                found = items / self.scale + self.offset
        return found

    def _check_stored(self, items: _Array) -> None:
        wrong = items % self.scale != 0
        if wrong.any():
            item = items[wrong][0]
            raise ValueError(
                f"codec 'scale_offset': {item} is stored, the scale {self.scale} does not divide it"
            )
        self._check(items, lambda item: item // int(self.scale) + int(self.offset))

    def _check(self, items: _Array, formula: Any) -> None:
        """Raise `ValueError` if the result of a formula that rises or falls does not fit the dtype."""
        if not items.size:
            return
        limits = np.iinfo(self.dtype)
        for item in (int(items.min()), int(items.max())):
            result = formula(item)
            if not limits.min <= result <= limits.max:
                raise ValueError(
                    f"codec 'scale_offset': {item} becomes {result} by offset {self.offset} and scale "
                    f"{self.scale}, which {self.dtype} cannot hold"
                )
