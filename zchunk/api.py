"""What users call to open, save and load arrays and groups, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zchunk.array import Array
from zchunk.creation import array, create
from zchunk.dtypes import check_dtype
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
from zchunk.metadata.consolidated import ConsolidatedMetadataStore
from zchunk.nodes import init_group
from zchunk.storage import Store, contains_array, contains_group, open_store
from zchunk.storage.base import Mode


def _open_chunks(chunk_store: Any, mode: Any = "a") -> Store | None:
    return None if chunk_store is None else open_store(chunk_store, mode)


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
    chunk_store: Any = None,
    write_empty_chunks: bool = True,
    *,
    dimension_separator: str | None = None,
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

    Raises
    ------
    ArrayNotFoundError
        There is no array and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.
    """
    target, chunk_target = open_store(store, mode), _open_chunks(chunk_store, mode)
    path = normalize_path(path)
    exists = contains_array(target, path)
    if not exists and mode in ("r", "r+", "a"):
        if contains_group(target, path):
            raise ContainsGroupError(f"a group, not an array, is at {'/' + path!r} in {target!r}")
        if mode != "a":
            raise ArrayNotFoundError(
                f"no array at path {'/' + path!r} in {target!r}; mode 'a' or 'w' would create it"
            )
    if exists and mode in ("r", "r+", "a"):
        return Array(
            target,
            path,
            mode == "r",
            chunk_target,
            synchronizer,
            cache_metadata,
            cache_attrs,
            write_empty_chunks,
        )
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
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    store, chunk_store, cache_attrs, synchronizer, path
        As for `create`.
    overwrite : bool, optional
        Replace what is there.
    """
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
) -> Group:
    """Open a group, or create one.

    Parameters
    ----------
    store, cache_attrs, synchronizer, path, chunk_store
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.

    Raises
    ------
    GroupNotFoundError
        There is no group and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.
    """
    target, chunk_target = open_store(store, mode), _open_chunks(chunk_store, mode)
    path = normalize_path(path)
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


def open(store: Any = None, mode: Mode = "a", *, path: str | None = None, **kwargs: Any) -> Array | Group:
    """Open the array or group that is there, or create one: an array if `shape` is given, else a group.

    Parameters
    ----------
    store, path
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    **kwargs
        Parameters of `open_array` or `open_group`.

    Raises
    ------
    PathNotFoundError
        Nothing is there and `mode` does not create it.
    """
    target = open_store(store, mode)
    path = normalize_path(path)
    if "shape" in kwargs and mode not in ("r", "r+"):
        return open_array(target, mode, path=path, **kwargs)
    if mode in ("r", "r+", "a"):
        if contains_array(target, path):
            return open_array(target, mode, path=path, **kwargs)
        if mode != "a" and not contains_group(target, path):
            raise PathNotFoundError(f"nothing at path {'/' + path!r} in {target!r}")
    return open_group(target, mode, path=path, **kwargs)


def save(store: Any, *args: Any, path: str | None = None, **kwargs: Any) -> None:
    """Save one array, or several into a group, replacing what is there.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`; a file ``*.zip`` is closed at the end.
    *args : array-like
        One array is saved as it is; several as ``arr_0``, ``arr_1``, …
    path : str, optional
        Of the array or group in the store.
    **kwargs : array-like
        Saved by these names.
    """
    if not args and not kwargs:
        raise ValueError("nothing to save: give at least one array")
    members = {f"arr_{i}": data for i, data in enumerate(args)}
    if clash := members.keys() & kwargs.keys():
        raise ValueError(f"two arrays would have the name {min(clash)!r}")
    members = {name: _as_array(data) for name, data in {**members, **kwargs}.items()}
    target = open_store(store, "w")
    try:
        if len(args) == 1 and not kwargs:
            array(members["arr_0"], store=target, path=path, overwrite=True)
            return
        parent = group(target, overwrite=True, path=path)
        for name, data in members.items():
            parent.array(name, data)
    finally:
        if target is not store:
            target.close()


def _as_array(data: Any) -> Any:
    """Return array-like data as something with shape and dtype, before anything is replaced by it."""
    data = data if hasattr(data, "shape") and hasattr(data, "dtype") else np.asanyarray(data)
    check_dtype(np.dtype(data.dtype))
    return data


class LazyLoader(Mapping[str, Any]):
    """The arrays of a group by name, each read when it is first asked for."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._group[name][...]
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return self._group.array_keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._group

    def __repr__(self) -> str:
        return f"<LazyLoader: {', '.join(self)}>"


def load(store: Any, path: str | None = None) -> Any:
    """Load an array as a NumPy array, or a group as a mapping that loads its arrays when asked for.

    Parameters
    ----------
    store, path
        As for `create`.

    Raises
    ------
    PathNotFoundError
        Nothing is there.
    """
    node = open(store, "r", path=path)
    return node[...] if isinstance(node, Array) else LazyLoader(node)


# ---- consolidated metadata


def consolidate_metadata(
    store: Any, metadata_key: str = CONSOLIDATED_KEY, *, path: str | None = None
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

    Raises
    ------
    ConsolidatedMetadataNotFoundError
        There are no consolidated metadata.
    MetadataError
        They cannot be understood.
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}; consolidated metadata can be opened with 'r' or 'r+'")
    target = open_store(store, mode)
    if kwargs.get("chunk_store") is None:
        kwargs["chunk_store"] = target
    try:
        metadata = ConsolidatedMetadataStore(target, metadata_key)
    except KeyError:
        raise ConsolidatedMetadataNotFoundError(
            f"no consolidated metadata at {metadata_key!r} in {target!r}; make them with consolidate_metadata"
        ) from None
    return open(metadata, mode, **kwargs)
