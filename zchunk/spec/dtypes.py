"""NumPy dtypes: which of them arrays can have, and their JSON in Zarr v2 metadata.

What zarr 2.18 writes is written byte for byte; unnamed padding of a structured dtype is read back as padding
rather than as an extra field.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import numpy as np

from zchunk.errors import MetadataError

MAX_ITEMSIZE = 2**31 - 1
_MAX_DEPTH = 32

# NumPy's text of any length, which NumPy has from version 2.0 on.
STRINGS: np.dtype[Any] | None = getattr(getattr(np, "dtypes", None), "StringDType", lambda: None)()

# NumPy's own parser is wider: it takes comma strings, aliases and Python names, which no writer stores.
_TYPESTR = re.compile(
    r"[<>|](b1|[iu]1|[SUV][0-9]{1,10})"
    r"|[<>]([iu][248]|f2|f4|f8|f12|f16|c8|c16|c24|c32)"
    r"|[<>][mM]8\[([1-9][0-9]{0,9})?(Y|M|W|D|h|m|s|ms|us|μs|ns|ps|fs|as)\]",
    re.ASCII,
)


# Of the package ml_dtypes, which registers them with NumPy; format 3 has names for them. Items of less than
# 8 bits lie in a byte each, and what else is in it means nothing.
_ML_INTEGERS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4}
_ML_BITS = _ML_INTEGERS | {"float4_e2m1fn": 4, "float6_e2m3fn": 6, "float6_e3m2fn": 6}
ML_COMPLEX = frozenset({"complex32", "bcomplex32"})
ML_NAMES = ML_COMPLEX | frozenset(
    {
        *_ML_BITS,
        "bfloat16",
        "float8_e3m4",
        "float8_e4m3",
        "float8_e4m3b11fnuz",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
        "float8_e8m0fnu",
    }
)


def is_ml(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is one of those of ml_dtypes that format 3 has."""
    return dtype.isbuiltin == 2 and dtype.name in ML_NAMES


def is_integer(dtype: np.dtype[Any]) -> bool:
    """Whether items are integers, of NumPy or of ml_dtypes."""
    return dtype.kind in "iu" or (is_ml(dtype) and dtype.name in _ML_INTEGERS)


def is_complex(dtype: np.dtype[Any]) -> bool:
    """Whether items are complex numbers, of NumPy or of ml_dtypes."""
    return dtype.kind == "c" or (is_ml(dtype) and dtype.name in ML_COMPLEX)


def integer_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the least and the greatest integer of a dtype of integers.

    Examples
    --------
    >>> import numpy as np
    >>> integer_limits(np.dtype("i1"))
    (-128, 127)
    """
    bits = bits_of(dtype)
    if dtype.name.startswith("u"):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def bits_of(dtype: np.dtype[Any]) -> int:
    """Return how many bits of an item mean something.

    Examples
    --------
    >>> import numpy as np
    >>> bits_of(np.dtype("?")), bits_of(np.dtype("c8"))
    (1, 64)
    """
    if dtype.kind == "b":
        return 1
    return _ML_BITS.get(dtype.name, 8 * dtype.itemsize) if is_ml(dtype) else 8 * dtype.itemsize


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `ValueError` if arrays of `dtype` cannot be stored; the message says why and what to do."""
    if dtype.subdtype is not None:
        check_dtype(dtype.subdtype[0])
    elif (dtype.kind not in "biufcSUVmMO" or dtype.isbuiltin == 2) and not is_ml(dtype):
        raise ValueError(f"dtype {dtype} has no form in Zarr metadata; convert the data to a NumPy type")
    elif dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
        raise ValueError(f"dtype {dtype} has no unit; name one, for instance '{dtype.kind}8[ns]'")
    elif dtype.itemsize > MAX_ITEMSIZE:
        raise ValueError(f"an item of dtype {dtype} takes {dtype.itemsize} bytes, above {MAX_ITEMSIZE}")
    elif dtype.fields is not None:
        for field in dtype.fields.values():
            check_dtype(field[0])


def encode_dtype(dtype: np.dtype[Any]) -> str | list[Any]:
    """Return the v2 JSON form of `dtype`: a type string, or a list of fields for a structured dtype.

    Padding becomes unnamed ``|V`` fields, as in NumPy's ``dtype.descr``.

    Raises
    ------
    ValueError
        If the dtype cannot be stored: dates without a unit, overlapping or unordered fields.
    """
    check_dtype(dtype)
    if dtype.subdtype is not None:
        raise ValueError(f"{dtype} is a sub-array; give its dimensions to the array's shape")
    _check_v2(dtype)
    if dtype.fields is None:
        return dtype.str
    try:
        descr = dtype.descr
    except ValueError:
        raise ValueError(
            f"dtype {dtype} has overlapping or unordered fields, which Zarr v2 cannot describe; "
            "use numpy.lib.recfunctions.repack_fields"
        ) from None
    return [_to_list(field) for field in descr]


def _check_v2(dtype: np.dtype[Any]) -> None:
    if dtype.subdtype is not None:
        _check_v2(dtype.subdtype[0])
    for field in (dtype.fields or {}).values():
        _check_v2(field[0])
    if dtype.isbuiltin == 2:
        raise ValueError(
            f"dtype {dtype} has no form in Zarr v2 metadata; use format 3, or a NumPy type"
        )


def _to_list(obj: object) -> Any:
    return [_to_list(item) for item in obj] if isinstance(obj, (tuple, list)) else obj


def decode_dtype(obj: object) -> np.dtype[Any]:
    """Return the dtype that the v2 JSON value `obj` describes.

    Unnamed ``|V`` fields become padding, so that aligned dtypes come back as they were.

    Raises
    ------
    MetadataError
        If `obj` describes no dtype that can be read.
    """
    return _decode_dtype(obj, 0)


def _decode_dtype(obj: object, depth: int) -> np.dtype[Any]:
    try:
        if isinstance(obj, str):
            dtype = _decode_typestr(obj)
        elif isinstance(obj, list) and depth < _MAX_DEPTH:
            dtype = _decode_fields(obj, depth)
        elif isinstance(obj, list):
            raise MetadataError(f"dtype nests structures more than {_MAX_DEPTH} deep")
        else:
            raise MetadataError(f"dtype {obj!r:.80} is neither a type string nor a list of fields")
        check_dtype(dtype)
    except MetadataError:
        raise
    except (TypeError, ValueError, OverflowError) as err:
        raise MetadataError(f"dtype {obj!r:.80} cannot be read: {err}") from err
    return dtype


@lru_cache(256)
def _decode_typestr(text: str) -> np.dtype[Any]:
    # As NumPy has written it in all its versions.
    if text in ("O", "|O", "|O4", "|O8"):
        return np.dtype("O")
    if not _TYPESTR.fullmatch(text):
        raise MetadataError(f"dtype {text!r:.80} is not a type string of Zarr v2 such as '<f8' or '<M8[ns]'")
    return np.dtype(text)


def _decode_fields(fields: list[Any], depth: int) -> np.dtype[Any]:
    names: list[str] = []
    formats: list[np.dtype[Any]] = []
    offsets: list[int] = []
    titles: list[str | None] = []
    end = 0
    for field in fields:
        if not isinstance(field, list) or len(field) not in (2, 3):
            raise MetadataError(
                f"field {field!r:.80} of a structured dtype is not [name, dtype] or [name, dtype, shape]"
            )
        title, name = field[0] if isinstance(field[0], list) and len(field[0]) == 2 else (None, field[0])
        if not isinstance(name, str) or not isinstance(title, str | None):
            raise MetadataError(f"the name {field[0]!r:.80} of a structured dtype's field is not a string")
        base = _decode_dtype(field[1], depth + 1)
        shape = _decode_subshape(field[2]) if len(field) == 3 else ()
        nbytes = base.itemsize * math.prod(shape)
        if end + nbytes > MAX_ITEMSIZE:
            raise MetadataError(f"field {name!r:.80} ends at byte {end + nbytes}, above {MAX_ITEMSIZE}")
        if name:
            names.append(name)
            formats.append(np.dtype((base, shape)) if shape else base)
            offsets.append(end)
            titles.append(title)
        elif base.kind != "V" or base.fields is not None:
            raise MetadataError(f"a structured dtype's field of type {field[1]!r:.80} has no name")
        end += nbytes
    layout: dict[str, Any] = {"names": names, "formats": formats, "offsets": offsets, "itemsize": end}
    if any(title is not None for title in titles):
        layout["titles"] = titles
    return np.dtype(layout)  # type: ignore[call-overload, no-any-return]


def _decode_subshape(obj: object) -> tuple[int, ...]:
    shape = obj if isinstance(obj, list) else [obj]
    if not all(type(n) is int and 0 <= n <= MAX_ITEMSIZE for n in shape):
        raise MetadataError(f"sub-array shape {obj!r:.80} is not a list of integers from 0 to {MAX_ITEMSIZE}")
    return tuple(shape)
