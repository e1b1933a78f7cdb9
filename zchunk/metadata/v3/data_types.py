"""The data types of Zarr v3: their JSON to and from NumPy dtypes.

Dtypes are those of the machine: the byte order of what is stored is a matter of the codecs. Structures have
no padding. Strings and bytes of any length are Python objects.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from zchunk.errors import MetadataError
from zchunk.metadata.v3.extension import Extension, check_members, parse_extension, render_extension
from zchunk.spec.dtypes import MAX_ITEMSIZE, ML_COMPLEX, ML_NAMES, check_dtype, is_ml

_PLAIN: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_PLAIN |= {"complex_float32": np.dtype("complex64"), "complex_float64": np.dtype("complex128")}

# Data types whose items are Python objects, and the codec that makes bytes of them.
OBJECT_CODECS = {"string": "vlen-utf8", "bytes": "vlen-bytes", "variable_length_bytes": "vlen-bytes"}

# Of ml_dtypes, by the names there.
_ML_NAMES = {name: name for name in ML_NAMES - ML_COMPLEX}
_ML_NAMES |= {"complex_float16": "complex32", "complex_bfloat16": "bcomplex32"}
_OF_ML = {name: data_type for data_type, name in _ML_NAMES.items()}

_RAW = re.compile(r"r([1-9][0-9]{0,10})", re.ASCII)
_UNITS = {"Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as"}
_BYTES = {"null_terminated_bytes": "S", "fixed_length_utf32": "U", "raw_bytes": "V"}
_DATES = {"numpy.datetime64": "M8", "numpy.timedelta64": "m8"}
_STRUCTS = ("struct", "structured")
_MAX_DEPTH = 32


def parse_data_type(obj: object) -> np.dtype[Any]:
    """Return the dtype that the data type `obj`, as JSON, names; ``object`` for those of any length.

    Raises
    ------
    MetadataError
        There is no such data type, or its parameters are none it can have.
    """
    # Most are just a name.
    if isinstance(obj, str) and obj in _PLAIN:
        return _PLAIN[obj]
    return _parse(obj, 0)


def _parse(obj: object, depth: int) -> np.dtype[Any]:
    found = parse_extension(obj, "data_type")
    name = found.name
    if name in _STRUCTS:
        return _parse_struct(found, depth)
    if name in _DATES:
        return _parse_date(found)
    if name in _BYTES:
        check_members(found, "data_type", {"length_bytes"})
        return _flexible(_BYTES[name], found.configuration["length_bytes"], name)
    check_members(found, "data_type", set())
    if name in _PLAIN:
        return _PLAIN[name]
    if name in OBJECT_CODECS:
        return np.dtype(object)
    if name in _ML_NAMES:
        return ml_dtype(_ML_NAMES[name])
    if bits := _RAW.fullmatch(name):
        if int(bits[1]) % 8:
            raise MetadataError(f"data_type {name!r} is no whole number of bytes")
        return _flexible("V", int(bits[1]) // 8, name)
    if name.startswith("complex_float") and name.removeprefix("complex_") in _ML_NAMES:
        raise MetadataError(f"data_type {name!r} is in no package for NumPy: there is no dtype for its items")
    raise MetadataError(f"data_type {name!r:.80} is not known")


def ml_type(name: str) -> np.dtype[Any] | None:
    """Return the dtype of ml_dtypes that a data type has, None if it has none."""
    return ml_dtype(_ML_NAMES[name]) if name in _ML_NAMES else None


@lru_cache(32)
def ml_dtype(name: str) -> np.dtype[Any]:
    """Return a dtype of ml_dtypes; `MetadataError` says so if that package is missing."""
    try:
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    except (ImportError, AttributeError) as err:
        raise MetadataError(
            f"data_type {name!r} needs the package ml_dtypes, with that type in it: {err}"
        ) from err
    return dtype


def _flexible(kind: str, nbytes: object, name: str) -> np.dtype[Any]:
    if type(nbytes) is not int or not 0 <= nbytes <= MAX_ITEMSIZE:
        raise MetadataError(
            f"data_type {name!r}: length_bytes is {nbytes!r:.80}, not an integer from 0 to {MAX_ITEMSIZE}"
        )
    if kind == "U" and nbytes % 4:
        raise MetadataError(f"data_type {name!r}: length_bytes is {nbytes}, not a multiple of 4")
    return np.dtype(f"{kind}{nbytes // 4 if kind == 'U' else nbytes}")


def _parse_date(found: Extension) -> np.dtype[Any]:
    check_members(found, "data_type", {"unit", "scale_factor"})
    unit, scale = found.configuration["unit"], found.configuration["scale_factor"]
    if not isinstance(unit, str) or unit not in _UNITS:
        raise MetadataError(
            f"data_type {found.name!r}: unit is {unit!r:.80}, not one of {', '.join(sorted(_UNITS))}"
        )
    if type(scale) is not int or not 1 <= scale < 2**31:
        raise MetadataError(
            f"data_type {found.name!r}: scale_factor is {scale!r:.80}, not an integer from 1 to 2**31 - 1"
        )
    return np.dtype(f"{_DATES[found.name]}[{scale}{unit}]")


def _parse_struct(found: Extension, depth: int) -> np.dtype[Any]:
    check_members(found, "data_type", {"fields"})
    fields = found.configuration["fields"]
    if depth >= _MAX_DEPTH:
        raise MetadataError(f"data_type nests structures more than {_MAX_DEPTH} deep")
    if not isinstance(fields, list) or not fields:
        raise MetadataError(f"data_type {found.name!r}: fields is {fields!r:.80}, not a list of fields")
    formats: dict[str, np.dtype[Any]] = {}
    for field in fields:
        # The older form is a pair.
        match field:
            case {"name": str(name), "data_type": data_type} if len(field) == 2:
                pass
            case [str(name), data_type]:
                pass
            case _:
                raise MetadataError(
                    f"data_type {found.name!r}: {field!r:.80} is not an object of 'name' and 'data_type'"
                )
        if not name or name in formats:
            raise MetadataError(f"data_type {found.name!r}: the name {name!r:.80} is empty or there twice")
        dtype = _parse(data_type, depth + 1)
        if dtype.hasobject:
            raise MetadataError(
                f"data_type {found.name!r}: the field {name!r:.80} has no fixed size: {data_type!r:.80}"
            )
        formats[name] = dtype
    if sum(dtype.itemsize for dtype in formats.values()) > MAX_ITEMSIZE:
        raise MetadataError(f"data_type {found.name!r} takes more than {MAX_ITEMSIZE} bytes")
    return np.dtype(list(formats.items()))


def storage_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype` as arrays of format 3 have it: in the byte order of the machine, without padding.

    Raises
    ------
    ValueError
        There is no data type for it.
    """
    check_dtype(dtype)
    if dtype.subdtype is not None:
        raise ValueError(f"dtype {dtype} is a sub-array, for which Zarr v3 has no data type")
    if dtype.names is not None:
        if dtype.hasobject:
            raise ValueError(f"dtype {dtype} has objects in fields, for which Zarr v3 has no data type")
        return np.dtype([(name, storage_dtype(dtype.fields[name][0])) for name in dtype.names])  # type: ignore[index]
    if dtype.kind in "fc" and not is_ml(dtype) and dtype.newbyteorder("=") not in _PLAIN.values():
        raise ValueError(f"dtype {dtype} depends on the machine, so that Zarr v3 has no data type for it")
    return dtype if is_ml(dtype) else dtype.newbyteorder("=")


def render_data_type(dtype: np.dtype[Any], object_codec: str = "vlen-utf8") -> Any:
    """Return the JSON of the data type that zarr-python 3 chooses for a dtype of `storage_dtype`.

    Parameters
    ----------
    dtype : numpy.dtype
        Of an array.
    object_codec : str, optional
        Tells what objects are: those of ``"vlen-bytes"`` are bytes.

    Raises
    ------
    MetadataError
        There is no data type for it.
    """
    if dtype.names is not None:
        fields = [[name, render_data_type(dtype.fields[name][0])] for name in dtype.names]  # type: ignore[index]
        return render_extension("structured", {"fields": fields})
    if dtype.name in _PLAIN:
        return dtype.name
    if is_ml(dtype):
        return _OF_ML[dtype.name]
    match dtype.kind:
        case "O" if object_codec in ("vlen-utf8", "vlen-bytes"):
            return "string" if object_codec == "vlen-utf8" else "variable_length_bytes"
        case "S" | "U" | "V" if dtype.subdtype is None:
            name = next(name for name, kind in _BYTES.items() if kind == dtype.kind)
            return render_extension(name, {"length_bytes": dtype.itemsize})
        case "m" | "M":
            unit, scale = np.datetime_data(dtype)
            name = next(name for name, kind in _DATES.items() if kind[0] == dtype.kind)
            return render_extension(name, {"unit": unit, "scale_factor": scale})
    raise MetadataError(f"dtype {dtype} has no data type in Zarr v3; use str, bytes or a type of fixed size")


def has_byte_order(dtype: np.dtype[Any]) -> bool:
    """Whether it makes a difference to what is stored if items are in the other byte order."""
    if dtype.names is not None:
        return any(has_byte_order(field[0]) for field in dtype.fields.values())  # type: ignore[union-attr]
    if is_ml(dtype):
        return dtype.itemsize > 1
    return dtype.kind in "iufcmMU" and dtype.itemsize > 1
