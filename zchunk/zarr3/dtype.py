"""zarr 3's data types by its names: records that say a dtype of NumPy in the words of both formats.

Functions take them where they take a dtype.

>>> from zchunk.zarr3.dtype import Int8, parse_dtype
>>> Int8().to_json(zarr_format=3)
'int8'
>>> parse_dtype(">M8[10s]", zarr_format=2)
DateTime64(endianness='big', scale_factor=10, unit='s')
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from zchunk.codecs.objects import object_dtype
from zchunk.errors import MetadataError
from zchunk.metadata.v3.data_types import parse_data_type, render_data_type
from zchunk.metadata.v3.fill_values import parse_fill_value, render_fill_value
from zchunk.spec.dtypes import STRINGS, decode_dtype, encode_dtype, is_ml
from zchunk.spec.fill_values import decode_fill_value, encode_fill_value
from zchunk.zarr3.errors import DataTypeValidationError

__all__ = [
    "Bool", "Complex64", "Complex128", "DataTypeValidationError", "DateTime64", "FixedLengthUTF32", "Float16",
    "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "NullTerminatedBytes", "RawBytes", "Struct",
    "Structured", "TimeDelta64", "UInt8", "UInt16", "UInt32", "UInt64", "VariableLengthBytes",
    "VariableLengthUTF8", "ZDType", "data_type_registry", "parse_data_type", "parse_dtype",
]  # fmt: skip

_ORDERS = {"little": "<", "big": ">"}


@dataclass(frozen=True)
class ZDType:
    """A data type of zarr 3."""

    # What NumPy calls it, apart from byte order and length.
    _code: ClassVar[str] = ""
    # Encodes the items, if they are objects.
    _object_codec: ClassVar[str | None] = None

    @classmethod
    def from_native_dtype(cls, dtype: np.dtype[Any]) -> Self:
        """Return the data type of a dtype of NumPy.

        Raises
        ------
        MetadataError
            It is none of this class.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.zarr3.dtype import Int16
        >>> Int16.from_native_dtype(np.dtype(">i2"))
        Int16(endianness='big')
        """
        found = parse_dtype(dtype, zarr_format=3)
        if not isinstance(found, cls):
            raise MetadataError(f"{dtype!r} is {found!r}, no {cls.__name__}")
        return found

    @classmethod
    def from_json(cls, data: Any, *, zarr_format: int) -> Self:
        """Return the data type that the metadata of a version call so.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import ZDType
        >>> ZDType.from_json("int8", zarr_format=3)
        Int8()
        """
        found = parse_dtype(data, zarr_format=zarr_format)
        if not isinstance(found, cls):
            raise MetadataError(f"{data!r:.80} is {found!r}, no {cls.__name__}")
        return found

    def to_native_dtype(self) -> np.dtype[Any]:
        """Return the dtype of NumPy.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Float32
        >>> Float32(endianness="big").to_native_dtype()
        dtype('>f4')
        """
        return np.dtype(_ORDERS[getattr(self, "endianness", "little")] + self._code)

    @property
    def item_size(self) -> int:
        """Bytes of an item."""
        return self.to_native_dtype().itemsize

    def _stored_dtype(self) -> np.dtype[Any]:
        """Return the dtype by which zchunk stores items."""
        return self.to_native_dtype()

    def to_json(self, *, zarr_format: int) -> Any:
        """Return what the metadata of a version call it.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Int16
        >>> Int16().to_json(zarr_format=2)
        {'name': '<i2', 'object_codec_id': None}
        """
        dtype = self._stored_dtype()
        if zarr_format == 2:
            return {"name": encode_dtype(dtype), "object_codec_id": self._object_codec}
        return render_data_type(dtype.newbyteorder("="), self._object_codec or "vlen-utf8")

    def default_scalar(self) -> Any:
        """Return the fill value where none is given.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Bool
        >>> Bool().default_scalar()
        np.False_
        """
        return self.cast_scalar(0)

    def cast_scalar(self, data: Any) -> Any:
        """Return a value as an item.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Int8
        >>> Int8().cast_scalar(5)
        np.int8(5)
        """
        return np.asarray(data).astype(self.to_native_dtype().newbyteorder("="))[()]

    def to_json_scalar(self, data: Any, *, zarr_format: int) -> Any:
        """Return an item as the fill value of the metadata of a version.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Float64
        >>> Float64().to_json_scalar(float("nan"), zarr_format=3)
        'NaN'
        """
        dtype = self._stored_dtype().newbyteorder("=")
        value = self.cast_scalar(data)
        return encode_fill_value(value, dtype) if zarr_format == 2 else render_fill_value(value, dtype)

    def from_json_scalar(self, data: Any, *, zarr_format: int) -> Any:
        """Return the item that a fill value in the metadata of a version means.

        Examples
        --------
        >>> from zchunk.zarr3.dtype import Int8
        >>> Int8().from_json_scalar(42, zarr_format=3)
        np.int8(42)
        """
        dtype = self._stored_dtype().newbyteorder("=")
        if zarr_format == 2:
            return decode_fill_value(data, dtype)
        return parse_fill_value(data, dtype, self._object_codec)


@dataclass(frozen=True)
class _Ordered(ZDType):
    """A data type whose items have a byte order."""

    endianness: str = sys.byteorder


class Bool(ZDType):
    """True or false."""

    _code = "b1"


class Int8(ZDType):
    """Integers of 8 bits."""

    _code = "i1"


class UInt8(ZDType):
    """Integers of 8 bits without a sign."""

    _code = "u1"


class Int16(_Ordered):
    """Integers of 16 bits."""

    _code = "i2"


class Int32(_Ordered):
    """Integers of 32 bits."""

    _code = "i4"


class Int64(_Ordered):
    """Integers of 64 bits."""

    _code = "i8"


class UInt16(_Ordered):
    """Integers of 16 bits without a sign."""

    _code = "u2"


class UInt32(_Ordered):
    """Integers of 32 bits without a sign."""

    _code = "u4"


class UInt64(_Ordered):
    """Integers of 64 bits without a sign."""

    _code = "u8"


class Float16(_Ordered):
    """Floats of 16 bits."""

    _code = "f2"


class Float32(_Ordered):
    """Floats of 32 bits."""

    _code = "f4"


class Float64(_Ordered):
    """Floats of 64 bits."""

    _code = "f8"


class Complex64(_Ordered):
    """Complex numbers of two floats of 32 bits."""

    _code = "c8"


class Complex128(_Ordered):
    """Complex numbers of two floats of 64 bits."""

    _code = "c16"


@dataclass(frozen=True, kw_only=True)
class _OfTime(_Ordered):
    """A data type of times."""

    scale_factor: int = 1
    unit: str = "generic"

    def to_native_dtype(self) -> np.dtype[Any]:
        unit = "" if self.unit == "generic" else f"[{self.scale_factor}{self.unit}]"
        return np.dtype(f"{_ORDERS[self.endianness]}{self._code}{unit}")

    def default_scalar(self) -> Any:
        return self.cast_scalar(np.array("NaT", self.to_native_dtype().newbyteorder("=")))


class DateTime64(_OfTime):
    """Points in time."""

    _code = "M8"


class TimeDelta64(_OfTime):
    """Spans of time."""

    _code = "m8"


@dataclass(frozen=True, kw_only=True)
class FixedLengthUTF32(_Ordered):
    """Texts of up to `length` characters."""

    length: int

    def to_native_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"{_ORDERS[self.endianness]}U{self.length}")

    def default_scalar(self) -> Any:
        return np.str_("")


@dataclass(frozen=True, kw_only=True)
class NullTerminatedBytes(ZDType):
    """Bytes, up to `length` of them, without zeros at the end."""

    length: int

    def to_native_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"S{self.length}")

    def default_scalar(self) -> Any:
        return np.bytes_(b"")


@dataclass(frozen=True, kw_only=True)
class RawBytes(ZDType):
    """`length` bytes."""

    length: int

    def to_native_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"V{self.length}")

    def default_scalar(self) -> Any:
        return np.void(bytes(self.length))


@dataclass(frozen=True, kw_only=True)
class Struct(ZDType):
    """Items with named fields."""

    fields: tuple[tuple[str, ZDType], ...]

    def to_native_dtype(self) -> np.dtype[Any]:
        return np.dtype([(name, field.to_native_dtype()) for name, field in self.fields])

    def default_scalar(self) -> Any:
        return np.zeros((), self.to_native_dtype())[()]


Structured = Struct


class VariableLengthUTF8(ZDType):
    """Texts of any length."""

    _object_codec = "vlen-utf8"

    def to_native_dtype(self) -> np.dtype[Any]:
        return self._stored_dtype() if STRINGS is None else STRINGS

    def _stored_dtype(self) -> np.dtype[Any]:
        return np.dtype(object)

    def default_scalar(self) -> str:
        return ""

    def cast_scalar(self, data: Any) -> str:
        return str(data)


class VariableLengthBytes(ZDType):
    """Bytes of any length."""

    _object_codec = "vlen-bytes"

    def to_native_dtype(self) -> np.dtype[Any]:
        return np.dtype(object)

    def default_scalar(self) -> bytes:
        return b""

    def cast_scalar(self, data: Any) -> bytes:
        return bytes(data)


_KINDS: tuple[type[Any], ...] = (
    Bool, Int8, UInt8, Int16, Int32, Int64, UInt16, UInt32, UInt64, Float16, Float32, Float64, Complex64,
    Complex128,
)  # fmt: skip
_FIXED = {np.dtype(kind._code).str[1:]: kind for kind in _KINDS}


def parse_dtype(dtype_spec: Any, *, zarr_format: int = 3) -> ZDType:
    """Return the data type of zarr 3 that a dtype, or its JSON in a version of the format, is.

    Parameters
    ----------
    dtype_spec : ZDType, dtype-like or JSON
        What names it.
    zarr_format : {2, 3}
        Version of the format that JSON is of.

    Returns
    -------
    ZDType

    Raises
    ------
    MetadataError
        There is no such data type.

    Examples
    --------
    >>> from zchunk.zarr3.dtype import parse_dtype
    >>> parse_dtype("float32", zarr_format=3)
    Float32(endianness='little')
    """
    if isinstance(dtype_spec, ZDType):
        return dtype_spec
    if isinstance(dtype_spec, np.dtype) and dtype_spec.kind == "T":
        # Refuses one whose texts may be missing.
        object_dtype(dtype_spec)
        return VariableLengthUTF8()
    if dtype_spec is str or (isinstance(dtype_spec, str) and dtype_spec == "string"):
        return VariableLengthUTF8()
    if dtype_spec is bytes or dtype_spec == "variable_length_bytes":
        return VariableLengthBytes()
    if isinstance(dtype_spec, Mapping):
        if "object_codec_id" in dtype_spec:
            codec = dtype_spec["object_codec_id"]
            if codec is not None:
                return VariableLengthUTF8() if codec == "vlen-utf8" else VariableLengthBytes()
            return _of_native(decode_dtype(dtype_spec["name"]))
        return _of_native(parse_data_type(dict(dtype_spec)))
    if zarr_format == 3 and isinstance(dtype_spec, str):
        try:
            return _of_native(parse_data_type(dtype_spec))
        except MetadataError:
            pass
    return _of_native(np.dtype(dtype_spec))


def _of_native(dtype: np.dtype[Any]) -> ZDType:
    """Return the data type of a dtype of NumPy."""
    order = {"<": "little", ">": "big"}.get(dtype.byteorder, sys.byteorder)
    if dtype.names is not None:
        return Struct(fields=tuple((name, _of_native(dtype[name])) for name in dtype.names))
    kind = _FIXED.get(dtype.str[1:])
    if kind is not None:
        found: ZDType = kind(order) if issubclass(kind, _Ordered) else kind()
        return found
    match dtype.kind:
        case "m" | "M":
            unit, scale = np.datetime_data(dtype)
            of_time = DateTime64 if dtype.kind == "M" else TimeDelta64
            return of_time(endianness=order, scale_factor=scale, unit=unit)
        case "U":
            return FixedLengthUTF32(endianness=order, length=dtype.itemsize // 4)
        case "S":
            return NullTerminatedBytes(length=dtype.itemsize)
        case "V" if dtype.subdtype is None and not is_ml(dtype):
            return RawBytes(length=dtype.itemsize)
    raise MetadataError(f"dtype {dtype} has no data type in zarr 3; use str, bytes or a type of fixed size")


class _Registry:
    """Data types by name, as far as programs ask zarr 3's registry."""

    @property
    def contents(self) -> dict[str, type[ZDType]]:
        """Classes by their names in the metadata."""
        found: dict[str, type[ZDType]] = {np.dtype(kind._code).name: kind for kind in _FIXED.values()}
        return found | {
            "fixed_length_utf32": FixedLengthUTF32,
            "null_terminated_bytes": NullTerminatedBytes,
            "numpy.datetime64": DateTime64,
            "numpy.timedelta64": TimeDelta64,
            "raw_bytes": RawBytes,
            "string": VariableLengthUTF8,
            "struct": Struct,
            "variable_length_bytes": VariableLengthBytes,
        }

    def get(self, name: str) -> type[ZDType]:
        """Return the class of a name."""
        return self.contents[name]

    def match_dtype(self, dtype: np.dtype[Any]) -> ZDType:
        """Return the data type of a dtype of NumPy."""
        return parse_dtype(dtype)

    def match_json(self, data: Any, *, zarr_format: int) -> ZDType:
        """Return the data type that the metadata of a version call so."""
        return parse_dtype(data, zarr_format=zarr_format)


data_type_registry = _Registry()
