"""Spellings: how a caller may write a dtype, and how chunks are named, of an array of either format.

They have a module of their own so that a program that makes arrays of format 2 imports nothing of format 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zchunk.runtime.lazy import LazyModule
from zchunk.spec.dtypes import ML_NAMES

if TYPE_CHECKING:
    from zchunk.metadata.v3 import data_types
else:
    # For types of ml_dtypes only.
    data_types = LazyModule("zchunk.metadata.v3.data_types")

# Names of data types that NumPy does not have.
_TYPES = {"string": str, "variable_length_bytes": bytes}
# zarr 3's classes of these.
_CLASSES = {"VariableLengthUTF8": str, "VariableLengthBytes": bytes}


def native_type(dtype: object, zarr_format: int) -> Any:
    """Return a dtype in NumPy's terms, where the caller gives a data type of format 3 or of zarr 3."""
    if isinstance(dtype, str) and (dtype in ML_NAMES or dtype.startswith("complex_")):
        found = data_types.ml_type(dtype)
        if found is not None:
            # Format 2 refuses it by name.
            return found
    if zarr_format == 3 and isinstance(dtype, str):
        if dtype[:1] == "r" and dtype[1:].isdecimal() and int(dtype[1:]) % 8 == 0:
            return f"V{int(dtype[1:]) // 8}"
        return _TYPES.get(dtype, dtype)
    if type(dtype).__name__ in _CLASSES:
        return _CLASSES[type(dtype).__name__]
    method = getattr(dtype, "to_native_dtype", None)
    return dtype if method is None else method()


def checked_separator(separator: Any) -> str | None:
    """Return a `dimension_separator`; raise `ValueError` if it is not one."""
    if separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator is {separator!r}, not '.' or '/'")
    return separator  # type: ignore[no-any-return]


def key_encoding(encoding: object) -> tuple[str, str]:
    """Return name and separator of a `chunk_key_encoding`: a name, a pair, a dict, or an object of zarr 3.

    Raises
    ------
    ValueError
        There is no encoding of that name, or none with that separator.
    """
    given = encoding
    if hasattr(encoding, "to_dict"):
        encoding = encoding.to_dict()
    if isinstance(encoding, str):
        encoding = (encoding, None)
    if isinstance(encoding, Mapping):
        # zarr 3 takes the separator in either place.
        configuration = encoding.get("configuration") or {}
        encoding = (encoding.get("name"), configuration.get("separator", encoding.get("separator")))
    if isinstance(encoding, tuple | list) and len(encoding) == 2 and encoding[0] in ("default", "v2"):
        name, separator = encoding
        separator = separator or ("/" if name == "default" else ".")
        if separator in (".", "/"):
            return name, separator
    raise ValueError(
        f"chunk_key_encoding is {given!r:.80}, not 'default' or 'v2' with the separator '.' or '/': write "
        "('default', '/') for instance"
    )
