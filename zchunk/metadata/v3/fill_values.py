"""Fill values to and from the JSON of Zarr v3 metadata, bit for bit.

A NaN that is not the one that ``"NaN"`` means is written as the hexadecimal number of its bits, so that its
payload survives.
"""

from __future__ import annotations

import binascii
import math
import re
from typing import Any

import numpy as np

from zchunk.errors import MetadataError
from zchunk.metadata.v3.data_types import ml_dtype
from zchunk.spec.dtypes import integer_limits, is_complex, is_integer, is_ml

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_HEX = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_RAW = re.compile(r"r[0-9]+", re.ASCII)
_NAT = -(2**63)
# Of floats that become this where there is no infinity to become.
_GREATEST = {"float4_e2m1fn": 6.0, "float6_e2m3fn": 7.5, "float6_e3m2fn": 28.0}


def parse_fill_value(obj: object, dtype: np.dtype[Any], object_codec: str | None = None) -> Any:
    """Return the fill value that the JSON value `obj` means: a NumPy scalar, or a str or bytes.

    null, which GDAL and zarrita have written where there is none, means zero, or what is empty.

    Parameters
    ----------
    obj : object
        As JSON.
    dtype : numpy.dtype
        Of the array, in the byte order of the machine.
    object_codec : str, optional
        What makes bytes of its objects: ``"vlen-utf8"`` or ``"vlen-bytes"``.

    Raises
    ------
    MetadataError
        It is no value of `dtype`.
    """
    if obj is None:
        return _nothing(dtype, object_codec)
    try:
        return parse_scalar(obj, dtype, object_codec)
    except ValueError as err:
        raise MetadataError(f"fill_value {obj!r:.80} is not valid for dtype {dtype}: {err}") from err


def parse_scalar(obj: object, dtype: np.dtype[Any], object_codec: str | None = None) -> Any:
    """Return the item that the JSON value `obj` means, as those of fill values do.

    Raises
    ------
    ValueError
        It is no value of `dtype`; the message says why.
    """
    try:
        return _parse(obj, dtype, object_codec)
    except (TypeError, OverflowError) as err:
        raise ValueError(str(err)) from err


def _parse(obj: object, dtype: np.dtype[Any], object_codec: str | None = None) -> Any:
    if dtype.names is not None:
        return _parse_struct(obj, dtype)
    if is_ml(dtype):
        return _parse_ml(obj, dtype)
    match dtype.kind:
        case "b":
            if not isinstance(obj, bool):
                raise ValueError("neither true nor false")
            return np.bool_(obj)
        case "i" | "u":
            return dtype.type(_parse_int(obj, integer_limits(dtype)))
        case "f":
            return _parse_float(obj, dtype)
        case "c":
            return _parse_complex(obj, dtype)
        case "m" | "M":
            count = _NAT if obj == "NaT" else _parse_int(obj, (_NAT, -_NAT - 1))
            return _scalar(count.to_bytes(8, "little", signed=True), dtype)
        case "U":
            return _parse_text(obj, dtype)
        case "O" if object_codec == "vlen-utf8":
            if not isinstance(obj, str):
                raise ValueError("not a string")
            return obj
        case "O":
            return _parse_bytes(obj)
        case _:
            raw = _parse_bytes(obj)
            if len(raw) > dtype.itemsize or (dtype.kind == "V" and len(raw) < dtype.itemsize):
                raise ValueError(f"it has {len(raw)} bytes, an item {dtype.itemsize}")
            return np.bytes_(raw.rstrip(b"\0")) if dtype.kind == "S" else _scalar(raw, dtype)


def _nothing(dtype: np.dtype[Any], object_codec: str | None) -> Any:
    """Return the value of items that have none: zero bytes, or empty text."""
    if dtype.hasobject:
        return "" if object_codec == "vlen-utf8" else b""
    return _scalar(bytes(dtype.itemsize), dtype) if dtype.kind not in "SU" else dtype.type()


def _scalar(raw: bytes, dtype: np.dtype[Any]) -> Any:
    """Return the item that little-endian bytes are."""
    if not dtype.itemsize:
        return np.zeros((), dtype)[()]
    if is_ml(dtype):
        # Their other byte order is no dtype of its own.
        return _native(np.frombuffer(raw, f"<u{dtype.itemsize}")).view(dtype)[0]
    return _native(np.frombuffer(raw, dtype.newbyteorder("<")))[0]


def _native(items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    native = items.dtype.newbyteorder("=")
    # Same bits: an assignment between floats may make a signalling NaN a quiet one.
    return items if items.dtype == native else items.byteswap().view(native)


def _parse_ml(obj: object, dtype: np.dtype[Any]) -> Any:
    if is_complex(dtype):
        return _parse_complex(obj, dtype)
    if is_integer(dtype):
        return dtype.type(_parse_int(obj, integer_limits(dtype)))
    return _parse_float(obj, dtype)


def _parse_int(obj: object, limits: tuple[int, int]) -> int:
    if isinstance(obj, bool) or not (isinstance(obj, int) or (isinstance(obj, float) and obj.is_integer())):
        raise ValueError("not an integer")
    value = int(obj)
    least, greatest = limits
    if not least <= value <= greatest:
        raise ValueError(f"not between {least} and {greatest}")
    return value


def _parse_float(obj: object, dtype: np.dtype[Any]) -> Any:
    if isinstance(obj, str) and _HEX.fullmatch(obj):
        if len(obj) != 2 + 2 * dtype.itemsize:
            raise ValueError(f"it has {len(obj) - 2} hexadecimal digits, not {2 * dtype.itemsize}")
        return _scalar(bytes.fromhex(obj[2:])[::-1], dtype)
    if isinstance(obj, str) and obj in _NONFINITE:
        number = _NONFINITE[obj]
    elif isinstance(obj, bool) or not isinstance(obj, int | float):
        raise ValueError("not a number, 'NaN', 'Infinity', '-Infinity' or hexadecimal bits")
    else:
        number = float(obj)
    with np.errstate(all="ignore"):
        value = np.array(number).astype(dtype)[()]
    if math.isfinite(number) != math.isfinite(float(value)) or math.isnan(number) != math.isnan(float(value)):
        raise ValueError("it does not have this value")
    if is_ml(dtype) and abs(number) > _GREATEST.get(dtype.name, math.inf):
        raise ValueError("it does not have this value")
    return value


def _parse_complex(obj: object, dtype: np.dtype[Any]) -> Any:
    part = _part_of(dtype)
    if not isinstance(obj, list) or len(obj) != 2:
        raise ValueError("not a list of two numbers")
    # By their bits, for an infinite imaginary part would make the real one NaN.
    raw = b"".join(_parse_float(number, part).tobytes() for number in obj)
    return np.frombuffer(raw, dtype)[0]


def _part_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of each part of a complex number."""
    return ml_dtype("bfloat16") if dtype.name == "bcomplex32" else np.dtype(f"f{dtype.itemsize // 2}")


def _parse_text(obj: object, dtype: np.dtype[Any]) -> Any:
    if not isinstance(obj, str):
        raise ValueError("not a string")
    # As zarr-python, which writes it whole and cuts it on use.
    return np.str_(obj[: dtype.itemsize // 4])


def _parse_bytes(obj: object) -> bytes:
    if isinstance(obj, list):
        if not all(type(byte) is int and 0 <= byte < 256 for byte in obj):
            raise ValueError("not a list of bytes")
        return bytes(obj)
    if not isinstance(obj, str):
        raise ValueError("neither base64 nor a list of bytes")
    try:
        return binascii.a2b_base64(obj, strict_mode=True) if obj else b""
    except binascii.Error as err:
        raise ValueError(f"not base64 ({err})") from None


def _parse_struct(obj: object, dtype: np.dtype[Any]) -> Any:
    fields: Any = dtype.fields
    if isinstance(obj, dict):
        if obj.keys() != fields.keys():
            raise ValueError(f"its members are not the fields {', '.join(fields)}")
        raw = b"".join(_little(_parse(obj[name], fields[name][0]), fields[name][0]) for name in fields)
    else:
        raw = _parse_bytes(obj)
        if len(raw) != dtype.itemsize:
            raise ValueError(f"it has {len(raw)} bytes, an item {dtype.itemsize}")
    return _scalar(raw, dtype)


def _little(value: Any, dtype: np.dtype[Any]) -> bytes:
    """Return the bytes of an item, little-endian."""
    if not dtype.itemsize:
        return b""
    # By the memory of the scalar where it has that: no assignment changes it.
    if dtype.kind == "V" or (isinstance(value, np.generic) and value.dtype == dtype and dtype.kind in "fc"):
        raw = value.tobytes()
    else:
        item = np.zeros((), dtype)
        item[...] = value
        raw = item.tobytes()
    if is_ml(dtype):
        dtype = np.dtype(f"u{dtype.itemsize}")
    little = dtype.newbyteorder("<")
    return raw if little == dtype else np.frombuffer(raw, dtype).byteswap().tobytes()


def render_fill_value(value: Any, dtype: np.dtype[Any], data_type: Any = None) -> Any:
    """Return the JSON of a fill value, as zarr-python 3 writes it.

    Parameters
    ----------
    value : Any
        A scalar of `dtype`; str or bytes for objects.
    dtype : numpy.dtype
        Of the array.
    data_type : object, optional
        What the metadata call `dtype`: forms differ for structures and raw bits.

    Raises
    ------
    MetadataError
        There is none: format 3 knows no array without a fill value.
    """
    if value is None:
        raise MetadataError("fill_value is None, but every array of Zarr v3 has one")
    name = data_type.get("name") if isinstance(data_type, dict) else data_type
    if name == "struct":
        names = (field["name"] if isinstance(field, dict) else field[0] for field in _fields(data_type))
        types = (field["data_type"] if isinstance(field, dict) else field[1] for field in _fields(data_type))
        fields: Any = dtype.fields
        return {
            field: render_fill_value(value[field], fields[field][0], inner)
            for field, inner in zip(names, types, strict=True)
        }
    if is_integer(dtype):
        return int(value)
    if is_complex(dtype):
        part = _part_of(dtype)
        return [_render_float(number, part) for number in np.frombuffer(_memory(value, dtype), part)]
    if dtype.kind == "f" or is_ml(dtype):
        return _render_float(value, dtype)
    match dtype.kind:
        case "b":
            return bool(value)
        case "m" | "M":
            return int(np.frombuffer(_memory(value, dtype), "i8")[0])
        case "O" if isinstance(value, str):
            return value
        case "U":
            return str(value)
        case "V" if isinstance(name, str) and _RAW.fullmatch(name):
            return list(_little(value, dtype))
        case "S" | "V":
            raw = bytes(value) if dtype.kind == "S" else _little(value, dtype)
        case _:
            if not isinstance(value, bytes):
                raise MetadataError(f"fill_value {value!r:.80} is neither str nor bytes")
            raw = value
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def _fields(data_type: dict[str, Any]) -> list[Any]:
    fields: list[Any] = data_type["configuration"]["fields"]
    return fields


def _memory(value: object, dtype: np.dtype[Any]) -> bytes:
    if isinstance(value, np.generic) and value.dtype == dtype:
        return value.tobytes()
    return np.array(value, dtype).tobytes()


def _render_float(value: Any, dtype: np.dtype[Any]) -> float | str:
    number = float(value)
    if math.isnan(number):
        raw = _memory(value, dtype)
        if raw == np.array(math.nan).astype(dtype).tobytes():
            return "NaN"
        return "0x" + _little(value, dtype)[::-1].hex()
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number
