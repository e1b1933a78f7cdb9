"""Opening the array that is there, or creating it if need be, with the names and defaults of zarr 2.18."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from zchunk.core.access import Access, absence, access_to
from zchunk.core.array import Array
from zchunk.core.properties import find_array
from zchunk.creation.recipe import ArrayRecipe
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ArrayNotFoundError, ContainsGroupError, ContainsNodeError
from zchunk.metadata.formats import find
from zchunk.runtime.lazy import LazyModule
from zchunk.storage import open_store
from zchunk.storage.base import Mode

if TYPE_CHECKING:
    from zchunk.creation import drafts, h5py_names, likeness, nodes
    from zchunk.creation.keywords import H5pyNames, OpenedArray
    from zchunk.storage import marks
    from zchunk.typing import (
        ArrayConfigLike,
        AttributesLike,
        ChunkKeyEncodingLike,
        ChunksLike,
        CodecLike,
        CompressorLike,
        CompressorsLike,
        DimensionNames,
        DimensionSeparator,
        DTypeLike,
        FillValue,
        FiltersLike,
        MemoryOrder,
        MetaArray,
        Missing,
        SerializerLike,
        ShapeLike,
        ShardsLike,
        StorageOptions,
        StoreLike,
        Synchronizer,
        TemplateLike,
        ZarrFormat,
    )
else:
    # A program that only reads arrays imports nothing that makes them.
    drafts = LazyModule("zchunk.creation.drafts")
    h5py_names = LazyModule("zchunk.creation.h5py_names")
    likeness = LazyModule("zchunk.creation.likeness")
    nodes = LazyModule("zchunk.creation.nodes")
    marks = LazyModule("zchunk.storage.marks")

_NO_CODECS: frozenset[str] = frozenset()


def open_array(
    store: StoreLike = None,
    mode: Mode = "a",
    shape: ShapeLike | None = None,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CompressorLike = "default",
    fill_value: FillValue = 0,
    order: MemoryOrder = "C",
    synchronizer: Synchronizer | None = None,
    filters: FiltersLike = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    path: str | None = None,
    object_codec: CodecLike | None = None,
    chunk_store: StoreLike = None,
    storage_options: StorageOptions | None = None,
    partial_decompress: bool | None = None,
    write_empty_chunks: bool | None = None,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    dimension_separator: DimensionSeparator | None = None,
    shards: ShardsLike = None,
    compressors: CompressorsLike = "auto",
    serializer: SerializerLike = None,
    chunk_key_encoding: ChunkKeyEncodingLike = None,
    dimension_names: DimensionNames = None,
    attributes: AttributesLike | None = None,
    checksum: bool = False,
    meta_array: MetaArray = None,
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
    **kwargs: Unpack[H5pyNames],
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
    dimension_separator, chunk_key_encoding, dimension_names, attributes, checksum
        Of an array that is created, as for `create`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only an array of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    synchronizer, cache_metadata, cache_attrs, path, chunk_store, write_empty_chunks, cache_bytes
        As for `create`.
    missing, config
        As for `create`.
    partial_decompress : object, optional
        Ignored: zchunk decodes no more of a chunk than a selection needs, where the codecs allow it.
    object_codec, storage_options
        As for `create`.
    meta_array : optional
        zarr's. zchunk takes a NumPy array only.
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

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.open_array("a.zarr", mode="w", shape=(4, 4), chunks=2, dtype="i4")
    >>> z[0] = 7
    >>> zchunk.open_array("a.zarr", mode="r")[0]
    array([7, 7, 7, 7], dtype=int32)
    """
    if kwargs:
        compressor, fill_value = h5py_names.translate(compressor, fill_value, kwargs)
    access = access_to(
        store,
        path,
        mode=mode,
        storage_options=storage_options,
        read_only=mode == "r",
        chunk_store=chunk_store,
        synchronizer=synchronizer,
        cache_metadata=cache_metadata,
        cache_attrs=cache_attrs,
        cache_bytes=cache_bytes,
        missing=missing,
        config=config,
        write_empty_chunks=write_empty_chunks,
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        meta_array=meta_array,
        trusted=trusted_by(object_codec, compressor, filters, compressors),
    )
    if mode in ("r", "r+", "a"):
        try:
            return Array._of(*find_array(access))
        except ArrayNotFoundError:
            if _is_array(access) and (made := _look(access)) is not None:
                # Another process has just made it.
                return made
            if mode != "a":
                advice = absence(access, "mode 'a' or 'w' would create it")
                raise ArrayNotFoundError(
                    f"no array at path {'/' + access.path!r} in {access.store!r}{advice}"
                ) from None
    if shape is None:
        # If something is there already, that is the likelier reason.
        if mode != "w":
            nodes.check_absent(access.store, access.path, f"{nodes.REPLACE_BY_MODE} to replace it")
        raise TypeError(f"creating an array at {'/' + access.path!r} in {access.store!r} needs a shape")
    recipe = ArrayRecipe(
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressor=compressor,
        fill_value=fill_value,
        order=order,
        dimension_separator=dimension_separator,
        filters=filters,
        object_codec=object_codec,
        shards=shards,
        compressors=compressors,
        serializer=serializer,
        chunk_key_encoding=chunk_key_encoding,
        dimension_names=dimension_names,
        attributes=attributes,
        checksum=checksum,
    )
    try:
        if mode == "a":
            make = partial(drafts.make_array, recipe, access, False)
            return marks.patiently(make, partial(_look, access), access)
        return drafts.make_array(recipe, access, mode == "w")
    except ContainsNodeError as err:
        raise nodes.by_mode(err) from None


def _look(access: Access) -> Array | None:
    """Return the array that is there; None if there is none."""
    try:
        return Array._of(*find_array(access))
    except ArrayNotFoundError:
        return None


def trusted_by(
    object_codec: object = None,
    compressor: object = "default",
    filters: object = None,
    compressors: object = "auto",
) -> frozenset[str]:
    """Return which codecs, of those that run code from the data, are among the parameters of `open_array`."""
    if object_codec is filters is None and isinstance(compressor, str) and isinstance(compressors, str):
        return _NO_CODECS
    return likeness.trusted_codecs(object_codec, compressor, filters, compressors)


def _is_array(access: Access) -> bool:
    """Whether an array is there; `ContainsGroupError` if a group is."""
    found = find(access.store, access.path, access.version)
    if found is not None and found[1] == "group":
        raise ContainsGroupError(
            f"a group, not an array, is at {'/' + access.path!r} in {access.store!r}"
        ) from None
    return found is not None


def open_like(a: TemplateLike, path: StoreLike, **kwargs: Unpack[OpenedArray]) -> Array:
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

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.full((4, 4), 5, chunks=2, dtype="i4")
    >>> copy = zchunk.open_like(z, "copy.zarr")
    >>> (copy.shape, copy.chunks, copy.fill_value)
    ((4, 4), (2, 2), np.int32(5))
    """
    given: dict[str, Any] = {**kwargs}
    mode: Mode = given.pop("mode", "a")
    store = open_store(path, mode, given.pop("storage_options", None))
    if mode in ("r", "r+", "a"):
        try:
            # What is stored may use the codecs that the caller names, not those of `a`.
            return open_array(store, "r+" if mode == "a" else mode, **given)
        except ArrayNotFoundError:
            if mode != "a":
                raise
    like = {"fill_value": a.fill_value} if isinstance(a, Array) else {}
    parameters = likeness.parameters_like(a, like | given)
    if mode != "a":
        return open_array(store, mode, **parameters)

    def look() -> Array | None:
        try:
            return open_array(store, "r+", **given)
        except ArrayNotFoundError:
            return None

    access = access_to(store, given.get("path"), chunk_store=given.get("chunk_store"))
    return marks.patiently(partial(open_array, store, "w-", **parameters), look, access)
