"""Opening arrays, or creating them if need be: what users call, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from typing import Any

from zchunk import h5names
from zchunk.array import Array
from zchunk.chunk_cache import ChunkCache
from zchunk.codecs.registry import trusted_ids
from zchunk.compat import check_unsupported
from zchunk.creating import create
from zchunk.errors import ArrayNotFoundError, ContainsGroupError
from zchunk.keys import normalize_path
from zchunk.likeness import parameters_like
from zchunk.nodes import check_absent
from zchunk.storage import contains_group, open_store
from zchunk.storage.base import Mode


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
    cache_bytes: int | ChunkCache | None = None,
    **kwargs: Any,
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
    synchronizer, cache_metadata, cache_attrs, path, chunk_store, write_empty_chunks, cache_bytes
        As for `create`.
    partial_decompress : object, optional
        Ignored: of a chunk no more is decoded than is wanted, where the codecs allow it.
    object_codec, storage_options, zarr_version, meta_array : optional
        zarr's. None, format 2 and a NumPy array are what there is.
    **kwargs
        h5py's names, as for `create`.

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
    check_unsupported(zarr_version, meta_array)
    # Of `open_like`, whose codecs are not the user's word on what is stored.
    trusted = kwargs.pop("_trusted", None)
    if trusted is None:
        trusted = trusted_ids(object_codec, compressor, *(filters or ()))
    compressor, fill_value = h5names.translate(compressor, fill_value, kwargs)
    path = normalize_path(path)
    target = open_store(store, mode, storage_options)
    chunk_target = None if chunk_store is None else open_store(chunk_store, mode, storage_options)
    if mode in ("r", "r+", "a"):
        try:
            return Array._trusting(
                trusted,
                target,
                path,
                mode == "r",
                chunk_target,
                synchronizer,
                cache_metadata,
                cache_attrs,
                write_empty_chunks=write_empty_chunks,
                cache_bytes=cache_bytes,
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
        # What is in the way is the likelier reason.
        if mode != "w":
            check_absent(target, path)
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
        object_codec=object_codec,
        dimension_separator=dimension_separator,
        write_empty_chunks=write_empty_chunks,
        cache_bytes=cache_bytes,
    )


def open_like(a: Any, path: Any, **kwargs: Any) -> Array:
    """Open an array at the store `path`, or create one like the array `a`.

    Parameters
    ----------
    a : array-like
        Gives what `kwargs` do not: shape, chunks, dtype, and if it is an `Array` the codecs, order and fill
        value.
    path : path, MutableMapping or None
        The store, as for `create`.
    **kwargs
        Parameters of `open_array`. An array that is there may decode pickles only if a codec here says so.

    Returns
    -------
    Array
    """
    if isinstance(a, Array):
        kwargs.setdefault("fill_value", a.fill_value)
    given = (kwargs.get(name) for name in ("object_codec", "compressor"))
    trusted = trusted_ids(*given, *(kwargs.get("filters") or ()))
    return open_array(path, **parameters_like(a, kwargs), _trusted=trusted)
