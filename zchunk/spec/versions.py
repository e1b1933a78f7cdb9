"""Versions of the format, and zarr's parameters of which zchunk knows one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zchunk.typing import MetaArray, ZarrFormat


def asked_format(zarr_version: int | None = None, zarr_format: int | None = None) -> ZarrFormat | None:
    """Return the version of the format that a user asks for, by either name; None for no wish.

    Raises
    ------
    ValueError
        The two differ, or there is no such version.
    """
    if zarr_version is zarr_format is None:
        return None
    if zarr_version is not None and zarr_format is not None and zarr_version != zarr_format:
        raise ValueError(
            f"zarr_version is {zarr_version!r} and zarr_format {zarr_format!r}; they mean the same, give one"
        )
    version = zarr_version if zarr_format is None else zarr_format
    if version in (2, 3) and not isinstance(version, bool):
        return 2 if version == 2 else 3
    raise ValueError(f"zarr_format is {version!r}; Zarr formats 2 and 3 are supported")


def check_unsupported(meta_array: MetaArray = None, storage_transformers: Sequence[object] = ()) -> None:
    """Raise `ValueError` if one of them asks for what there is not."""
    if meta_array is not None and not isinstance(meta_array, np.ndarray):
        raise ValueError(
            f"meta_array is a {type(meta_array).__name__}; items are read into NumPy arrays only"
        )
    if storage_transformers:
        raise ValueError("storage_transformers are not supported: there are none for Zarr format 3")
