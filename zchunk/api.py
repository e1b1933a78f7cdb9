"""What users call: create, open, save and load arrays and groups. Names and defaults are zarr 2.18's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zchunk.array import Array
from zchunk.creation import init_array, init_group, make_metadata
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    PathNotFoundError,
)
from zchunk.group import Group
from zchunk.keys import CONSOLIDATED_KEY, normalize_path
from zchunk.metadata import consolidated
from zchunk.metadata.consolidated import ConsolidatedMetadataStore
from zchunk.storage import as_store, contains_array, contains_group, open_store
from zchunk.storage.base import Store

_MODES = ("r", "r+", "a", "w", "w-", "x")


def _open(store: Any, mode: str = "a") -> Store:
    """Return a user's store argument as a store."""
    if mode not in _MODES:
        raise ValueError(f"mode is {mode!r}, not one of {', '.join(map(repr, _MODES))}")
    return as_store(open_store(store, mode))  # type: ignore[arg-type]


def _open_chunks(chunk_store: Any, mode: str = "a") -> Store | None:
    return None if chunk_store is None else _open(chunk_store, mode)


# ---- arrays


def create(
    shape: Any,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    fill_value: Any = 0,
    order: str = "C",
    store: Any = None,
    synchronizer: Any = None,
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: Any = None,
    filters: Any = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    read_only: bool = False,
    dimension_separator: str | None = None,
    write_empty_chunks: bool = True,
) -> Array:
    """Create an array.

    Parameters
    ----------
    shape : int or sequence of int
        Length of every axis.
    chunks : int, sequence of int or bool, optional
        Length of a chunk along every axis. True: a good guess; False: one chunk.
    dtype : dtype-like, optional
        Type of an item, float64 by default.
    compressor : codec, dict or None, optional
        ``Blosc(cname="lz4", clevel=5, shuffle=1)`` by default.
    fill_value : scalar or None, optional
        Value of items that were never written.
    order : {"C", "F"}, optional
        Layout of the items in a chunk.
    store : path, MutableMapping or None, optional
        A folder, a file ``*.zip``, or any mapping of strings to bytes; memory by default.
    synchronizer : mapping of keys to locks, optional
        Held by chunk key while a chunk changes.
    overwrite : bool, optional
        Replace what is there.
    path : str, optional
        Of the array in the store.
    chunk_store : as `store`, optional
        Holds the chunks, if they shall not be in `store`.
    filters : sequence of codecs, optional
        What chunks pass before the compressor.
    cache_metadata, cache_attrs : bool, optional
        Read metadata and attributes once, not before every operation.
    read_only : bool, optional
        Refuse changes through the result.
    dimension_separator : {".", "/"}, optional
        What stands between the coordinates in a chunk's key.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value.

    Returns
    -------
    Array

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is there and `overwrite` is false.
    MetadataError
        There can be no such array; for instance its chunks are larger than the codec can take.
    """
    target, chunk_target = _open(store), _open_chunks(chunk_store)
    own = getattr(target, "_dimension_separator", None)
    if own is not None and dimension_separator not in (None, own):
        raise ValueError(f"dimension_separator {dimension_separator!r} conflicts with the store's {own!r}")
    metadata = make_metadata(
        shape, chunks, dtype, compressor, fill_value, order, filters, dimension_separator or own
    )
    init_array(target, path, metadata, overwrite, chunk_target)
    return Array(
        target, path, read_only, chunk_target, synchronizer, cache_metadata, cache_attrs, write_empty_chunks
    )


def empty(shape: Any, **kwargs: Any) -> Array:
    """Create an array without a fill value. Parameters are those of `create`."""
    return create(shape, fill_value=None, **kwargs)


def zeros(shape: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value 0. Parameters are those of `create`."""
    return create(shape, fill_value=0, **kwargs)


def ones(shape: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value 1. Parameters are those of `create`."""
    return create(shape, fill_value=1, **kwargs)


def full(shape: Any, fill_value: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value `fill_value`. Other parameters are those of `create`."""
    return create(shape, fill_value=fill_value, **kwargs)


def array(data: Any, **kwargs: Any) -> Array:
    """Create an array that holds `data`.

    Parameters
    ----------
    data : array-like
        Shape and dtype, and the chunks if it has some, are taken from it unless given.
    **kwargs
        Parameters of `create`.
    """
    if not hasattr(data, "shape") or not hasattr(data, "dtype"):
        data = np.asanyarray(data)
    chunks = getattr(data, "chunks", None)
    # dask's are tuples of tuples.
    if chunks is not None and all(isinstance(length, int) for length in chunks):
        kwargs.setdefault("chunks", chunks)
    kwargs.setdefault("shape", data.shape)
    kwargs.setdefault("dtype", data.dtype)
    read_only = kwargs.pop("read_only", False)
    result = create(**kwargs)
    result[...] = data
    result.read_only = read_only
    return result


def _like(a: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return `kwargs` with what is not given taken from the array `a`."""
    if not hasattr(a, "shape"):
        a = np.asanyarray(a)
    found = {"shape": a.shape}
    for name in ("dtype", "chunks", "order", "filters", "fill_value"):
        if hasattr(a, name):
            found[name] = getattr(a, name)
    if isinstance(a, Array):
        found["compressor"] = a.compressor
    return {**found, **kwargs}


def empty_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, without a fill value."""
    return create(**_like(a, {"fill_value": None, **kwargs}))


def zeros_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value 0."""
    return create(**_like(a, {"fill_value": 0, **kwargs}))


def ones_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value 1."""
    return create(**_like(a, {"fill_value": 1, **kwargs}))


def full_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value `fill_value` (by default that of `a`)."""
    return create(**_like(a, kwargs))


def open_array(
    store: Any = None,
    mode: str = "a",
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
    target, chunk_target = _open(store, mode), _open_chunks(chunk_store, mode)
    path = normalize_path(path)
    exists = contains_array(target, path)
    if not exists and mode in ("r", "r+"):
        if contains_group(target, path):
            raise ContainsGroupError(f"a group, not an array, is at {'/' + path!r} in {target!r}")
        raise ArrayNotFoundError(f"no array at path {'/' + path!r} in {target!r}; mode 'a' or 'w' would create it")
    if exists and mode in ("r", "r+", "a"):
        return Array(
            target, path, mode == "r", chunk_target, synchronizer, cache_metadata, cache_attrs, write_empty_chunks
        )
    if shape is None:
        raise TypeError(f"no array is at {'/' + path!r} in {target!r}; creating one needs a shape")
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
    target, chunk_target = _open(store), _open_chunks(chunk_store)
    if overwrite or not contains_group(target, normalize_path(path)):
        init_group(target, path, overwrite, chunk_target)
    return Group(target, path, False, chunk_target, cache_attrs, synchronizer)


def open_group(
    store: Any = None,
    mode: str = "a",
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
    target, chunk_target = _open(store, mode), _open_chunks(chunk_store, mode)
    path = normalize_path(path)
    if mode in ("r", "r+", "a"):
        if contains_array(target, path):
            raise ContainsArrayError(f"an array, not a group, is at {'/' + path!r} in {target!r}")
        if not contains_group(target, path):
            if mode != "a":
                raise GroupNotFoundError(f"no group at path {'/' + path!r} in {target!r}; mode 'a' would create it")
            init_group(target, path, chunk_store=chunk_target)
    else:
        init_group(target, path, mode == "w", chunk_target)
    return Group(target, path, mode == "r", chunk_target, cache_attrs, synchronizer)


# ---- either


def open(store: Any = None, mode: str = "a", *, path: str | None = None, **kwargs: Any) -> Array | Group:
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
    target = _open(store, mode)
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
    target = _open(store, "w")
    try:
        if len(args) == 1 and not kwargs:
            array(args[0], store=target, path=path, overwrite=True)
            return
        members = {f"arr_{i}": data for i, data in enumerate(args)}
        if clash := members.keys() & kwargs.keys():
            raise ValueError(f"two arrays would have the name {min(clash)!r}")
        parent = group(target, overwrite=True, path=path)
        for name, data in {**members, **kwargs}.items():
            parent.array(name, data)
    finally:
        if target is not store:
            target.close()


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


def consolidate_metadata(store: Any, metadata_key: str = CONSOLIDATED_KEY, *, path: str | None = None) -> Group | Array:
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
        The node, opened through the consolidated metadata. They do not follow later changes: consolidate again.
    """
    target = _open(store, "r+")
    target[metadata_key] = consolidated.render(consolidated.build(target))
    return open_consolidated(target, metadata_key, path=path)


def open_consolidated(
    store: Any, metadata_key: str = CONSOLIDATED_KEY, mode: str = "r+", **kwargs: Any
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
    MetadataError
        There are no consolidated metadata, or none that can be understood.
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}; consolidated metadata can be opened with 'r' or 'r+'")
    target = _open(store, mode)
    chunk_store = kwargs.pop("chunk_store", None) or target
    return open(ConsolidatedMetadataStore(target, metadata_key), mode, chunk_store=chunk_store, **kwargs)
