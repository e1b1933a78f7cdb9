"""The attribute ``_FillValue`` in format 3, as xarray has it: integers as they are, others in base64."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

import numpy as np


def encode(value: Any) -> Any:
    """Return the attribute for a value of NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> encode(np.int16(-1)), encode(np.float32(-9))
    (-1, 'AAAAAAAAIsA=')
    """
    if value.dtype.kind == "f":
        return base64.standard_b64encode(struct.pack("<d", float(value))).decode()
    return value.item() if value.dtype.kind in "iub" else str(value)


def decode(attribute: Any, dtype: np.dtype[Any]) -> Any:
    """Return the value of an attribute; None if it is none of the dtype.

    Examples
    --------
    >>> import numpy as np
    >>> float(decode("AAAAAAAAIsA=", np.dtype("f4"))), decode("x", np.dtype("f4"))
    (-9.0, None)
    """
    try:
        if dtype.kind == "f" and isinstance(attribute, str):
            (attribute,) = struct.unpack("<d", base64.standard_b64decode(attribute))
        return None if isinstance(attribute, list) else dtype.type(attribute)
    except (binascii.Error, struct.error, OverflowError, TypeError, ValueError):
        return None
