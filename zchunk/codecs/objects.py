"""Codecs of Python objects: which one a dtype asks for, and its place before the filters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from zchunk.codecs.base import Codec
from zchunk.codecs.registry import as_codec, get_codec
from zchunk.runtime.callers import caller_level

_IDS = {str: "vlen-utf8", "str": "vlen-utf8", bytes: "vlen-bytes", "bytes": "vlen-bytes"}
# What NumPy calls its `StringDType` in one letter.
_STRING_CHAR = "T"


def object_dtype(dtype: object, object_codec: object = None) -> tuple[Any, Codec | None]:
    """Return the dtype that a user means, and the codec of its objects, None if it has none.

    As in zarr 2.18 ``str`` and ``bytes`` are objects of any length, and ``"array:i4"`` are arrays of numbers.
    NumPy's `StringDType`, or ``"T"``, is stored as ``str``.

    Raises
    ------
    ValueError
        The items of the arrays are not named, or texts may be missing.
    """
    codec = None if object_codec is None else as_codec(object_codec)
    if isinstance(dtype, str) and dtype.partition(":")[0] == "array":
        item = dtype.partition(":")[2]
        if codec is None and not item:
            raise ValueError(f"dtype {dtype!r} does not name the items of the arrays; write 'array:i4'")
        return np.dtype(object), codec or get_codec({"id": "vlen-array", "dtype": item})
    if is_string_dtype(dtype) or (isinstance(dtype, str) and dtype == _STRING_CHAR):
        if hasattr(dtype, "na_object"):
            raise ValueError(
                f"dtype {dtype} is for texts that may be missing, which no array stores; give "
                "numpy.dtypes.StringDType(), or str"
            )
        dtype = str
    codec_id = _IDS.get(dtype) if isinstance(dtype, type | str) else None
    if codec_id is None:
        return dtype, codec
    return np.dtype(object), codec or get_codec({"id": codec_id})


def is_string_dtype(dtype: object) -> bool:
    """Whether a dtype is NumPy's `StringDType`, which NumPy has from version 2.0 on."""
    return isinstance(dtype, np.dtype) and dtype.kind == "T"


def object_filters(
    dtype: np.dtype[Any], codec: Codec | None, filters: tuple[Codec, ...]
) -> tuple[Codec, ...]:
    """Return the filters of an array: with the codec of its objects in front, if it holds objects.

    Raises
    ------
    ValueError
        There is neither an object codec nor a filter, or the codec writes what it cannot read.
    """
    if not dtype.hasobject:
        if codec is not None:
            warnings.warn(
                "an object_codec is only needed for object arrays", UserWarning, stacklevel=caller_level()
            )
        return filters
    if codec is not None:
        _check_items(codec)
        return (codec, *filters)
    if not filters:
        raise ValueError(
            f"missing object_codec for object array: dtype {dtype} holds Python objects; give for instance "
            "object_codec=numcodecs.VLenUTF8(), or a dtype of fixed size such as 'U10'"
        )
    warnings.warn(
        "missing object_codec for object array; the first of the filters is taken for it",
        FutureWarning,
        stacklevel=caller_level(),
    )
    return filters


def _check_items(codec: Codec) -> None:
    """Raise `ValueError` if arrays are encoded whose items have no size, or are no bytes."""
    item = codec.get_config().get("dtype") if codec.codec_id == "vlen-array" else None
    if item is None:
        return
    dtype = np.dtype(item)
    if not dtype.itemsize or dtype.hasobject or dtype.kind in "mM":
        raise ValueError(
            f"arrays of {dtype} cannot be read again once they are stored; give their items a size, such as "
            "'array:U10', or store dates as 'array:i8'"
        )
