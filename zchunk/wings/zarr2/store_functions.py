"""What zarr 2.18 has among the stores and is about nodes: making them without an object, moving, erasing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zchunk.creation.nodes import format_for
from zchunk.creation.nodes import init_array as put_array
from zchunk.creation.nodes import init_group as put_group
from zchunk.creation.parameters import DEFAULT_COMPRESSOR as default_compressor
from zchunk.creation.parameters import make_metadata
from zchunk.creation.recipe import ArrayRecipe
from zchunk.engine import chunk_cache
from zchunk.spec.keys import normalize_path
from zchunk.spec.versions import asked_format, check_unsupported
from zchunk.storage.base import Store
from zchunk.storage.resolve import open_store, using_store

if TYPE_CHECKING:
    from zchunk.typing import (
        ChunksLike,
        CodecLike,
        CompressorLike,
        DimensionSeparator,
        DTypeLike,
        FillValue,
        FiltersLike,
        MemoryOrder,
        ShapeLike,
        StoreLike,
        ZarrFormat,
    )

__all__ = ["default_compressor", "init_array", "init_group", "init_store", "rename", "rmdir"]


def init_array(
    store: StoreLike,
    shape: ShapeLike,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CompressorLike = "default",
    fill_value: FillValue = None,
    order: MemoryOrder = "C",
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: StoreLike = None,
    filters: FiltersLike = None,
    object_codec: CodecLike | None = None,
    dimension_separator: DimensionSeparator | None = None,
    storage_transformers: Sequence[object] = (),
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
) -> None:
    """Put an array without chunks into a store.

    Parameters
    ----------
    store, chunk_store : path or MutableMapping
        The store, and that of the chunks if it is another (from which they are erased with `overwrite`).
    shape, chunks, dtype, compressor, order, filters, dimension_separator, object_codec, storage_transformers
        As for `zchunk.create`.
    fill_value : scalar or None, optional
        Value of items that were never written. None here, unlike for `zchunk.create`.
    overwrite : bool, optional
        Replace what is there.
    path : str, optional
        Of the array in the store.
    zarr_format : {None, 2, 3}, optional
        Version of the format, as for `zchunk.create`. `zarr_version` means the same.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is there and `overwrite` is false.

    Examples
    --------
    >>> import zchunk
    >>> store = {}
    >>> zchunk.storage.init_array(store, shape=4, chunks=2)
    >>> list(store)
    ['.zarray']
    """
    check_unsupported(storage_transformers=storage_transformers)
    version = asked_format(zarr_version, zarr_format)
    target, path = open_store(store), normalize_path(path)
    recipe = ArrayRecipe(
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        # Older programs say that there is none with an empty list, or in so many letters.
        compressor=None if not compressor or compressor == "none" else compressor,
        fill_value=fill_value,
        order=order,
        dimension_separator=dimension_separator,
        filters=filters,
        object_codec=object_codec,
    )
    fmt = format_for(target, path, version)
    metadata = make_metadata(recipe, fmt.version, target._dimension_separator)
    put_array(target, path, metadata, overwrite, _chunks(chunk_store))


init_store = init_array


def init_group(
    store: StoreLike,
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: StoreLike = None,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
) -> None:
    """Put a group without members into a store. Parameters are those of `init_array`.

    Examples
    --------
    >>> import zchunk
    >>> store = {}
    >>> zchunk.storage.init_group(store)
    >>> list(store)
    ['.zgroup']
    """
    target, path = open_store(store), normalize_path(path)
    fmt = format_for(target, path, asked_format(zarr_version, zarr_format))
    put_group(target, path, overwrite, _chunks(chunk_store), fmt)


def rmdir(store: StoreLike, path: str | None = None) -> None:
    """Delete every key of any store below `path`, and forget the chunks that are cached of it.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2], store=store, path="a")
    >>> zchunk.storage.rmdir(store, "a")
    >>> sorted(store)
    ['.zgroup']
    """
    with using_store(store, "r+") as target:
        try:
            target.rmdir(path)
        finally:
            chunk_cache.forget(target, normalize_path(path))


def rename(store: StoreLike, src_path: str, dst_path: str) -> None:
    """Move a key and all keys below it, in any store; as with `rmdir`, nothing of it stays in caches.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2], store=store, path="a")
    >>> zchunk.storage.rename(store, "a", "b")
    >>> zchunk.open_array(store, mode="r", path="b")[:]
    array([1, 2])
    """
    with using_store(store, "r+") as target:
        try:
            target.rename(src_path, dst_path)
        finally:
            for path in (src_path, dst_path):
                chunk_cache.forget(target, normalize_path(path))


def _chunks(chunk_store: Any) -> Store | None:
    return None if chunk_store is None else open_store(chunk_store)
