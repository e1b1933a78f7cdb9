"""Rounding of numbers to integers, and of integers to fewer bits, in the five ways that `cast_value` names.

Everything is exact: no number is rounded on the way to where it is rounded to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MODES = ("nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away")

_Array = np.ndarray[Any, Any]


def round_floats(values: _Array, mode: str) -> _Array:
    """Return float64 values rounded to whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> round_floats(np.array([-2.5, 0.5, 1.5]), "nearest-even")
    array([-2.,  0.,  2.])
    >>> round_floats(np.array([-2.5, 0.5, 1.5]), "nearest-away")
    array([-3.,  1.,  2.])
    """
    match mode:
        case "nearest-even":
            return np.rint(values)
        case "towards-zero":
            return np.trunc(values)
        case "towards-positive":
            return np.ceil(values)
        case "towards-negative":
            return np.floor(values)
    whole = np.trunc(values)
    # Adding a half first would round what is just below it.
    away = np.abs(values - whole) >= 0.5
    found: _Array = whole + np.copysign(away, values)
    return found


def bit_lengths(values: _Array) -> _Array:
    """Return how many bits values of uint64 have, as uint64: 0 has none.

    Examples
    --------
    >>> import numpy as np
    >>> bit_lengths(np.array([0, 1, 255, 2**64 - 1], dtype="u8"))
    array([ 0,  1,  8, 64], dtype=uint64)
    """
    # By halves, which float64 has exactly.
    high, low = values >> np.uint64(32), values & np.uint64(2**32 - 1)
    upper, lower = (np.frexp(half.astype(np.float64))[1] for half in (high, low))
    return np.where(high > 0, upper + 32, lower).astype(np.uint64)


def drop_bits(values: _Array, counts: _Array, mode: str, negative: _Array | None = None) -> _Array:
    """Return values of uint64 without their lowest bits, rounded: a value of n bits has at most one more.

    Parameters
    ----------
    values : array of uint64
        Magnitudes.
    counts : array of uint64
        How many bits to drop from each, at most 63.
    mode : str
        One of `MODES`.
    negative : array of bool, optional
        Which values stand for negative numbers.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.full(3, 2, dtype="u8")
    >>> drop_bits(np.array([5, 6, 14], dtype="u8"), counts, "nearest-even")
    array([1, 2, 4], dtype=uint64)
    """
    one = np.uint64(1)
    kept = values >> counts
    rest = values - (kept << counts)
    half = (one << counts) >> one
    match mode:
        case "nearest-even":
            up = (rest > half) | ((rest == half) & (kept & one == one))
        case "nearest-away":
            up = rest >= half
        case "towards-zero":
            up = np.zeros(values.shape, bool)
        case _:
            below = np.zeros(values.shape, bool) if negative is None else negative
            up = below if mode == "towards-negative" else ~below
    # What is exact stays.
    found: _Array = kept + (up & (rest > 0)).astype(np.uint64)
    return found
