"""Fields of a structured dtype, named in a selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.errors import SelectionError


def pop_fields(selection: object) -> tuple[Any, Any]:
    """Return the names of fields in a selection, and the selection without them.

    None if there are none, the name if there is one, else a list.
    """
    if isinstance(selection, str):
        return selection, ()
    if isinstance(selection, list) and selection and all(isinstance(entry, str) for entry in selection):
        return selection, ()
    if not isinstance(selection, tuple):
        return None, selection
    fields = [entry for entry in selection if isinstance(entry, str)]
    if not fields:
        return None, selection
    rest = tuple(entry for entry in selection if not isinstance(entry, str))
    return fields[0] if len(fields) == 1 else fields, rest[0] if len(rest) == 1 else rest


def field_dtype(fields: object, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the named fields: of one given as a string its own, else a structure of them.

    Raises
    ------
    SelectionError
        There is no such field.
    """
    if not isinstance(fields, str | list | tuple) or not all(isinstance(name, str) for name in fields):
        raise SelectionError(f"fields is a name or a list of names, not {fields!r:.80}")
    if not fields:
        return dtype
    names = [fields] if isinstance(fields, str) else fields
    for name in names:
        if dtype.names is None or name not in dtype.names:
            known = f"it has {', '.join(dtype.names)}" if dtype.names else "it has no fields"
            raise SelectionError(f"no field {name!r} in dtype {dtype}: {known}")
    return dtype[fields] if isinstance(fields, str) else np.dtype([(name, dtype[name]) for name in names])
