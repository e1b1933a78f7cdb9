"""Parameters of the functions that make and open arrays, by name, for signatures that pass them on.

``zeros(shape, **kwargs: Unpack[NewArray])`` tells a type checker which names there are and what each takes.
The signature of `zchunk.create` has the same ones with their defaults, and its docstring says what they mean.
Only type checkers import this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Required, TypedDict

from zchunk.engine.chunk_cache import ChunkCache
from zchunk.typing import (
    AccessMode,
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
    SerializerLike,
    ShapeLike,
    ShardsLike,
    StorageOptions,
    StoreLike,
    Synchronizer,
    ZarrFormat,
)


class H5pyNames(TypedDict, total=False):
    """What h5py's `create_dataset` takes: the first three mean something here, others are ignored."""

    compression: CodecLike | str | None
    compression_opts: Any
    fillvalue: FillValue
    allow_unknown_filter: Any
    dapl: Any
    dcpl: Any
    efile_prefix: Any
    external: Any
    fill_time: Any
    fletcher32: Any
    maxshape: Any
    rdcc_nbytes: Any
    rdcc_nslots: Any
    rdcc_w0: Any
    scaleoffset: Any
    shuffle: Any
    track_order: Any
    track_times: Any
    virtual_prefix: Any


class Version(TypedDict, total=False):
    """Version of the format, by zarr 3's name and zarr 2's."""

    zarr_format: ZarrFormat | None
    zarr_version: ZarrFormat | None


class Caching(TypedDict, total=False):
    """How an array is accessed, wherever it is."""

    synchronizer: Synchronizer | None
    cache_metadata: bool
    cache_attrs: bool
    cache_bytes: int | ChunkCache | None
    write_empty_chunks: bool
    meta_array: Any


class Place(TypedDict, total=False):
    """Where the array is."""

    store: StoreLike
    path: str | None
    chunk_store: StoreLike
    storage_options: StorageOptions | None


class Layout(TypedDict, total=False):
    """What the array is to be, apart from its shape, dtype and fill value."""

    chunks: ChunksLike
    compressor: CompressorLike
    order: MemoryOrder
    filters: FiltersLike
    object_codec: CodecLike | None
    dimension_separator: DimensionSeparator | None
    shards: ShardsLike
    compressors: CompressorsLike
    serializer: SerializerLike
    chunk_key_encoding: ChunkKeyEncodingLike
    dimension_names: DimensionNames
    attributes: AttributesLike | None


# ---- of functions


class Made(Layout, Caching, Version, H5pyNames, total=False):
    """Parameters of `create`, without place, shape, dtype and fill value."""

    overwrite: bool
    read_only: bool
    storage_transformers: Sequence[Any]


# ---- of methods of groups, which say where an array is by its name


class RequiredMember(Made, total=False):
    """Parameters of `Group.require_dataset`."""

    data: Any
    fill_value: FillValue


class MemberOfData(Made, total=False):
    """Parameters of `Group.array`."""

    dtype: DTypeLike
    fill_value: FillValue


class NewMember(Made, total=False):
    """Parameters of `Group.zeros` and the like."""

    shape: Required[ShapeLike]
    dtype: DTypeLike


class FilledMember(NewMember, total=False):
    """Parameters of `Group.create`."""

    fill_value: FillValue


class MemberLike(Made, total=False):
    """Parameters of `Group.zeros_like` and the like."""

    shape: ShapeLike
    dtype: DTypeLike


class FilledMemberLike(MemberLike, total=False):
    """Parameters of `Group.full_like` and `Group.create_dataset`."""

    fill_value: FillValue


class MemberOfZarr3(FilledMemberLike, total=False):
    """Parameters of `Group.create_array`."""

    data: Any


# ---- of functions


class NewArray(Made, Place, total=False):
    """Parameters of `zeros` and the like, apart from the shape."""

    dtype: DTypeLike


class FilledArray(NewArray, total=False):
    """Parameters of `array`."""

    fill_value: FillValue


class ArrayLike(MemberLike, Place, total=False):
    """Parameters of `zeros_like` and the like."""


class FilledArrayLike(FilledMemberLike, Place, total=False):
    """Parameters of `full_like`."""


class OfCreate(Caching, H5pyNames, total=False):
    """Parameters of `create` that zarr 3's `create_array` does not have by their names."""

    chunk_store: StoreLike
    compressor: CompressorLike
    object_codec: CodecLike | None
    dimension_separator: DimensionSeparator | None
    read_only: bool
    zarr_version: ZarrFormat | None
    storage_transformers: Sequence[Any]


class Opened(Layout, Caching, Version, H5pyNames, total=False):
    """Parameters of `open_array` but store, path, mode and shape."""

    chunk_store: StoreLike
    storage_options: StorageOptions | None
    dtype: DTypeLike
    fill_value: FillValue
    partial_decompress: Any


class OpenedNode(Opened, total=False):
    """Parameters of `open`, of a node that may be an array."""

    path: str | None


class OpenedArray(Opened, total=False):
    """Parameters of `open_like`, in which `path` is the store."""

    mode: AccessMode
    shape: ShapeLike


class OpenedGroup(Version, total=False):
    """Parameters of `open`, of a group."""

    path: str | None
    chunk_store: StoreLike
    storage_options: StorageOptions | None
    synchronizer: Synchronizer | None
    cache_attrs: bool
    cache_bytes: int | ChunkCache | None
    attributes: AttributesLike | None
    meta_array: Any


class SavedArray(Layout, Caching, H5pyNames, total=False):
    """Parameters of `save_array`."""

    dtype: DTypeLike
    fill_value: FillValue
    chunk_store: StoreLike
