"""What the values of an array are like: least, largest, mean, and how many are NaN or the fill value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zchunk.core.array import Array
from zchunk.runtime.progress import reporting_progress
from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.regions import regions


def of_array(array: Array, progress: bool = False) -> dict[str, Any]:
    """Return the statistics of an array, which is read piece by piece.

    Parameters
    ----------
    array : Array
        Of numbers or times.
    progress : bool, optional
        Show how far it is.

    Returns
    -------
    dict
        ``count``, ``nan``, ``fill``, ``min``, ``max``, and of real numbers ``mean`` and ``std``. Values that
        are NaN or NaT count for nothing but ``nan``.

    Examples
    --------
    >>> import zchunk
    >>> found = of_array(zchunk.array([1.0, 3.0, float("nan")]))
    >>> print(found["min"], found["max"], found["mean"], found["nan"])
    1.0 3.0 2.0 1
    """
    if array.dtype.kind not in "biufmMc":
        raise UsageError(f"--stats is for numbers and times, not for items of dtype {array.dtype}")
    ordered, real = array.dtype.kind != "c", array.dtype.kind in "biuf"
    count = nans = fills = 0
    least = largest = None
    mean = squares = 0.0
    with reporting_progress(progress, lambda: array.nbytes, "B") as advance:
        for region in regions(array):
            values = np.asarray(array[region])
            advance(values.nbytes)
            fills += _number_of(values, array.fill_value)
            bad = np.isnan(values) if values.dtype.kind in "fc" else _not_times(values)
            if bad is not None and bad.any():
                nans += int(np.count_nonzero(bad))
                values = values[~bad]
            if not values.size:
                continue
            if ordered:
                low, high = values.min(), values.max()
                least = low if least is None else min(least, low)
                largest = high if largest is None else max(largest, high)
            if real:
                # Means and sums of squares of two parts give those of both, without loss (Chan and others).
                part = values.astype("f8", copy=False)
                there, own = values.size, float(part.mean())
                step = own - mean
                squares += float(np.square(part - own).sum()) + step * step * count * there / (count + there)
                mean += step * there / (count + there)
            count += values.size
    found: dict[str, Any] = {"count": count, "nan": nans, "fill": fills}
    if ordered:
        found |= {"min": least, "max": largest}
    if real:
        found |= {"mean": mean if count else None, "std": math.sqrt(squares / count) if count else None}
    return found


def _number_of(values: np.ndarray[Any, Any], fill: Any) -> int:
    if fill is None:
        return 0
    if fill != fill:
        return int(np.count_nonzero(values != values))
    return int(np.count_nonzero(values == fill))


def _not_times(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    return np.isnat(values) if values.dtype.kind in "mM" else None
