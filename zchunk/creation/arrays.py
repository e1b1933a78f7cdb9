"""Creating arrays: what users call, with zarr 2.18's names and defaults, and zarr 3's beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from zchunk.codecs.objects import is_string_dtype, object_dtype
from zchunk.core.access import access_to
from zchunk.core.array import Array
from zchunk.creation import h5py_names
from zchunk.creation.drafts import make_array, started
from zchunk.creation.likeness import chunks_of, parameters_like
from zchunk.creation.parameters import takes_size_of_data
from zchunk.creation.recipe import ArrayRecipe
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.indexing.values import check_data, convert, ragged
from zchunk.spec.versions import check_unsupported

if TYPE_CHECKING:
    from zchunk.creation import keywords
    from zchunk.typing import (
        ArrayConfigLike,
        AttributesLike,
        ChunkKeyEncodingLike,
        ChunksLike,
        CodecLike,
        CompressorLike,
        CompressorsLike,
        DataLike,
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


def create(
    shape: ShapeLike,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CompressorLike = "default",
    fill_value: FillValue = 0,
    order: MemoryOrder = "C",
    store: StoreLike = None,
    synchronizer: Synchronizer | None = None,
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: StoreLike = None,
    filters: FiltersLike = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    read_only: bool = False,
    object_codec: CodecLike | None = None,
    dimension_separator: DimensionSeparator | None = None,
    write_empty_chunks: bool | None = None,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    shards: ShardsLike = None,
    compressors: CompressorsLike = "auto",
    serializer: SerializerLike = None,
    chunk_key_encoding: ChunkKeyEncodingLike = None,
    dimension_names: DimensionNames = None,
    attributes: AttributesLike | None = None,
    checksum: bool = False,
    storage_options: StorageOptions | None = None,
    meta_array: MetaArray = None,
    storage_transformers: Sequence[object] = (),
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
    **kwargs: Unpack[keywords.H5pyNames],
) -> Array:
    """Create an array.

    Parameters
    ----------
    shape : int or sequence of int
        Length of every axis.
    chunks : int, sequence of int, mapping, str or bool, optional
        Length of a chunk along every axis, or by names of axes: ``{"time": 1, "x": 512}`` with
        `dimension_names` (in format 2 the attribute ``_ARRAY_DIMENSIONS``); axes left out are not cut.
        ``"100MB"`` or ``"64MiB"``: at most so many bytes. True or ``"auto"``: a good guess; False: one chunk.
        Format 3: ``[[10, 20, 30], 5]`` lists the lengths of all chunks along an axis, which together are as
        long as the axis: a rectilinear chunk grid.
    dtype : dtype-like, optional
        Type of an item, float64 by default. ``str`` and ``bytes`` are objects of any length, ``"array:i4"``
        arrays of numbers; text of a fixed length is ``"U10"``.
    compressor : codec, dict, str or None, optional
        ``Blosc(cname="lz4", clevel=5, shuffle=1)`` by default. Codecs are zchunk's, numcodecs', or names with
        a level or without: ``"zstd"``, ``"zstd:9"``, ``"blosc-lz4"``. For format 3 they may also be its JSON,
        ``{"name": "zstd", "configuration": {"level": 3}}``, and those of zarr 3.
    fill_value : scalar or None, optional
        Value of items that were never written. In format 3 there is always one: None stands for 0.
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
        Holds the chunks, if `store` is not to.
    filters : sequence of codecs, optional
        What chunks pass before the compressor. ``["delta"]`` and ``["shuffle"]`` fit themselves to the dtype.
    cache_metadata, cache_attrs : bool, optional
        Read metadata and attributes once, not before every operation.
    read_only : bool, optional
        Refuse changes through the result.
    dimension_separator : {".", "/"}, optional
        What stands between the coordinates in a chunk's key.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value; by default as `zchunk.config` says, which is true.
    object_codec : codec, dict or str, optional
        Encodes the items of an array of Python objects, such as ``numcodecs.VLenUTF8()``; the first of the
        filters from then on. `numcodecs.Pickle` runs code from the data when it decodes: zchunk lets it do so
        only in an array that it was given for.
    cache_bytes : int, optional
        Keep so many bytes of decoded chunks for the next read: thin slabs through compressed chunks then cost
        one decode. None by default. Changes by other processes are seen in a local folder, not elsewhere.
    missing : {"fill", "error"}, optional
        What chunks that are not stored are read as: fill values, or a `ChunkNotFoundError` that names the
        chunk, to tell gaps from data. Assignments to parts of such chunks fill the rest in any case.
    config : mapping, optional
        Such as ``{"order": "F", "write_empty_chunks": False, "read_missing_chunks": True}``: layout in memory
        of what is read from arrays of format 3, and the two above. The rest is as `zchunk.config` says.
    zarr_format : {None, 2, 3}, optional
        Version of the format. By default that of the groups above; or else 3 if shards, names of dimensions
        or lists of lengths are given; or else as `zchunk.config` says, which is 2. `zarr_version` means the
        same.
    shards : int, sequence of int, mapping or str, optional
        Format 3: length of a shard along every axis, a multiple of that of a chunk, or the lengths of all
        shards, as for `chunks`. All chunks of a shard are stored in one object. ``"auto"``: about 128 MiB,
        uncompressed. ``{"shape": ..., "index_location": "start"}``: their index comes first. None: no shards.
    compressors : codec, sequence of codecs, None or "auto", optional
        As `compressor`, by zarr 3's name; in format 3 there may be several.
    serializer : dict, codec of zarr 3, None or "auto", optional
        Format 3: what makes bytes of the items, ``{"name": "bytes", "configuration": {"endian": "big"}}`` for
        instance. By default the items in the byte order of `dtype`.
    chunk_key_encoding : (name, separator) or dict, optional
        Names of chunks: ``("default", "/")``, which is ``c/0/0`` and the default of format 3, or
        ``("v2", ".")``.
    dimension_names : sequence of str or None, optional
        Format 3: names of the axes.
    attributes : mapping, optional
        The user attributes, stored together with the array.
    checksum : bool, optional
        Store a checksum with every chunk, behind all other codecs, so that damage is an error instead of
        wrong values: ``crc32c`` in format 3, in shards for each chunk; in format 2 ``crc32``, which is the
        compressor then, and the compressor given is the last filter.
    storage_options : dict, optional
        Options of the file system, if `store` is a URL.
    meta_array, storage_transformers : optional
        zarr's. zchunk takes a NumPy array and ``()`` only.
    **kwargs
        h5py's names: ``compression``, ``compression_opts`` and ``fillvalue`` count; zchunk ignores the others
        that h5py has, with a warning.

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
    MixedFormatsError
        A group above is of the other format.
    ValueError
        A parameter has no valid value, or is of the other format; the dtype holds objects and there is no
        object codec.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.create((1000, 1000), chunks=(100, 100), dtype="i4", fill_value=-1)
    >>> z[5, 5]
    np.int32(-1)

    In a folder, in format 3, with 100 chunks in each file:

    >>> z = zchunk.create((1000, 1000), chunks=(10, 10), shards=(100, 100), store="a.zarr", zarr_format=3)
    >>> z.nchunks
    10000

    With chunks of three lengths along the first axis:

    >>> zchunk.create((60, 20), chunks=[[10, 20, 30], 5]).write_chunk_sizes
    ((10, 20, 30), (5, 5, 5, 5))
    """
    check_unsupported(storage_transformers=storage_transformers)
    compressor, fill_value = h5py_names.translate(compressor, fill_value, kwargs)
    access = access_to(
        store,
        path,
        storage_options=storage_options,
        read_only=read_only,
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
    )
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
    return make_array(recipe, access, overwrite)


def create_array(
    store: StoreLike = None,
    *,
    name: str | None = None,
    shape: ShapeLike | None = None,
    dtype: DTypeLike = None,
    data: DataLike | None = None,
    chunks: ChunksLike = "auto",
    shards: ShardsLike = None,
    filters: FiltersLike = "auto",
    compressors: CompressorsLike = "auto",
    serializer: SerializerLike = "auto",
    fill_value: FillValue = 0,
    order: MemoryOrder | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: AttributesLike | None = None,
    chunk_key_encoding: ChunkKeyEncodingLike = None,
    dimension_names: DimensionNames = None,
    storage_options: StorageOptions | None = None,
    overwrite: bool = False,
    write_data: bool = True,
    **kwargs: Unpack[keywords.OfCreate],
) -> Array:
    """Create an array, with the parameters of zarr 3's function of this name.

    Parameters
    ----------
    store, storage_options, overwrite, order, fill_value, attributes, zarr_format
        As for `create`. The format is 2 by default, unlike zarr 3's.
    name : str, optional
        Path of the array in the store.
    shape, dtype
        Of the array; not with `data`, which has its own.
    data : array-like, optional
        What the array holds.
    write_data : bool, optional
        If not, `data` give shape, dtype and chunks alone.
    chunks, shards, filters, compressors, serializer, chunk_key_encoding, dimension_names
        As for `create`; ``"auto"`` is the default.
    **kwargs
        Other parameters of `create`.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        Both `data` and a shape or dtype are given, or neither; or as `create`.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.create_array(shape=(6, 4), chunks=(3, 2), dtype="u1", zarr_format=3)
    >>> z.nchunks
    4
    >>> zchunk.create_array(data=[1, 2, 3])[:]
    array([1, 2, 3])
    """
    given: dict[str, Any] = {
        "store": store,
        "path": name,
        "chunks": chunks,
        "shards": shards,
        "filters": filters,
        "compressors": compressors,
        "serializer": serializer,
        "fill_value": fill_value,
        "order": order or "C",
        "zarr_format": zarr_format,
        "attributes": attributes,
        "chunk_key_encoding": chunk_key_encoding,
        "dimension_names": dimension_names,
        "storage_options": storage_options,
        "overwrite": overwrite,
        **kwargs,
    }
    if data is None:
        if shape is None:
            raise ValueError("give the shape of the array, or data")
        return create(shape, dtype=dtype, **given)
    if shape is not None or dtype is not None:
        raise ValueError("give data, or shape and dtype, not both: data have their own")
    if not write_data:
        return create(**parameters_like(data, given))
    return array(data, **given)


def empty(shape: ShapeLike, **kwargs: Unpack[keywords.NewArray]) -> Array:
    """Create an array without a fill value. Parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> zchunk.empty((4, 4), chunks=2).fill_value is None
    True
    """
    return create(shape, fill_value=None, **kwargs)


def zeros(shape: ShapeLike, **kwargs: Unpack[keywords.NewArray]) -> Array:
    """Create an array with the fill value 0. Parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((2, 3), chunks=(1, 3), dtype="i4")
    >>> z[...]
    array([[0, 0, 0],
           [0, 0, 0]], dtype=int32)
    """
    return create(shape, fill_value=0, **kwargs)


def ones(shape: ShapeLike, **kwargs: Unpack[keywords.NewArray]) -> Array:
    """Create an array with the fill value 1. Parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> zchunk.ones(3, dtype="i4")[...]
    array([1, 1, 1], dtype=int32)
    """
    return create(shape, fill_value=1, **kwargs)


def full(shape: ShapeLike, fill_value: FillValue, **kwargs: Unpack[keywords.NewArray]) -> Array:
    """Create an array with the fill value `fill_value`. Other parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> zchunk.full(3, 7.5)[...]
    array([7.5, 7.5, 7.5])
    """
    return create(shape, fill_value=fill_value, **kwargs)


def array(data: DataLike, **kwargs: Unpack[keywords.FilledArray]) -> Array:
    """Create an array that holds `data`.

    Parameters
    ----------
    data : array-like
        Shape and dtype, and the chunks if it has some, are taken from it unless given. It may be the array
        that is replaced.
    **kwargs
        Parameters of `create`. A `dtype` of text without a size, such as ``"U"``, takes that of the data.

    Returns
    -------
    Array

    Raises
    ------
    ValueError, TypeError
        The data cannot be converted to the dtype; or what `create` raises. Nothing was overwritten then.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.array([[1, 2], [3, 4]], chunks=1, dtype="i2")
    >>> z[1]
    array([3, 4], dtype=int16)
    """
    given: dict[str, Any] = {**kwargs}
    dtype, object_codec = object_dtype(given.get("dtype"), given.get("object_codec"))
    if dtype is None and is_string_dtype(getattr(data, "dtype", None)):
        dtype, object_codec = object_dtype(str, object_codec)
    check_data(data, None if dtype is None else np.dtype(dtype))
    chunks = given.get("chunks")
    chunks = chunks_of(data) if chunks is None else chunks
    if takes_size_of_data(dtype) or np.dtype(dtype).subdtype is not None:
        # NumPy finds the size, or the axes that a sub-array adds.
        data, dtype = np.asanyarray(data, dtype), None
    elif getattr(object_codec, "codec_id", None) == "vlen-array":
        data = ragged(data)
    elif not hasattr(data, "shape") or not hasattr(data, "dtype"):
        # Only as objects may lists be of different lengths.
        data = np.asanyarray(data, object if np.dtype(dtype).kind == "O" else None)
    dtype = np.dtype(data.dtype if dtype is None else dtype)
    # Read and converted before anything is overwritten: it may be just that, or impossible.
    fill_value = given.get("fillvalue", given.get("fill_value", 0))
    items = convert(data, dtype, str(given.get("path") or "").strip("/"), fill_value=fill_value)
    read_only = given.pop("read_only", False)
    own = {"shape": items.shape, "dtype": dtype, "chunks": chunks, "object_codec": object_codec}
    new = started(**given | own)
    try:
        new.array[...] = items
    except BaseException:
        new.discard()
        raise
    result = new.publish()
    result.read_only = read_only
    return result


def empty_like(a: TemplateLike, **kwargs: Unpack[keywords.ArrayLike]) -> Array:
    """Create an array like `a`, without a fill value.

    Parameters
    ----------
    a : array-like
        Gives what `kwargs` do not: shape, chunks, dtype, and if it is an `Array` codecs and order.
    **kwargs
        Parameters of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((6, 6), chunks=3, dtype="i2")
    >>> new = zchunk.empty_like(z)
    >>> (new.shape, new.chunks, new.dtype, new.fill_value)
    ((6, 6), (3, 3), dtype('int16'), None)
    """
    return empty(**parameters_like(a, {**kwargs}))


def zeros_like(a: TemplateLike, **kwargs: Unpack[keywords.ArrayLike]) -> Array:
    """Create an array like `a`, with the fill value 0. Parameters are those of `empty_like`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> zchunk.zeros_like(zchunk.ones(3, dtype="i2"))[...]
    array([0, 0, 0], dtype=int16)
    """
    return zeros(**parameters_like(a, {**kwargs}))


def ones_like(a: TemplateLike, **kwargs: Unpack[keywords.ArrayLike]) -> Array:
    """Create an array like `a`, with the fill value 1. Parameters are those of `empty_like`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> zchunk.ones_like(np.zeros(3))[...]
    array([1., 1., 1.])
    """
    return ones(**parameters_like(a, {**kwargs}))


def full_like(a: TemplateLike, **kwargs: Unpack[keywords.FilledArrayLike]) -> Array:
    """Create an array like `a`, with the fill value `fill_value` (by default that of `a`, if it has one).

    Other parameters are those of `empty_like`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk
    >>> zchunk.full_like(zchunk.ones(2, dtype="i2"), fill_value=5)[...]
    array([5, 5], dtype=int16)
    """
    given: dict[str, Any] = {**kwargs}
    if isinstance(a, Array):
        given.setdefault("fill_value", a.fill_value)
    return full(**parameters_like(a, given))
