"""Values that users assign: to items of an array's dtype, and from there to the shape of a selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk._ext.selection.basic import Plan

_NUMPY = (np.ndarray, np.generic)


def convert(value: Any, dtype: np.dtype[Any], path: str, one: bool = False) -> np.ndarray[Any, Any]:
    """Return `value` as an array of `dtype`, converted as NumPy's assignment does.

    Parameters
    ----------
    value : array-like
        A number, a sequence, anything with a NumPy form.
    dtype : numpy.dtype
        Of the items to assign to.
    path : str
        Of the array that is assigned to, for the messages of errors.
    one : bool, optional
        One item is assigned to; if that is an object, it may be a list or an array.
    """
    if one and dtype.kind == "O":
        item = np.empty((), dtype)
        item[()] = value
        return item
    try:
        # A NumPy scalar stays one until it is converted: NumPy is stricter with it than with an array.
        if not isinstance(value, _NUMPY):
            if not hasattr(value, "__array__"):
                return _convert_object(value, dtype)
            value = np.asarray(value)
        if value.dtype == dtype or not dtype.itemsize:
            return np.asarray(value)
        # NumPy's rules for assigning one array to another, which differ from those of `astype`.
        items = np.empty(value.shape, dtype)
        items[...] = value
        return items
    except (ValueError, TypeError, OverflowError) as err:
        err.add_note(f"while converting what is assigned to array {'/' + path!r} to its dtype {dtype}")
        raise


def _convert_object(value: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.itemsize:
        return np.asarray(value, dtype)
    # NumPy takes a dtype of no bytes as "find out the size"; here only the shape matters.
    return np.asarray(value)


def broadcast(items: np.ndarray[Any, Any], plan: Plan, path: str) -> np.ndarray[Any, Any]:
    """Return `items` with the plan's shape, repeated without a copy, as NumPy's assignment does."""
    result = plan.broadcast(items)
    if result is None:
        raise ValueError(
            f"cannot assign values of shape {items.shape} to a selection of shape {plan.shape} of array "
            f"{'/' + path!r}"
        )
    return result
