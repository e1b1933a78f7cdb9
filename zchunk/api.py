"""What users call to open arrays and groups, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from typing import Any

from zchunk.array import Array
from zchunk.compat import check_unsupported
from zchunk.creation import create
from zchunk.errors import (
    ArrayNotFoundError,
    ConsolidatedMetadataNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    PathNotFoundError,
)
from zchunk.group import Group
from zchunk.keys import CONSOLIDATED_KEY, normalize_path
from zchunk.metadata import consolidated
from zchunk.nodes import init_group
from zchunk.storage import ConsolidatedMetadataStore, Store, contains_array, contains_group, open_store
from zchunk.storage.base import Mode


def _open_chunks(chunk_store: Any, mode: Any = "a", storage_options: Any = None) -> Store | None:
    return None if chunk_store is None else open_store(chunk_store, mode, storage_options)


# ---- open


def open_array(
    store: Any = None,
    mode: Mode = "a",
    shape: Any = None,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    fill_value: Any = 0,
    order: str = "C",
    synchronizer: Any = None,
    filters: Any = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    path: str | None = None,
    object_codec: Any = None,
    chunk_store: Any = None,
    storage_options: Any = None,
    partial_decompress: Any = None,
    write_empty_chunks: bool = True,
    *,
    zarr_version: int | None = None,
    dimension_separator: str | None = None,
    meta_array: Any = None,
) -> Array:
    """Open an array, or create one.

    Parameters
    ----------
    store : path, MutableMapping or None, optional
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        ``r`` reads and ``r+`` changes what is there; ``a`` creates it if need be; ``w`` replaces; ``w-`` or
        ``x`` create and fail if something is there.
    shape, chunks, dtype, compressor, fill_value, order, filters, dimension_separator
        Of an array that is created, as for `create`.
    synchronizer, cache_metadata, cache_attrs, path, chunk_store, write_empty_chunks
        As for `create`.
    partial_decompress : object, optional
        Ignored: of a chunk no more is decoded than is wanted, where the codecs allow it.
    storage_options : dict, optional
        Options of the file system, if `store` or `chunk_store` is a URL.
    object_codec, zarr_version, meta_array : optional
        zarr's. None, format 2 and a NumPy array are what there is.

    Returns
    -------
    Array

    Raises
    ------
    ArrayNotFoundError
        There is no array and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.
    """
    check_unsupported(zarr_version, meta_array, object_codec)
    path = normalize_path(path)
    target = open_store(store, mode, storage_options)
    chunk_target = _open_chunks(chunk_store, mode, storage_options)
    if mode in ("r", "r+", "a"):
        try:
            return Array(
                target,
                path,
                mode == "r",
                chunk_target,
                synchronizer,
                cache_metadata,
                cache_attrs,
                write_empty_chunks=write_empty_chunks,
            )
        except ArrayNotFoundError:
            if contains_group(target, path):
                message = f"a group, not an array, is at {'/' + path!r} in {target!r}"
                raise ContainsGroupError(message) from None
            if mode != "a":
                raise ArrayNotFoundError(
                    f"no array at path {'/' + path!r} in {target!r}; mode 'a' or 'w' would create it"
                ) from None
    if shape is None:
        raise TypeError(f"creating an array at {'/' + path!r} in {target!r} needs a shape")
    return create(
        shape,
        chunks,
        dtype,
        compressor,
        fill_value,
        order,
        target,
        synchronizer,
        mode == "w",
        path,
        chunk_target,
        filters,
        cache_metadata,
        cache_attrs,
        dimension_separator=dimension_separator,
        write_empty_chunks=write_empty_chunks,
    )


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
    meta_array: Any = None,
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    store, chunk_store, cache_attrs, synchronizer, path
        As for `create`.
    overwrite : bool, optional
        Replace what is there.
    zarr_version, meta_array : optional
        zarr's. Format 2 and a NumPy array are what there is.

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
    check_unsupported(zarr_version, meta_array)
    target, chunk_target = open_store(store), _open_chunks(chunk_store)
    if overwrite or not contains_group(target, normalize_path(path)):
        init_group(target, path, overwrite, chunk_target)
    return Group(target, path, False, chunk_target, cache_attrs, synchronizer)


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
    meta_array: Any = None,
) -> Group:
    """Open a group, or create one.

    Parameters
    ----------
    store, cache_attrs, synchronizer, path, chunk_store
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    storage_options : dict, optional
        As for `open_array`.
    zarr_version, meta_array : optional
        zarr's. Format 2 and a NumPy array are what there is.

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
    check_unsupported(zarr_version, meta_array)
    path = normalize_path(path)
    target = open_store(store, mode, storage_options)
    chunk_target = _open_chunks(chunk_store, mode, storage_options)
    if mode in ("r", "r+", "a"):
        if contains_array(target, path):
            raise ContainsArrayError(f"an array, not a group, is at {'/' + path!r} in {target!r}")
        if not contains_group(target, path):
            if mode != "a":
                raise GroupNotFoundError(
                    f"no group at path {'/' + path!r} in {target!r}; mode 'a' would create it"
                )
            init_group(target, path, chunk_store=chunk_target)
    else:
        init_group(target, path, mode == "w", chunk_target)
    return Group(target, path, mode == "r", chunk_target, cache_attrs, synchronizer)


# ---- either


def open(
    store: Any = None,
    mode: Mode = "a",
    *,
    zarr_version: int | None = None,
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
    zarr_version : {None, 2}, optional
        Version of the format.
    **kwargs
        Parameters of `open_array` or `open_group`.

    Returns
    -------
    Array or Group

    Raises
    ------
    PathNotFoundError
        Nothing is there and `mode` does not create it.
    """
    check_unsupported(zarr_version)
    path = normalize_path(path)
    # For a store that is open, as this one is further on, storage options mean nothing.
    target = open_store(store, mode, kwargs.get("storage_options"))
    if "shape" in kwargs and mode not in ("r", "r+"):
        return open_array(target, mode, path=path, **kwargs)
    if mode in ("r", "r+", "a"):
        try:
            # Not to be made here; and looking whether it is there first would be one access more.
            return open_array(target, "r" if mode == "r" else "r+", path=path, **kwargs)
        except ContainsGroupError:
            pass
        except ArrayNotFoundError:
            if mode != "a":
                raise PathNotFoundError(f"nothing at path {'/' + path!r} in {target!r}") from None
    return open_group(target, mode, path=path, **kwargs)


# ---- consolidated metadata


def consolidate_metadata(
    store: Any, metadata_key: str = CONSOLIDATED_KEY, *, path: str | None = ""
) -> Group | Array:
    """Collect the metadata of everything in a store under one key, so that opening it is one read.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`.
    metadata_key : str, optional
        The key.
    path : str, optional
        Of the node that is returned.

    Returns
    -------
    Group or Array
        The node, opened through the consolidated metadata. They do not follow later changes.

    Raises
    ------
    PathNotFoundError
        Nothing is in the store, or at `path`.
    MetadataError
        Some of the metadata cannot be understood.
    """
    target = open_store(store, "r+")
    found = consolidated.build(target)
    if not found["metadata"]:
        raise PathNotFoundError(f"no array or group is in {target!r}: nothing to consolidate")
    target[metadata_key] = consolidated.render(found)
    return open_consolidated(target, metadata_key, path=path)


def open_consolidated(
    store: Any, metadata_key: str = CONSOLIDATED_KEY, mode: Mode = "r+", **kwargs: Any
) -> Group | Array:
    """Open a hierarchy by its consolidated metadata.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`.
    metadata_key : str, optional
        Where `consolidate_metadata` put them.
    mode : {"r", "r+"}, optional
        With ``r+`` chunks may be written; metadata and attributes are read-only either way.
    **kwargs
        Parameters of `open`.

    Returns
    -------
    Array or Group

    Raises
    ------
    ConsolidatedMetadataNotFoundError
        There are no consolidated metadata.
    MetadataError
        They cannot be understood.
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}; consolidated metadata can be opened with 'r' or 'r+'")
    target = open_store(store, mode, kwargs.get("storage_options"))
    if kwargs.get("chunk_store") is None:
        kwargs["chunk_store"] = target
    try:
        metadata = ConsolidatedMetadataStore(target, metadata_key)
    except KeyError:
        raise ConsolidatedMetadataNotFoundError(
            f"no consolidated metadata at {metadata_key!r} in {target!r}; make them with consolidate_metadata"
        ) from None
    return open(metadata, mode, **kwargs)
