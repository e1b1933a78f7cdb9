"""Parameters that are zarr 2.18's, of which zchunk knows one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


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
