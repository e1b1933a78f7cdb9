"""Fill values to and from the JSON of Zarr v2 metadata, and to the memory of an item.

What zarr 2.18 writes is written byte for byte, except that a fill value of -0.0 keeps its sign. Those of
objects are whatever JSON has; those of structures that hold objects pass the array's object codec.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zchunk.errors import MetadataError
from zchunk.spec.dtypes import integer_limits, is_integer

# Fits all dtypes, for the smallest of them is f2.
_FLOAT_MAX = 65504.0
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_fill_value(
    value: Any, dtype: np.dtype[Any], encode_objects: Callable[[Any], Any] | None = None
) -> Any:
    """Return the v2 JSON form of a fill value that `normalize_fill_value` made for `dtype`.

    NaN and the infinities are strings, complex numbers lists of two, bytes and structures base64, dates the
    integers that count their unit, other objects themselves. None, no fill value, stays None.

    Parameters
    ----------
    value : Any
        The fill value.
    dtype : numpy.dtype
        Of the array.
    encode_objects : function, optional
        Encodes a structure that holds objects: as zarr 2.18 does it, with the object codec.

    Raises
    ------
    MetadataError
        If a structure with objects cannot be encoded.
    """
    if value is None or dtype.kind == "O":
        # As zarr 3 writes it; in zarr 2 no object that is bytes can be one.
        return _base64(value) if isinstance(value, bytes) else value
    if dtype.hasobject:
        return _encode_objects(value, dtype, encode_objects)
    match dtype.kind:
        case "b":
            return bool(value)
        case "i" | "u":
            return int(value)
        case "f":
            return _encode_float(float(value))
        case "c":
            return [_encode_float(float(value.real)), _encode_float(float(value.imag))]
        case "m" | "M":
            return int(value.view("i8"))
        case "U":
            return str(value) if isinstance(value, str) else value
        case _:
            raw = value.tobytes() if dtype.kind == "V" else value
            return _base64(raw)


def _encode_objects(value: Any, dtype: np.dtype[Any], encode: Callable[[Any], Any] | None) -> str:
    try:
        if encode is None:
            raise ValueError("missing object_codec for object array")
        return binascii.b2a_base64(bytes(encode(value.item())), newline=False).decode("ascii")
    # Codecs may object in any way.
    except Exception as err:
        raise MetadataError(
            f"fill_value {value!r:.80} of dtype {dtype} cannot be encoded by the object codec: {err}"
        ) from err


def _encode_float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def decode_fill_value(
    obj: object, dtype: np.dtype[Any], decode_objects: Callable[[bytes], Any] | None = None
) -> Any:
    """Return the fill value that the v2 JSON value `obj` means for `dtype`, a NumPy scalar, or None.

    That of an object array is `obj` itself; a structure that holds objects is decoded by `decode_objects`.
    For bytes, text and structures the legacy ``0`` and the empty string mean zero bytes. Text longer than
    the dtype is cut, since zarr 2.18 writes it whole and cuts it on use. Numbers may be text, as GDAL has
    written them.

    Raises
    ------
    MetadataError
        If `obj` is no value of `dtype`.
    """
    if obj is None or dtype.kind == "O":
        return obj
    if dtype.hasobject:
        return _decode_objects(obj, dtype, decode_objects)
    if isinstance(obj, str) and dtype.kind in "biufc":
        obj = _number_of(obj)
    try:
        match dtype.kind:
            case "b":
                if obj not in (0, 1):
                    raise ValueError("neither true nor false")
                return np.bool_(obj)
            case "i" | "u":
                return _decode_int(obj, dtype)
            case "f":
                return _decode_float(obj, dtype)
            case "c":
                return _decode_complex(obj, dtype)
            case "m" | "M":
                count = np.iinfo("i8").min if obj == "NaT" else _decode_int(obj, np.dtype("i8"))
                return np.array(count, dtype="i8").view(dtype.newbyteorder("="))[()]
            case _:
                return _decode_bytes(obj, dtype)
    except (TypeError, ValueError, OverflowError) as err:
        raise MetadataError(f"fill_value {obj!r:.80} is not valid for dtype {dtype}: {err}") from err


def _number_of(text: str) -> object:
    """Return the number that is written as text, or the text if it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _decode_objects(obj: object, dtype: np.dtype[Any], decode: Callable[[bytes], Any] | None) -> Any:
    try:
        if decode is None:
            raise ValueError("missing object_codec for object array")
        if not isinstance(obj, str):
            raise ValueError("not a string")
        value = np.array(decode(binascii.a2b_base64(obj, strict_mode=True)), dtype)
        if value.shape:
            raise ValueError(f"it holds items of shape {value.shape}, not one")
    except Exception as err:
        raise MetadataError(f"fill_value {obj!r:.80} is not valid for dtype {dtype}: {err}") from err
    return value[()]


def _decode_int(obj: object, dtype: np.dtype[Any]) -> Any:
    if not isinstance(obj, int) and not (isinstance(obj, float) and obj.is_integer()):
        raise ValueError("not an integer")
    return _int_scalar(int(obj), dtype)


def _int_scalar(value: int, dtype: np.dtype[Any]) -> Any:
    least, greatest = integer_limits(dtype)
    if not least <= value <= greatest:
        raise ValueError(f"not between {least} and {greatest}")
    return dtype.type(value)


def _decode_float(obj: object, dtype: np.dtype[Any]) -> Any:
    if isinstance(obj, str) and obj in _NONFINITE:
        return dtype.type(_NONFINITE[obj])
    if not isinstance(obj, int | float):
        raise ValueError("not a number, 'NaN', 'Infinity' or '-Infinity'")
    number = float(obj)
    if -_FLOAT_MAX <= number <= _FLOAT_MAX:
        return dtype.type(number)
    with np.errstate(over="ignore"):
        value = dtype.type(number)
    if np.isinf(value) and not math.isinf(number):
        raise ValueError(f"above the largest finite value, {np.finfo(dtype).max}")
    return value


def _decode_complex(obj: object, dtype: np.dtype[Any]) -> Any:
    parts = obj if isinstance(obj, list) else [obj, 0.0]
    if len(parts) != 2:
        raise ValueError("not a list of two numbers")
    part = np.empty((), dtype).real.dtype.newbyteorder("=")
    # Not re + 1j * im: an infinite imaginary part would make the real part NaN.
    value = np.empty((), dtype.newbyteorder("="))
    value.real, value.imag = (_decode_float(p, part) for p in parts)
    return value[()]


def _decode_bytes(obj: object, dtype: np.dtype[Any]) -> Any:
    if (type(obj) is int and obj == 0) or obj == "":
        return _scalar_of_bytes(b"", dtype)
    if not isinstance(obj, str):
        raise ValueError("not a string")
    if dtype.kind == "U":
        return np.str_(obj[: dtype.itemsize // 4])
    try:
        raw = binascii.a2b_base64(obj, strict_mode=True)
    except binascii.Error as err:
        raise ValueError(f"not base64 ({err})") from None
    return _scalar_of_bytes(raw, dtype)


def _scalar_of_bytes(raw: bytes, dtype: np.dtype[Any]) -> Any:
    if len(raw) > dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes do not fit an item of {dtype.itemsize} bytes")
    if dtype.itemsize == 0:
        return np.zeros((), dtype)[()]
    # Not np.array(raw, dtype), which leaves the padding of a structure undefined and can be changed.
    return np.frombuffer(raw.ljust(dtype.itemsize, b"\0"), dtype)[0]


def normalize_fill_value(value: object, dtype: np.dtype[Any]) -> Any:
    """Return a user's fill value as a NumPy scalar of `dtype`; None stays None.

    Zero means zero bytes for every dtype, bytes are taken as the memory of a void or structured item, and
    all else converts as NumPy does, except that a number that does not fit is refused rather than wrapped.
    For an object array any value stays as it is.

    Raises
    ------
    ValueError
        If `value` is no value of `dtype`.
    """
    if value is None or dtype.kind == "O":
        return value
    try:
        with np.errstate(over="raise", invalid="raise"):
            return _convert_fill(value, dtype)
    except (TypeError, ValueError, ArithmeticError) as err:
        raise ValueError(f"fill_value {value!r:.80} is not valid for dtype {dtype}: {err}") from err


def _convert_fill(value: Any, dtype: np.dtype[Any]) -> Any:
    kind = dtype.kind
    if dtype.hasobject:
        return np.array(value, dtype)[()]
    if kind in "SUVmM" and isinstance(value, bool | int | float | np.number | np.bool_) and value == 0:
        return _scalar_of_bytes(b"", dtype)
    if is_integer(dtype):
        return _int_scalar(int(value), dtype)
    if kind == "f" and isinstance(value, np.complexfloating):
        raise TypeError("a complex number is not real")
    if kind == "U":
        if not isinstance(value, str):
            raise TypeError("not a string")
        return np.str_(value[: dtype.itemsize // 4])
    if kind == "V" and isinstance(value, bytes):
        return _scalar_of_bytes(value, dtype)
    if dtype.itemsize == 0:
        # NumPy takes a dtype of no bytes as "find out the size".
        return _scalar_of_bytes(b"", dtype)
    item = np.zeros((), dtype)
    item[...] = value
    return _scalar_of_bytes(item.tobytes(), dtype) if kind == "V" else item[()]


def fill_bytes(fill: Any, dtype: np.dtype[Any]) -> bytes:
    """Return the memory of one item that holds `fill`; zeros for None, no fill value."""
    if fill is None or dtype.itemsize == 0:
        return bytes(dtype.itemsize)
    if dtype.kind == "V":
        # A copy may leave out the padding of a structure.
        return bytes(fill.tobytes())
    item = np.zeros((), dtype)
    item[...] = fill
    return item.tobytes()


def object_fill(fill: object, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return a 0-d array of `dtype`, one that holds objects, with `fill` in it.

    No fill value is None, or zeros in the fields of a structure.
    """
    item = np.zeros((), dtype) if dtype.names else np.empty((), dtype)
    if fill is not None:
        item[()] = fill
    return item


def holds_only(items: np.ndarray[Any, Any], fill: object) -> bool:
    """Whether all `items`, which hold objects, equal `fill` and look the same.

    What is not stored is read as the fill value: neither ``""`` nor -0.0 may become 0.
    """
    try:
        return all(item == fill and repr(item) == repr(fill) for item in items.flat)
    # Objects may refuse to be compared, such as arrays to be true or false as a whole.
    except Exception:
        return False


def is_masked(value: object) -> bool:
    """Whether `value` is a masked array that has masked items, or is `numpy.ma.masked`."""
    # Asked for last: NumPy imports its module of masked arrays when it is first used.
    derived = isinstance(value, np.ndarray) and type(value) is not np.ndarray
    if not derived or not isinstance(value, np.ma.MaskedArray):
        return False
    mask = np.ma.getmask(value)
    # That of a structure has fields, of which NumPy's `any` knows nothing.
    return bool(mask.any()) if mask.dtype.names is None else b"\1" in mask.tobytes()
