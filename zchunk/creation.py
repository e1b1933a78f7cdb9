"""Creating arrays: what users call, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zchunk.array import Array
from zchunk.compat import check_unsupported
from zchunk.keys import normalize_path
from zchunk.nodes import init_array, make_metadata, takes_size_of_data
from zchunk.storage import open_store
from zchunk.values import convert


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
    object_codec: Any = None,
    dimension_separator: str | None = None,
    write_empty_chunks: bool = True,
    *,
    zarr_version: int | None = None,
    meta_array: Any = None,
    storage_transformers: Sequence[Any] = (),
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
    object_codec, zarr_version, meta_array, storage_transformers : optional
        zarr's. None or ``()``, format 2 and a NumPy array are what there is.

    Returns
    -------
    Array

    Raises
    ------
    CodecError
        There is no such codec or filter.
    ContainsArrayError, ContainsGroupError
        Something is there and `overwrite` is false.
    InvalidKeyError
        No array can be at `path`.
    MetadataError
        There can be no such array; for instance its chunks are larger than the codec can take.
    """
    check_unsupported(zarr_version, meta_array, object_codec, storage_transformers)
    target = open_store(store)
    chunk_target = None if chunk_store is None else open_store(chunk_store)
    own = target._dimension_separator
    metadata = make_metadata(
        shape, chunks, dtype, compressor, fill_value, order, filters, dimension_separator, own
    )
    init_array(target, path, metadata, overwrite, chunk_target)
    return Array(
        target,
        path,
        read_only,
        chunk_target,
        synchronizer,
        cache_metadata,
        cache_attrs,
        write_empty_chunks=write_empty_chunks,
    )


def empty(shape: Any, **kwargs: Any) -> Array:
    """Create an array without a fill value. Parameters are those of `create`.

    Returns
    -------
    Array
    """
    return create(shape, fill_value=None, **kwargs)


def zeros(shape: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value 0. Parameters are those of `create`.

    Returns
    -------
    Array
    """
    return create(shape, fill_value=0, **kwargs)


def ones(shape: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value 1. Parameters are those of `create`.

    Returns
    -------
    Array
    """
    return create(shape, fill_value=1, **kwargs)


def full(shape: Any, fill_value: Any, **kwargs: Any) -> Array:
    """Create an array with the fill value `fill_value`. Other parameters are those of `create`.

    Returns
    -------
    Array
    """
    return create(shape, fill_value=fill_value, **kwargs)


def array(data: Any, **kwargs: Any) -> Array:
    """Create an array that holds `data`.

    Parameters
    ----------
    data : array-like
        Shape and dtype, and the chunks if it has some, are taken from it unless given. It may be the array
        that is replaced.
    **kwargs
        Parameters of `create`. A `dtype` of text without a size, such as ``str``, takes that of the data.

    Returns
    -------
    Array

    Raises
    ------
    ValueError, TypeError
        The data cannot be converted to the dtype; or what `create` raises. Nothing was overwritten then.
    """
    dtype, chunks = kwargs.get("dtype"), kwargs.get("chunks")
    chunks = chunks_of(data) if chunks is None else chunks
    if takes_size_of_data(dtype) or np.dtype(dtype).subdtype is not None:
        # NumPy finds the size, or the axes that a sub-array adds.
        data, dtype = np.asarray(data, dtype), None
    elif not hasattr(data, "shape") or not hasattr(data, "dtype"):
        data = np.asanyarray(data)
    dtype = np.dtype(data.dtype if dtype is None else dtype)
    # Read and converted before anything is overwritten: it may be just that, or impossible.
    items = convert(data, dtype, normalize_path(kwargs.get("path")))
    read_only = kwargs.pop("read_only", False)
    result = create(**kwargs | {"shape": items.shape, "dtype": dtype, "chunks": chunks})
    result[...] = items
    result.read_only = read_only
    return result


def chunks_of(a: Any) -> Any:
    """Return the chunk shape of an array-like that has one, else None, which stands for a guess."""
    chunks: Any = getattr(a, "chunks", None)
    # dask's are tuples of tuples.
    regular = isinstance(chunks, tuple) and all(isinstance(length, int | np.integer) for length in chunks)
    return chunks if regular and len(chunks) == len(a.shape) else None


def _like(a: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return `kwargs` with what is not given taken from the array `a`."""
    if not hasattr(a, "shape"):
        a = np.asanyarray(a)
    found = {"shape": a.shape, "chunks": chunks_of(a), "dtype": getattr(a, "dtype", None)}
    if isinstance(a, Array):
        found |= {"compressor": a.compressor, "order": a.order, "filters": a.filters}
    return found | kwargs


def empty_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, without a fill value.

    Returns
    -------
    Array
    """
    return empty(**_like(a, kwargs))


def zeros_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value 0.

    Returns
    -------
    Array
    """
    return zeros(**_like(a, kwargs))


def ones_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value 1.

    Returns
    -------
    Array
    """
    return ones(**_like(a, kwargs))


def full_like(a: Any, **kwargs: Any) -> Array:
    """Create an array like `a`, with the fill value `fill_value` (by default that of `a`, if it has one).

    Returns
    -------
    Array
    """
    if isinstance(a, Array):
        kwargs.setdefault("fill_value", a.fill_value)
    return full(**_like(a, kwargs))
