"""What stores check: paths, ranges of bytes, separators, and that a value is bytes."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

import numpy as np

from zchunk.spec.keys import check_key

DimensionSeparator: TypeAlias = Literal[".", "/"]

_FIELD_NAME = re.compile(":[^:]*:")


def as_buffer(value: Any) -> bytes | memoryview:
    """Return the memory of a bytes-like object as flat bytes, without a copy where it is contiguous.

    Arrays in C or Fortran order are taken as they lie in memory, others in C order.
    """
    if type(value) is bytes:
        return value
    if isinstance(value, np.ndarray) and value.flags.fnc:
        # The same memory in C order.
        value = value.T
    try:
        view = memoryview(value)
    except ValueError:
        # datetime64 and timedelta64 arrays export no buffer.
        return bytes(value.tobytes(order="A"))
    except TypeError:
        raise TypeError(f"a store holds bytes, and {type(value).__name__} is not bytes-like") from None
    if "O" in _FIELD_NAME.sub("", view.format):
        raise TypeError("an array of Python objects has no bytes to store; encode it first")
    if not view.c_contiguous or not view.nbytes:
        return view.tobytes(order="A")
    # `memoryview.cast` does not know all formats. What else gives flat bytes, a PickleBuffer of the view,
    # crashes Python if the garbage collector finds both in a cycle, as that of an error and its traceback.
    return np.frombuffer(view, np.uint8).data


def as_bytes(value: object) -> bytes:
    """Return a bytes-like object as bytes that share no memory with it (unless it is bytes)."""
    return value if type(value) is bytes else bytes(as_buffer(value))


def check_path(path: str) -> str:
    """Return `path` if it is ``""``, the root, or a legal key, else raise `InvalidKeyError`."""
    return path if path == "" else check_key(path)


def check_range(start: int, stop: int | None) -> None:
    """Raise `ValueError` unless ``0 <= start <= stop``."""
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"byte range [{start}, {stop}) is not of the form 0 <= start <= stop")


def check_separator(separator: str | None) -> DimensionSeparator | None:
    """Return `separator` if it is ``"."``, ``"/"`` or None, else raise `ValueError`."""
    if separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator is '.', '/' or None, not {separator!r}")
    return separator  # type: ignore[return-value]
