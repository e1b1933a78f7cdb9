"""Parameters of the functions that make and open arrays, by name, for signatures that pass them on.

``zeros(shape, **kwargs: Unpack[NewArray])`` tells a type checker which names there are and what each takes.
The signature of `zchunk.create` has the same ones with their defaults, and its docstring says what they mean.
Only type checkers import this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Required, TypedDict

from zchunk.engine.chunk_cache import ChunkCache
from zchunk.typing import (
    AccessMode,
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
    ZarrFormat,
)


class H5pyNames(TypedDict, total=False):
    """What h5py's `create_dataset` takes: the first three mean something here, others are ignored."""

    compression: CodecLike | None
    compression_opts: object
    fillvalue: FillValue
    allow_unknown_filter: object
    dapl: object
    dcpl: object
    efile_prefix: object
    external: object
    fill_time: object
    fletcher32: object
    maxshape: object
    rdcc_nbytes: object
    rdcc_nslots: object
    rdcc_w0: object
    scaleoffset: object
    shuffle: object
    track_order: object
    track_times: object
    virtual_prefix: object


class Version(TypedDict, total=False):
    """Version of the format, by zarr 3's name and zarr 2's."""

    zarr_format: ZarrFormat | None
    zarr_version: ZarrFormat | None


class Uses(TypedDict, total=False):
    """How an array is accessed, wherever it is, apart from its configuration."""

    synchronizer: Synchronizer | None
    cache_metadata: bool
    cache_attrs: bool
    cache_bytes: int | ChunkCache | None
    missing: Missing | None
    write_empty_chunks: bool | None
    meta_array: MetaArray


class Caching(Uses, total=False):
    """How an array is accessed, wherever it is."""

    config: ArrayConfigLike


class Place(TypedDict, total=False):
    """Where the array is."""

    store: StoreLike
    path: str | None
    chunk_store: StoreLike
    storage_options: StorageOptions | None


class Encoding(TypedDict, total=False):
    """What the array is to be, apart from its shape, grid, dtype and fill value."""

    compressor: CompressorLike
    order: MemoryOrder
    filters: FiltersLike
    object_codec: CodecLike | None
    dimension_separator: DimensionSeparator | None
    compressors: CompressorsLike
    serializer: SerializerLike
    chunk_key_encoding: ChunkKeyEncodingLike
    dimension_names: DimensionNames
    attributes: AttributesLike | None
    checksum: bool


class Layout(Encoding, total=False):
    """What the array is to be, apart from its shape, dtype and fill value."""

    chunks: ChunksLike
    shards: ShardsLike


# ---- of functions


class Made(Layout, Caching, Version, H5pyNames, total=False):
    """Parameters of `create`, without place, shape, dtype and fill value."""

    overwrite: bool
    read_only: bool
    storage_transformers: Sequence[object]


# ---- of methods of groups, which say where an array is by its name


class RequiredMember(Made, total=False):
    """Parameters of `Group.require_dataset`."""

    data: DataLike | None
    fill_value: FillValue


class MemberOfData(Made, total=False):
    """Parameters of `Group.array`, and of `copy`."""

    dtype: DTypeLike
    fill_value: FillValue


class NewMember(Made, total=False):
    """Parameters of `Group.zeros` and the like."""

    shape: Required[ShapeLike]
    dtype: DTypeLike


class MemberLike(Made, total=False):
    """Parameters of `Group.zeros_like` and the like."""

    shape: ShapeLike
    dtype: DTypeLike


class FilledMemberLike(MemberLike, total=False):
    """Parameters of `Group.full_like`, `Group.create` and `Group.create_dataset`."""

    fill_value: FillValue


class MemberOfZarr3(FilledMemberLike, total=False):
    """Parameters of `Group.create_array`."""

    data: DataLike | None
    write_data: bool


# ---- of functions


class NewArray(Made, Place, total=False):
    """Parameters of `zeros` and the like, apart from the shape."""

    dtype: DTypeLike


class FilledArray(NewArray, total=False):
    """Parameters of `array`."""

    fill_value: FillValue


class OfZarr3(TypedDict, total=False):
    """Parameters that `create` has in zarr 3 only."""

    chunk_shape: ChunksLike
    codecs: Sequence[CodecLike] | None
    data: DataLike | None


class NewArrayOfZarr3(NewArray, OfZarr3, total=False):
    """Parameters of `zeros` and the like in `zchunk.zarr3`, apart from the shape."""


class FilledArrayOfZarr3(FilledArray, total=False):
    """Parameters of `array` in `zchunk.zarr3`."""

    chunk_shape: ChunksLike
    codecs: Sequence[CodecLike] | None


class OtherOfZarr3(Encoding, Caching, Version, H5pyNames, OfZarr3, total=False):
    """Parameters of `create` in `zchunk.zarr3` that its signature does not name."""

    shards: ShardsLike
    chunk_store: StoreLike
    storage_options: StorageOptions | None
    read_only: bool
    storage_transformers: Sequence[object]


class KeptOfZarr3(TypedDict, total=False):
    """Parameters of `from_array` in `zchunk.zarr3`: ``"keep"`` means that of the data."""

    shape: ShapeLike
    dtype: DTypeLike
    chunks: ChunksLike | Literal["keep"]
    shards: ShardsLike | Literal["keep"]
    filters: FiltersLike | Literal["keep"]
    compressors: CompressorsLike | Literal["keep"]
    serializer: SerializerLike | Literal["keep"]
    fill_value: FillValue
    order: MemoryOrder | Literal["keep"] | None
    zarr_format: ZarrFormat | None
    attributes: AttributesLike | None
    chunk_key_encoding: ChunkKeyEncodingLike
    dimension_names: DimensionNames
    config: ArrayConfigLike


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
    checksum: bool
    zarr_version: ZarrFormat | None
    storage_transformers: Sequence[object]


class Accessed(Encoding, Caching, H5pyNames, total=False):
    """Parameters of `open_array` but version, store, path, storage options, mode, shape and grid."""

    chunk_store: StoreLike
    dtype: DTypeLike
    fill_value: FillValue
    partial_decompress: bool | None


class Opened(Accessed, Layout, Version, total=False):
    """Parameters of `open_array` but store, path, mode and shape."""

    storage_options: StorageOptions | None


class OpenedNode(Opened, total=False):
    """Parameters of `open`, of a node that may be an array."""

    path: str | None


class OpenedByKeyword(Accessed, Layout, total=False):
    """Parameters of `open` that its signature does not name, whichever kind of node it opens or creates."""

    shape: ShapeLike
    storage_options: StorageOptions | None


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
    missing: Missing | None
    config: ArrayConfigLike
    attributes: AttributesLike | None
    meta_array: MetaArray


class OpenedArrayOfZarr3(Layout, Uses, H5pyNames, total=False):
    """Parameters of `open_array` in `zchunk.zarr3` that its signature does not name."""

    shape: ShapeLike
    dtype: DTypeLike
    fill_value: FillValue
    chunk_store: StoreLike
    partial_decompress: bool | None
    zarr_version: ZarrFormat | None
    chunk_shape: ChunksLike
    codecs: Sequence[CodecLike] | None


class OpenedOfZarr3(OpenedArrayOfZarr3, total=False):
    """Parameters of `open` in `zchunk.zarr3` that its signature does not name."""

    use_consolidated: bool | str | None


class OpenedLikeOfZarr3(OpenedArrayOfZarr3, total=False):
    """Parameters of `open_like` in `zchunk.zarr3` that its signature does not name."""

    config: ArrayConfigLike
    storage_options: StorageOptions | None


class OpenedGroupOfZarr3(TypedDict, total=False):
    """Parameters of `open_consolidated` in `zchunk.zarr3`, of a group."""

    mode: AccessMode
    path: str | None
    storage_options: StorageOptions | None
    zarr_format: ZarrFormat | None
    chunk_store: StoreLike
    synchronizer: Synchronizer | None
    cache_attrs: bool | None
    cache_bytes: int | ChunkCache | None
    missing: Missing | None
    config: ArrayConfigLike
    meta_array: MetaArray


class OpenedConsolidated(Accessed, Layout, total=False):
    """Parameters of `open_consolidated`."""

    zarr_version: ZarrFormat | None
    path: str | None
    storage_options: StorageOptions | None


class SavedArray(Layout, Caching, H5pyNames, total=False):
    """Parameters of `save_array`."""

    dtype: DTypeLike
    fill_value: FillValue
    chunk_store: StoreLike


# ---- of the wings


class OpenedForDask(Accessed, Version, total=False):
    """Parameters of `zchunk.dask.from_zchunk`."""


class Rechunked(Encoding, Caching, H5pyNames, total=False):
    """Parameters of `rechunk`."""

    shards: ShardsLike
    dtype: DTypeLike
    fill_value: FillValue


class MadeForDask(Encoding, Caching, Version, H5pyNames, total=False):
    """Parameters of `create` for the array that `zchunk.dask.store` makes."""

    chunks: ChunksLike
    shards: ShardsLike | bool
    dtype: DTypeLike
    fill_value: FillValue
    chunk_store: StoreLike
    read_only: bool
    storage_transformers: Sequence[object]


class StoredForDask(MadeForDask, total=False):
    """Parameters of `zchunk.dask.store` but those on which its result depends."""

    path: str | None
    align: Literal["rechunk"] | None
    lock: bool | AbstractContextManager[Any] | None
    overwrite: bool
    storage_options: StorageOptions | None
    compute_kws: dict[str, Any] | None
