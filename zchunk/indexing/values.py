"""Values that users assign: to items of an array's dtype, and from there to the shape of a selection.

NumPy's rules for an assignment hold, with three differences, where those would store what nobody meant: a
mapping is no data; masked items get the fill value; and where items are arrays or other objects, the number
of axes and the codec say which sequences are items, not whether these happen to be of one length.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from zchunk._ext.selection.slices import Plan
from zchunk.indexing.arranged import Arranged
from zchunk.runtime.callers import caller_level
from zchunk.spec.fill_values import is_masked

_NUMPY = (np.ndarray, np.generic)
# A number is neither masked nor a mapping, nor has it items: what is looked for in other values.
_NUMBERS = frozenset({bool, int, float, complex})


def convert(
    value: Any,
    dtype: np.dtype[Any],
    path: str,
    one: bool = False,
    *,
    ndim: int | None = None,
    object_codec: str | None = None,
    fill_value: Any = None,
) -> np.ndarray[Any, Any]:
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
    ndim : int, optional
        Number of axes that are assigned to, if it is known: sequences that lie deeper are items.
    object_codec : str, optional
        Name of the codec of the items, if they are objects.
    fill_value : scalar, optional
        What the masked items of a masked array become. A single masked value becomes NaN.

    Raises
    ------
    TypeError, ValueError, OverflowError
        The value cannot be converted. A mapping cannot, nor can a masked value if there is nothing to store
        in its place.
    """
    if type(value) is np.ndarray and value.dtype == dtype:
        return value
    try:
        if type(value) in _NUMBERS and dtype.kind in "biufc":
            return np.asarray(value, dtype)
        if is_masked(value):
            value = _unmasked(value, dtype, fill_value)
        if one and dtype.kind == "O":
            if object_codec == "vlen-utf8" and isinstance(value, np.ndarray) and not value.ndim:
                value = value[()]
            item = np.empty((), dtype)
            item[()] = value
            return item
        # A NumPy scalar stays one until it is converted: NumPy is stricter with it than with an array.
        if not isinstance(value, _NUMPY):
            check_data(value, dtype)
            if not hasattr(value, "__array__"):
                return _convert_object(value, dtype, ndim, object_codec)
            value = np.asarray(value)
        if value.dtype.kind == "T":
            _check_not_missing(value)
        if value.dtype == dtype or not dtype.itemsize:
            return np.asarray(value)
        if dtype.kind == "O" and object_codec == "vlen-array":
            return ragged(value)
        # NumPy's rules for assigning one array to another, which differ from those of `astype`.
        items = np.empty(value.shape, dtype)
        items[...] = value
        return items
    except (ValueError, TypeError, OverflowError) as err:
        err.add_note(f"while converting what is assigned to array {'/' + path!r} to its dtype {dtype}")
        raise


def check_data(value: object, dtype: np.dtype[Any] | None = None) -> None:
    """Raise `TypeError` if `value`, or the first item of a list, is a group or another mapping.

    NumPy takes the keys of a mapping for the items of a sequence. A dict is one value to it, which can be an
    item if the `dtype` is known.
    """
    while isinstance(value, list | tuple) and value:
        value = value[0]
    kind = type(value)
    # Groups of zarr 3 are no `Mapping`; data frames have keys, but also a NumPy form.
    grouped = hasattr(kind, "attrs") and hasattr(kind, "keys") and not hasattr(kind, "__array__")
    if not grouped and not isinstance(value, Mapping):
        return
    if isinstance(value, dict) and dtype is not None:
        return
    raise TypeError(
        f"a {kind.__name__} is no array, only its members are: copy a group with zchunk.copy, and save the "
        "arrays in a mapping with zchunk.save(store, **mapping)"
    )


def _check_not_missing(texts: Any) -> None:
    """Raise `ValueError` if texts of NumPy's `StringDType` are missing: Zarr has no such texts."""
    missing = getattr(texts.dtype, "na_object", "")
    # One that is a text stands for itself.
    if not isinstance(missing, str) and not all(isinstance(text, str) for text in texts.astype(object).flat):
        raise ValueError(
            f"some texts are missing (they are {missing!r}), which no array stores: put texts in their place"
        )


def _convert_object(
    value: object, dtype: np.dtype[Any], ndim: int | None, object_codec: str | None
) -> np.ndarray[Any, Any]:
    if object_codec == "vlen-array":
        return ragged(value)
    # Text and bytes are no sequences of items.
    if dtype.kind == "O" and ndim is not None and object_codec not in ("vlen-utf8", "vlen-bytes"):
        items = nested(value, ndim)
        if items is not None:
            return items
    if dtype.itemsize:
        return np.asarray(value, dtype)
    # NumPy takes a dtype of no bytes as "find out the size"; here only the shape matters.
    return np.asarray(value)


# ---- masked values


def _unmasked(value: np.ma.MaskedArray[Any, Any], dtype: np.dtype[Any], fill_value: Any) -> Any:
    """Return the items of a masked array, with something of `dtype` in the place of masked ones."""
    if not value.ndim and value.dtype.names is None:
        if dtype.kind not in "fc":
            raise ValueError(f"a masked value has no form in dtype {dtype}: assign a value")
        warnings.warn("a masked value is stored as NaN", UserWarning, stacklevel=caller_level())
        return np.asarray(np.nan, dtype)
    if fill_value is None:
        raise ValueError("masked items cannot be stored in an array without a fill value: use their filled()")
    # What lies below a mask may be no value of the dtype.
    zero: Any = np.zeros((), value.dtype)[()]
    plain = value.filled(zero)
    items = np.empty(value.shape, dtype)
    items[...] = plain
    return np.ma.MaskedArray(items, np.ma.getmask(value)).filled(fill_value)


# ---- objects


def nested(value: Any, ndim: int) -> np.ndarray[Any, Any] | None:
    """Return an array of `ndim` axes whose items are what lies so deep in nested sequences.

    None if they are not nested so deep.

    Raises
    ------
    ValueError
        Sequences that are the axes have different lengths.
    """
    lengths: list[int] = []
    level = [value]
    for _ in range(ndim):
        if not all(map(_has_items, level)):
            return None
        found = {len(part) for part in level} or {0}
        if len(found) != 1:
            raise ValueError(
                f"sequences of {', '.join(map(str, sorted(found)[:9]))} items are no axis of an array"
            )
        lengths += found
        level = [item for part in level for item in part]
    items = np.empty(len(level), object)
    for i, item in enumerate(level):
        items[i] = item
    return items.reshape(lengths)


def _has_items(value: object) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def ragged(data: Any) -> np.ndarray[Any, Any]:
    """Return an array whose items are the sequences that lie deepest in nested ones, whatever their lengths.

    Raises
    ------
    ValueError
        They are not equally deep.
    """
    if isinstance(data, np.ndarray) and data.dtype == object:
        return data
    depth, first = 0, data
    while isinstance(first, list | tuple) and first:
        first, depth = first[0], depth + 1
    # One that is empty is an item; at the top it is an array without items.
    depth += max(np.ndim(first), 1 + (not depth)) if np.size(first) == 0 else np.ndim(first)
    items = nested(data, max(depth - 1, 0))
    if items is None:
        raise ValueError("the items of an array of arrays are sequences of numbers, equally deep in lists")
    return items


# ---- shapes


def broadcast(items: np.ndarray[Any, Any], plan: Plan | Arranged, path: str) -> np.ndarray[Any, Any]:
    """Return `items` with the plan's shape, repeated without a copy, as NumPy's assignment does."""
    result = plan.broadcast(items)
    if result is None:
        raise ValueError(
            f"cannot assign values of shape {items.shape} to a selection of shape {plan.shape} of array "
            f"{'/' + path!r}"
        )
    return result
