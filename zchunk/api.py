"""What users call to open arrays and groups, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zchunk.array import Array
from zchunk.chunk_cache import ChunkCache
from zchunk.compat import asked_format, check_unsupported
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsGroupError,
    GroupNotFoundError,
    PathNotFoundError,
)
from zchunk.group import Group
from zchunk.keys import normalize_path
from zchunk.nodes import format_for, init_group
from zchunk.opening import open_array
from zchunk.storage import Store, open_store
from zchunk.storage.base import Mode


def _open_chunks(chunk_store: Any, mode: Any = "a", storage_options: Any = None) -> Store | None:
    return None if chunk_store is None else open_store(chunk_store, mode, storage_options)


# ---- groups


def group(
    store: Any = None,
    overwrite: bool = False,
    chunk_store: Any = None,
    cache_attrs: bool = True,
    synchronizer: Any = None,
    path: str | None = None,
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    meta_array: Any = None,
    cache_bytes: int | ChunkCache | None = None,
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    store, chunk_store, cache_attrs, synchronizer, path
        As for `create`.
    overwrite : bool, optional
        Replace what is there.
    cache_bytes : int, optional
        As for `create`, for all arrays that are opened through the group together.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. A NumPy array is what there is.

    Returns
    -------
    Group

    Raises
    ------
    ContainsArrayError
        An array is there, or above, and `overwrite` is false.
    InvalidKeyError
        No group can be at `path`.
    """
    check_unsupported(meta_array)
    version = asked_format(zarr_version, zarr_format)
    target, chunk_target = open_store(store), _open_chunks(chunk_store)
    if not overwrite:
        try:
            return Group(
                target, path, False, chunk_target, cache_attrs, synchronizer, version, cache_bytes=cache_bytes
            )
        except GroupNotFoundError:
            pass
    fmt = format_for(target, path, version)
    init_group(target, path, overwrite, chunk_target, fmt, attributes)
    return Group(
        target, path, False, chunk_target, cache_attrs, synchronizer, fmt.version, cache_bytes=cache_bytes
    )


def open_group(
    store: Any = None,
    mode: Mode = "a",
    cache_attrs: bool = True,
    synchronizer: Any = None,
    path: str | None = None,
    chunk_store: Any = None,
    storage_options: Any = None,
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    meta_array: Any = None,
    cache_bytes: int | ChunkCache | None = None,
) -> Group:
    """Open a group, or create one.

    Parameters
    ----------
    store, cache_attrs, synchronizer, path, chunk_store
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    cache_bytes : int, optional
        As for `create`, for all arrays that are opened through the group together.
    storage_options : dict, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. A NumPy array is what there is.

    Returns
    -------
    Group

    Raises
    ------
    GroupNotFoundError
        There is no group and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.
    """
    check_unsupported(meta_array)
    version = asked_format(zarr_version, zarr_format)
    path = normalize_path(path)
    target = open_store(store, mode, storage_options)
    chunk_target = _open_chunks(chunk_store, mode, storage_options)
    only = mode == "r"
    if mode in ("r", "r+", "a"):
        try:
            return Group(
                target, path, only, chunk_target, cache_attrs, synchronizer, version, cache_bytes=cache_bytes
            )
        except GroupNotFoundError as err:
            if mode != "a":
                raise GroupNotFoundError(f"{err}; mode 'a' would create it") from None
    fmt = format_for(target, path, version)
    init_group(target, path, mode == "w", chunk_target, fmt, attributes)
    return Group(
        target, path, only, chunk_target, cache_attrs, synchronizer, fmt.version, cache_bytes=cache_bytes
    )


def create_group(
    store: Any = None,
    *,
    path: str | None = None,
    zarr_format: int | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
    storage_options: Any = None,
) -> Group:
    """Create a group; zarr 3's name for `open_group` with the mode ``"w-"``, or ``"w"`` if `overwrite`.

    Parameters
    ----------
    store, path, zarr_format, attributes, storage_options
        As for `open_group`.
    overwrite : bool, optional
        Replace what is there.

    Returns
    -------
    Group
    """
    return open_group(
        store,
        "w" if overwrite else "w-",
        path=path,
        storage_options=storage_options,
        zarr_format=zarr_format,
        attributes=attributes,
    )


# ---- either


def open(
    store: Any = None,
    mode: Mode = "a",
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    path: str | None = None,
    **kwargs: Any,
) -> Array | Group:
    """Open the array or group that is there, or create one: an array if `shape` is given, else a group.

    Parameters
    ----------
    store, path
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a node of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    **kwargs
        Parameters of `open_array` or `open_group`.

    Returns
    -------
    Array or Group

    Raises
    ------
    MixedFormatsError
        Nodes of both formats are there, and no version is given.
    PathNotFoundError
        Nothing is there and `mode` does not create it.
    """
    version = asked_format(zarr_version, zarr_format)
    path = normalize_path(path)
    # For a store that is open, as this one is further on, storage options mean nothing.
    target = open_store(store, mode, kwargs.get("storage_options"))
    if "shape" in kwargs and mode not in ("r", "r+"):
        return open_array(target, mode, path=path, zarr_format=version, **kwargs)
    if mode in ("r", "r+", "a"):
        try:
            # Not to be made here; and looking whether it is there first would be one access more.
            allowed: Mode = "r" if mode == "r" else "r+"
            return open_array(target, allowed, path=path, zarr_format=version, **kwargs)
        except ContainsGroupError:
            pass
        except ArrayNotFoundError:
            if mode != "a":
                raise PathNotFoundError(f"nothing at path {'/' + path!r} in {target!r}") from None
    return open_group(target, mode, path=path, zarr_format=version, **kwargs)
