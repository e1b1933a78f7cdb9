"""NumPy dtypes and fill values to and from the JSON of Zarr v2 metadata.

What zarr 2.18 writes is written byte for byte, with two exceptions that any reader understands: a fill
value of -0.0 keeps its sign, and unnamed padding of a structured dtype is read back as padding rather than
as an extra field.
"""

from __future__ import annotations

import binascii
import math
import re
from functools import lru_cache
from typing import Any

import numpy as np

from zchunk.errors import MetadataError

MAX_ITEMSIZE = 2**31 - 1
_MAX_DEPTH = 32
# Fits all dtypes, for the smallest of them is f2.
_FLOAT_MAX = 65504.0
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# NumPy's own parser is wider: it takes comma strings, aliases and Python names, which no writer stores.
_TYPESTR = re.compile(
    r"[<>|](b1|[iu]1|[SUV][0-9]{1,10})"
    r"|[<>]([iu][248]|f2|f4|f8|f12|f16|c8|c16|c24|c32)"
    r"|[<>][mM]8\[([1-9][0-9]{0,9})?(Y|M|W|D|h|m|s|ms|us|μs|ns|ps|fs|as)\]",
    re.ASCII,
)


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `ValueError` if arrays of `dtype` cannot be stored; the message says why and what to do."""
    if dtype.subdtype is not None:
        check_dtype(dtype.subdtype[0])
    elif dtype.kind == "O":
        raise ValueError("object arrays are not supported yet by this version; use a fixed-size dtype")
    elif dtype.kind not in "biufcSUVmM" or dtype.isbuiltin == 2:
        raise ValueError(f"dtype {dtype} has no form in Zarr v2 metadata; convert the data to a NumPy type")
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
        If the dtype cannot be stored: objects, dates without a unit, overlapping or unordered fields.
    """
    check_dtype(dtype)
    if dtype.subdtype is not None:
        raise ValueError(f"{dtype} is a sub-array; give its dimensions to the array's shape")
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


def _to_list(obj: Any) -> Any:
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
    if text.lstrip("<>|=") in ("O", "O4", "O8"):
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


def encode_fill_value(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return the v2 JSON form of a fill value that `normalize_fill_value` made for `dtype`.

    NaN and the infinities are strings, complex numbers lists of two, bytes and structures base64, dates the
    integers that count their unit. None, no fill value, stays None.
    """
    if value is None:
        return None
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
            return str(value)
        case _:
            raw = value.tobytes() if dtype.kind == "V" else value
            return binascii.b2a_base64(raw, newline=False).decode("ascii")


def _encode_float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def decode_fill_value(obj: object, dtype: np.dtype[Any]) -> Any:
    """Return the fill value that the v2 JSON value `obj` means for `dtype`, a NumPy scalar, or None.

    For bytes, text and structures the legacy ``0`` and the empty string mean zero bytes. Text longer than
    the dtype is cut, since zarr 2.18 writes it whole and cuts it on use.

    Raises
    ------
    MetadataError
        If `obj` is no value of `dtype`.
    """
    if obj is None:
        return None
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


def _decode_int(obj: object, dtype: np.dtype[Any]) -> Any:
    if not isinstance(obj, int) and not (isinstance(obj, float) and obj.is_integer()):
        raise ValueError("not an integer")
    return _int_scalar(int(obj), dtype)


def _int_scalar(value: int, dtype: np.dtype[Any]) -> Any:
    limits = np.iinfo(dtype)
    if not limits.min <= value <= limits.max:
        raise ValueError(f"not between {limits.min} and {limits.max}")
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


def normalize_fill_value(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a user's fill value as a NumPy scalar of `dtype`; None stays None.

    Zero means zero bytes for every dtype, bytes are taken as the memory of a void or structured item, and
    all else converts as NumPy does, except that a number that does not fit is refused rather than wrapped.

    Raises
    ------
    ValueError
        If `value` is no value of `dtype`.
    """
    if value is None:
        return None
    try:
        with np.errstate(over="raise", invalid="raise"):
            return _convert_fill(value, dtype)
    except (TypeError, ValueError, ArithmeticError) as err:
        raise ValueError(f"fill_value {value!r:.80} is not valid for dtype {dtype}: {err}") from err


def _convert_fill(value: Any, dtype: np.dtype[Any]) -> Any:
    kind = dtype.kind
    if kind in "SUVmM" and isinstance(value, bool | int | float | np.number | np.bool_) and value == 0:
        return _scalar_of_bytes(b"", dtype)
    if kind in "iu":
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
