"""Functions with zarr 2's names that work on any mapping."""

from __future__ import annotations

import warnings
from typing import Any

from zchunk.keys import ARRAY_KEY, GROUP_KEY, join, normalize_path
from zchunk.storage.base import as_store


def listdir(store: Any, path: str | None = None) -> list[str]:
    """Return the sorted names directly below `path` of any mapping (zarr 2's name).

    One that cannot list, such as a dict, is warned of, as in zarr 2: all its keys are looked at.
    """
    if not hasattr(store, "listdir") and not hasattr(store, "list_dir"):
        kind = type(store).__name__
        warnings.warn(f"{kind} has no `listdir` method, so all its keys are looked at", stacklevel=2)
    return as_store(store).listdir(path)


def getsize(store: Any, path: str | None = None) -> int:
    """Return the size of a key, or of the keys directly below a path, of any mapping.

    As in zarr 2 it is -1 for what is no mapping, or has values without a size.
    """
    try:
        return as_store(store).getsize(path)
    except TypeError:
        return -1


def contains_array(store: Any, path: str | None = None) -> bool:
    """Whether a v2 array is at `path` of any mapping."""
    return join(normalize_path(path), ARRAY_KEY) in as_store(store)


def contains_group(store: Any, path: str | None = None, explicit_only: bool = True) -> bool:
    """Whether a v2 group is at `path` of any mapping. `explicit_only` means nothing in format 2."""
    return join(normalize_path(path), GROUP_KEY) in as_store(store)
