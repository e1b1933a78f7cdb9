"""Nodes in a store: making the metadata of arrays and groups, with the groups above them; erasing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from zchunk import chunk_cache, storage
from zchunk.codecs import Blosc, Codec, as_codec
from zchunk.codecs.objects import object_dtype, object_filters
from zchunk.codecs.registry import trusted_ids
from zchunk.errors import (
    BadCompressorError,
    CodecError,
    ContainsArrayError,
    ContainsGroupError,
    InvalidKeyError,
    MetadataError,
)
from zchunk.fill_values import normalize_fill_value
from zchunk.grid import normalize_chunks, normalize_shape
from zchunk.keys import (
    ARRAY_KEY,
    ATTRS_KEY,
    CONSOLIDATED_KEY,
    GROUP_KEY,
    ChunkKeyEncoding,
    join,
    normalize_path,
    parents,
)
from zchunk.metadata.model import ArrayMetadata
from zchunk.metadata.v2 import parse_array, render_array, render_group
from zchunk.storage.base import Store
from zchunk.storage.functions import contains_array, contains_group

DEFAULT_COMPRESSOR = Blosc()
_RESERVED = {ARRAY_KEY, GROUP_KEY, ATTRS_KEY, CONSOLIDATED_KEY}


def new_path(path: str | bytes | None) -> str:
    """Return the normal form of the path of a node that shall be made.

    Raises
    ------
    InvalidKeyError
        It could leave the store, or a name in it is one that stores use for something else.
    """
    path = normalize_path(path)
    for name in path.split("/"):
        if name in _RESERVED or name.endswith(".partial"):
            raise InvalidKeyError(
                f"path {path!r} has the name {name!r}, which is kept for the store's own use"
            )
    return path


def takes_size_of_data(dtype: Any) -> bool:
    """Whether `dtype` is text or bytes of no size, such as ``"U"`` or ``"S"``: NumPy's "as long as need be".

    ``"S0"`` says a size, and a `numpy.dtype` has one.
    """
    if not isinstance(dtype, type) and not (isinstance(dtype, str) and not dtype.endswith("0")):
        return False
    found = np.dtype(dtype)
    return found.kind in "SUV" and found.names is None and not found.itemsize


def make_metadata(
    shape: Any,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    fill_value: Any = 0,
    order: str = "C",
    filters: Iterable[Any] | None = None,
    dimension_separator: str | None = None,
    store_separator: str | None = None,
    object_codec: Any = None,
) -> ArrayMetadata:
    """Return the metadata that the parameters of `zchunk.create` ask for.

    `store_separator` is what the store wants between chunk coordinates, if it says so.
    """
    if store_separator is not None and dimension_separator not in (None, store_separator):
        raise ValueError(
            f"dimension_separator is {dimension_separator!r}, but that of the store is {store_separator!r}"
        )
    separator = dimension_separator or store_separator
    if separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator is {separator!r}, not '.' or '/'")
    dtype, object_codec = object_dtype(dtype, object_codec)
    if takes_size_of_data(dtype):
        raise ValueError(f"dtype {dtype!r} has no fixed size; give one, for instance 'U10' or 'S10'")
    if isinstance(compressor, str) and compressor != "default":
        raise BadCompressorError(
            f"compressor is {compressor!r}; give a codec such as zchunk.codecs.Blosc(), or None"
        )
    dtype = np.dtype("f8" if dtype is None else dtype)
    # The axes of a sub-array dtype become axes of the array, as in NumPy.
    shape, dtype = normalize_shape(shape) + dtype.shape, dtype.base
    if not shape:
        # One item does not compress; zarr 2 stores it raw whatever is asked for.
        compressor = None
    elif isinstance(compressor, str):
        # zarr 2's place to set another one.
        compressor = vars(storage).get("default_compressor", DEFAULT_COMPRESSOR)
    metadata = ArrayMetadata(
        shape=shape,
        dtype=dtype,
        chunk_shape=normalize_chunks(chunks, shape, dtype.itemsize),
        fill_value=normalize_fill_value(fill_value, dtype),
        order=order.upper() if isinstance(order, str) else order,
        filters=object_filters(dtype, object_codec, _as_filters(filters)),
        compressors=() if compressor is None else (as_codec(compressor),),
        chunk_key_encoding=ChunkKeyEncoding("v2", separator or "."),
        dimension_separator=separator,
    )
    if dtype.names and dtype.hasobject and isinstance(fill_value, int) and not fill_value:
        # The default: no fill value reads the same.
        return metadata if _is_stored(metadata) else metadata.replace(fill_value=None)
    return metadata


def _is_stored(metadata: ArrayMetadata) -> bool:
    """Whether the fill value, with which the object codec has its own ways, can be read again."""
    try:
        found = _parsed_again(metadata, render_array(metadata)).fill_value
    except MetadataError:
        return False
    return found is not None and bool(found.item() == metadata.fill_value.item())


def _parsed_again(metadata: ArrayMetadata, raw: bytes) -> ArrayMetadata:
    trusted = trusted_ids(*metadata.codecs)
    return parse_array(raw, ARRAY_KEY, metadata.chunk_key_encoding.separator, trusted)


def _as_filters(filters: Iterable[Any] | None) -> tuple[Codec, ...]:
    if filters is None:
        return ()
    if isinstance(filters, str | Mapping) or not isinstance(filters, Iterable):
        raise CodecError(f"filters is a sequence of codecs, not {filters!r:.80}; write [codec] for one")
    return tuple(as_codec(codec) for codec in filters)


def init_array(
    store: Store,
    path: str | None,
    metadata: ArrayMetadata,
    overwrite: bool = False,
    chunk_store: Store | None = None,
) -> None:
    """Put an array without chunks at `path`.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is there, or an array is above, and `overwrite` is false.
    InvalidKeyError
        No node can be at `path`.
    """
    # All that can fail comes before what is there is erased.
    path, raw = new_path(path), render_array(metadata)
    _parsed_again(metadata, raw)
    _prepare(store, path, overwrite, chunk_store)
    store[join(path, ARRAY_KEY)] = raw


def init_group(
    store: Store, path: str | None, overwrite: bool = False, chunk_store: Store | None = None
) -> None:
    """Put a group without members at `path`. Raises as `init_array` does."""
    path = new_path(path)
    _prepare(store, path, overwrite, chunk_store)
    store[join(path, GROUP_KEY)] = render_group()


def require_parents(
    store: Store, path: str, overwrite: bool = False, chunk_store: Store | None = None
) -> None:
    """Make every group above `path` that is not there."""
    for parent in parents(path):
        if contains_array(store, parent):
            if not overwrite:
                raise ContainsArrayError(f"{'/' + path!r} cannot be made: an array is at {'/' + parent!r}")
            erase(store, parent, chunk_store)
        if not contains_group(store, parent):
            store[join(parent, GROUP_KEY)] = render_group()


def check_absent(store: Store, path: str) -> None:
    """Raise `ContainsArrayError` or `ContainsGroupError` if something is at `path`."""
    if contains_array(store, path):
        raise ContainsArrayError(
            f"an array is at {'/' + path!r} in {store!r}; use overwrite=True to replace it"
        )
    if contains_group(store, path):
        raise ContainsGroupError(
            f"a group is at {'/' + path!r} in {store!r}; use overwrite=True to replace it"
        )


def _prepare(store: Store, path: str, overwrite: bool, chunk_store: Store | None) -> None:
    if overwrite:
        erase(store, path, chunk_store)
    else:
        check_absent(store, path)
    require_parents(store, path, overwrite, chunk_store)
    # Something else may have been here, and have been moved away.
    chunk_cache.forget(store if chunk_store is None else chunk_store, path)


def erase(store: Store, path: str, chunk_store: Store | None) -> None:
    """Erase everything at and below `path`."""
    try:
        store.erase_prefix(path)
        if chunk_store is not None:
            chunk_store.erase_prefix(path)
    finally:
        chunk_cache.forget(store if chunk_store is None else chunk_store, path)
