"""Opening what is there, or creating it if need be, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zchunk.core.array import Array
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ArrayNotFoundError, ContainsGroupError
from zchunk.metadata.formats import find
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import normalize_path
from zchunk.spec.versions import asked_format, check_unsupported
from zchunk.storage import open_store
from zchunk.storage.base import Mode

if TYPE_CHECKING:
    pass

# Who opens an array to read it makes nothing, and has no groups.
_creating = LazyModule("zchunk.creation.arrays")
_h5names = LazyModule("zchunk.creation.h5py_names")
_hierarchy = LazyModule("zchunk.hierarchy.groups")
_likeness = LazyModule("zchunk.creation.likeness")
_nodes = LazyModule("zchunk.creation.nodes")

_NO_CODECS: frozenset[str] = frozenset()


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
    zarr_format: int | None = None,
    dimension_separator: str | None = None,
    shards: Any = None,
    compressors: Any = "auto",
    serializer: Any = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    attributes: Mapping[str, Any] | None = None,
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
    shape, chunks, shards, dtype, compressor, compressors, serializer, fill_value, order, filters
        Of an array that is created, as for `create`.
    dimension_separator, chunk_key_encoding, dimension_names, attributes
        Of an array that is created, as for `create`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only an array of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    synchronizer, cache_metadata, cache_attrs, path, chunk_store, write_empty_chunks, cache_bytes
        As for `create`.
    partial_decompress : object, optional
        Ignored: of a chunk no more is decoded than is wanted, where the codecs allow it.
    object_codec, storage_options
        As for `create`.
    meta_array : optional
        zarr's. A NumPy array is what there is.
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
    MixedFormatsError
        Nodes of both formats are there, and no version is given; or an array would be made in a group of the
        other one.
    """
    check_unsupported(meta_array)
    version = asked_format(zarr_version, zarr_format)
    # Of `open_like`, whose codecs are not the user's word on what is stored.
    trusted = kwargs.pop("_trusted", None)
    if trusted is None:
        trusted = _NO_CODECS
        if not (object_codec is filters is None and isinstance(compressor, str)):
            given = {"object_codec": object_codec, "compressor": compressor, "filters": filters}
            trusted = _likeness.trusted_codecs(given)
    if kwargs:
        compressor, fill_value = _h5names.translate(compressor, fill_value, kwargs)
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
                zarr_version=version,
                cache_bytes=cache_bytes,
            )
        except ArrayNotFoundError:
            if find(target, path, version) is not None:
                message = f"a group, not an array, is at {'/' + path!r} in {target!r}"
                raise ContainsGroupError(message) from None
            if mode != "a":
                raise ArrayNotFoundError(
                    f"no array at path {'/' + path!r} in {target!r}; mode 'a' or 'w' would create it"
                ) from None
    if shape is None:
        # What is in the way is the likelier reason.
        if mode != "w":
            _nodes.check_absent(target, path)
        raise TypeError(f"creating an array at {'/' + path!r} in {target!r} needs a shape")
    made: Array = _creating.create(
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
        zarr_format=version,
        shards=shards,
        compressors=compressors,
        serializer=serializer,
        chunk_key_encoding=chunk_key_encoding,
        dimension_names=dimension_names,
        attributes=attributes,
        cache_bytes=cache_bytes,
    )
    return made


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
    trusted = _likeness.trusted_codecs(kwargs)
    return open_array(path, **_likeness.parameters_like(a, kwargs), _trusted=trusted)


