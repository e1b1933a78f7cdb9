"""Encoding keeps the values of variables, or fails: no number overflows, and no time changes its units.

xarray casts any number to the stored dtype. And where times have no exact form in the units of the encoding,
xarray takes finer units: an array that is in the store already would be read in its own, coarser units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from xarray import Variable

from zchunk.wings.xarray import xarray_internals

_TIME_ATTRIBUTES = ("units", "calendar")


def encode_exactly(variable: Variable, name: object, encode: Callable[[Variable, Any], Variable]) -> Variable:
    """Return a variable encoded for the store, if its encoding can hold all items.

    Raises
    ------
    ValueError
        The dtype cannot hold a number, or a time in memory. For dask arrays, computing raises it.
    """
    encoded = encode(_within_packed(variable, name), name)
    if _is_time(variable):
        _check_times(variable, encoded, encoded.attrs, name)
    return encoded


def encoding_of(stored: Variable, raw: Variable, variable: Variable) -> dict[Any, Any]:
    """Return the encoding of the array in the store, for a variable that is written to it.

    xarray decodes durations only when asked to, and otherwise does not know their units.
    """
    found: dict[Any, Any] = stored.encoding
    if variable.dtype.kind != "m" or "units" in found or "units" not in raw.attrs:
        return found
    return found | {"units": raw.attrs["units"], "dtype": raw.dtype}


def check_as_stored(variable: Variable, encoded: Variable, raw: Variable, name: object) -> Variable:
    """Return an encoded variable, if the array in the store gives it the same meaning.

    Parameters
    ----------
    variable, encoded : Variable
        The variable before and after.
    raw : Variable
        The array in the store, not decoded.
    name : hashable
        Name of the variable.

    Raises
    ------
    ValueError
        The meaning would change.
    """
    stored = raw.attrs
    if _is_time(variable):
        _check_times(variable, encoded, stored, name)
    elif " since " in str(stored.get("units", "")) and stored["units"] != encoded.attrs.get("units"):
        raise ValueError(
            f"variable {name!r} holds times in the store, in {stored['units']!r}, and {variable.dtype} here"
        )
    if encoded.dtype != raw.dtype and encoded.dtype.kind in "iuf" and raw.dtype.kind in "iuf":
        return _mapped(encoded, partial(_check_range, name=name, dtype=raw.dtype))
    return encoded


# ---- numbers


def _within_packed(variable: Variable, name: object) -> Variable:
    """Return a variable whose numbers are checked before they are packed."""
    encoding = variable.encoding
    if encoding.get("dtype") is None or variable.dtype.kind not in "iuf":
        return variable
    try:
        dtype = np.dtype(encoding["dtype"])
    except TypeError:
        return variable
    if encoding.get("_Unsigned") == "true" and dtype.kind == "i":
        dtype = np.dtype(f"u{dtype.itemsize}")
    packing = {"scale": encoding.get("scale_factor", 1), "offset": encoding.get("add_offset", 0)}
    if dtype.kind not in "iuf" or (dtype == variable.dtype and packing == {"scale": 1, "offset": 0}):
        return variable
    return _mapped(variable, partial(_check_range, name=name, dtype=dtype, **packing))


def _mapped(variable: Variable, check: Callable[[Any], Any]) -> Variable:
    """Return a variable whose items are checked: now if they are in memory, else when they are read."""
    if variable._in_memory:
        check(variable.values)
        return variable
    data = xarray_internals.map_lazily(variable._data, check, variable.dtype)
    return Variable(variable.dims, data, variable.attrs, variable.encoding, fastpath=True)


def _check_range(
    data: object, name: object, dtype: np.dtype[Any], scale: object = 1, offset: object = 0
) -> Any:
    """Return some items, if a dtype can hold them once they are packed."""
    items = np.asarray(data)
    # Two items are enough, without a copy of all: packing keeps the order, or reverses it.
    finite = items if items.dtype.kind != "f" else items[~np.isnan(items)]
    if not finite.size:
        return data
    extremes = np.array([finite.min(), finite.max()])
    if (scale, offset) != (1, 0):
        extremes = (extremes.astype("f8") - offset) / scale
    if dtype.kind == "f":
        limits: Any = np.finfo(dtype)
        wrong = np.isfinite(extremes) & ~((extremes >= limits.min) & (extremes <= limits.max))
    else:
        limits = np.iinfo(dtype)
        if extremes.dtype.kind == "f":
            extremes = np.around(extremes)
        wrong = np.array([not limits.min <= value <= limits.max for value in extremes.tolist()])
    if wrong.any():
        how = f", packed with scale_factor {scale} and add_offset {offset}"
        packed = "" if (scale, offset) == (1, 0) else how
        raise ValueError(
            f"variable {name!r} has items from {finite.min()} to {finite.max()}{packed}, which dtype {dtype} "
            "cannot hold: give a larger dtype, or another scale_factor, as its encoding"
        )
    return data


# ---- times


def _is_time(variable: Variable) -> bool:
    if variable.dtype.kind in "mM":
        return True
    return variable.dtype.kind == "O" and xarray_internals.is_cftime(variable)


def _check_times(variable: Variable, encoded: Variable, attrs: Mapping[Any, Any], name: object) -> None:
    """Raise `ValueError` if encoded times change their values when they are read with these attributes."""
    if encoded.chunks is not None or encoded.dtype.kind not in "iuf" or "units" not in attrs:
        # xarray raises for dask arrays, when they are computed.
        return
    alike = all(attrs.get(key) == encoded.attrs.get(key) for key in _TIME_ATTRIBUTES)
    if encoded.dtype.kind == "f" and alike:
        # The caller chose floats, and so accepts that they round.
        return
    names = (*_TIME_ATTRIBUTES, "_FillValue", "missing_value", "dtype")
    kept = {key: attrs[key] for key in names if key in attrs}
    raw = Variable(encoded.dims, encoded.values, kept)
    try:
        found = xarray_internals.conventions.decode_cf_variable(name, raw, decode_timedelta=True).values
    except (ValueError, OverflowError):
        found = None
    wanted = variable.values
    if found is not None and found.dtype.kind == wanted.dtype.kind:
        same = (found == wanted) | ((found != found) & (wanted != wanted))
        if bool(np.all(same)):
            return
    finer = encoded.attrs.get("units")
    raise ValueError(
        f"times of variable {name!r} have no exact form in the units {attrs['units']!r} as {encoded.dtype}: "
        f"write all of it with encoding={{{name!r}: {{'units': {finer!r}, 'dtype': 'int64'}}}}"
    )
