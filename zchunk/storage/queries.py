"""Functions with zarr 2's names that work on any mapping."""

from __future__ import annotations

import warnings
from typing import Any

from zchunk.metadata.formats import formats
from zchunk.spec.keys import normalize_path
from zchunk.storage.mapping import as_store


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


def contains_array(store: Any, path: str | None = None, zarr_format: int | None = None) -> bool:
    """Whether an array is at `path` of any mapping, of any format or of the one given."""
    return _contains(store, path, zarr_format, "array")


def contains_group(
    store: Any, path: str | None = None, explicit_only: bool = True, zarr_format: int | None = None
) -> bool:
    """Whether a group is at `path` of any mapping. `explicit_only` means nothing: all groups are explicit."""
    return _contains(store, path, zarr_format, "group")


def _contains(store: Any, path: str | None, zarr_format: int | None, kind: str) -> bool:
    target, path = as_store(store), normalize_path(path)
    return any(fmt.node_type(target, path) == kind for fmt in formats(zarr_format))
