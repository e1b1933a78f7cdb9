"""zarr 2.18's parameters of which zchunk knows one value, and its names that have no other place here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

# Made of what imports this module.
_NAMES = {
    "KVStoreV3": "zchunk.storage.draft3",
    "StoreV3": "zchunk.storage.draft3",
    "meta_root": "zchunk.storage.draft3",
}


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)


def check_unsupported(
    zarr_version: int | None = None,
    meta_array: Any = None,
    storage_transformers: Sequence[Any] = (),
) -> None:
    """Raise `ValueError` if one of them asks for what there is not."""
    if zarr_version not in (None, 2):
        raise ValueError(f"zarr_version is {zarr_version!r}; only Zarr format 2 is supported")
    if meta_array is not None and not isinstance(meta_array, np.ndarray):
        raise ValueError(
            f"meta_array is a {type(meta_array).__name__}; items are read into NumPy arrays only"
        )
    if storage_transformers:
        raise ValueError("storage_transformers are of Zarr format 3, which is not supported")
