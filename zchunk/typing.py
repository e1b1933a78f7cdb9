"""What the public functions take, as types: ``from zchunk.typing import ShapeLike``.

They are for signatures, of zchunk and of programs that pass the same things on. zchunk itself imports this
module for type checkers only, so that it costs nothing at run time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from types import EllipsisType
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "H5pyGroup",
    "H5pyNode",
    "JSON",
    "AccessMode",
    "Attributes",
    "AttributesLike",
    "BasicSelection",
    "BlockSelection",
    "Bucket",
    "Bytes",
    "ChunkKeyEncodingLike",
    "ChunksLike",
    "CodecLike",
    "CompressorLike",
    "CompressorsLike",
    "CoordinateSelection",
    "DataLike",
    "DTypeLike",
    "DimensionNames",
    "DimensionSeparator",
    "Fields",
    "FileSystem",
    "FillValue",
    "FiltersLike",
    "MaskSelection",
    "MemoryOrder",
    "Missing",
    "MetaArray",
    "NativeDType",
    "NumcodecsCodec",
    "OfZarr3",
    "OrthogonalSelection",
    "PathLike",
    "ProgressLike",
    "Selection",
    "SerializerLike",
    "ShapeLike",
    "Shaped",
    "ShardsLike",
    "StorageOptions",
    "StoreLike",
    "Synchronizer",
    "TaskExecutor",
    "TemplateLike",
    "ZarrFormat",
]

# ---- formats and JSON

ZarrFormat: TypeAlias = Literal[2, 3]
"""Version of the Zarr format."""

AccessMode: TypeAlias = Literal["r", "r+", "a", "w", "w-", "x"]
"""How a store or node is opened: read, change, change or create, replace, create (the last two)."""

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What JSON can say, and so what metadata and attributes hold."""

Missing: TypeAlias = Literal["fill", "error"]
"""What chunks that are not stored are read as: fill values, or an error."""

class Configuration(Protocol):
    """The configuration of an array, `zchunk.core.array_config.ArrayConfig` or zarr 3's."""

    def to_dict(self) -> Any:
        """Return it as a mapping."""


ArrayConfigLike: TypeAlias = Mapping[str, object] | Configuration | None
"""How an array is used: ``{"order": "F", "write_empty_chunks": False, "read_missing_chunks": True}``, or some
of it; None: as `zchunk.config` says."""

Attributes: TypeAlias = dict[str, Any]
"""User attributes as they are read."""

AttributesLike: TypeAlias = Mapping[str, object]
"""User attributes as they are given: JSON, and what has a form in it, such as scalars of NumPy."""

# ---- the grid

ShapeLike: TypeAlias = SupportsIndex | Iterable[SupportsIndex]
"""A shape: an integer for one axis, or the length of every axis."""

ChunksLike: TypeAlias = (
    str
    | bool
    | SupportsIndex
    | Iterable[SupportsIndex | Iterable[SupportsIndex] | None]
    | Mapping[str, SupportsIndex | Iterable[SupportsIndex] | None]
    | None
)
"""Chunks: a length for all axes or one for every axis (None and -1: the whole axis), or lengths by names of
axes; in place of one length a list of those of all chunks; a size such as "100MB"; "auto", True or None: a
guess; False: one chunk."""

ShardsLike: TypeAlias = (
    str
    | SupportsIndex
    | Iterable[SupportsIndex | Iterable[SupportsIndex] | None]
    | Mapping[str, SupportsIndex | Iterable[SupportsIndex] | str | None]
    | None
)
"""Shards: a length for all axes or one for every axis, or by names of axes; in place of one length a list of
those of all shards; a size such as "1GB", at most; "auto": about 128 MiB; None: no shards."""

DimensionSeparator: TypeAlias = Literal[".", "/"]
"""What stands between the coordinates in a chunk's key."""

DimensionNames: TypeAlias = Iterable[str | None] | None
"""A name or None for every axis; None: no names."""

MemoryOrder: TypeAlias = Literal["C", "F"]
"""Layout of the items in a chunk."""

# ---- items


class NativeDType(Protocol):
    """A data type of zarr 3, which says what it is in NumPy."""

    def to_native_dtype(self) -> np.dtype[Any]:
        """Return the dtype of NumPy."""


DTypeLike: TypeAlias = npt.DTypeLike | NativeDType | None
"""What `numpy.dtype` takes, zchunk's ``"array:i4"``, and data types of format 3 by name; None: float64."""

DataLike: TypeAlias = npt.ArrayLike | Sequence[Any]
"""What `numpy.asarray` makes an array of: arrays, scalars, sequences of whatever the dtype can hold."""

class Shaped(Protocol):
    """An array of any library."""

    @property
    def shape(self) -> Any:
        """Length of every axis."""


TemplateLike: TypeAlias = DataLike | Shaped
"""An array that another one is to be like: its shape, its dtype and, if it has any, its chunks."""

MetaArray: TypeAlias = npt.NDArray[Any] | None
"""An array of the library that items are read into: NumPy."""

FillValue: TypeAlias = object
"""Value of items that were never written: whatever is one of the array's dtype, or None."""

# ---- codecs


class NumcodecsCodec(Protocol):
    """A codec: numcodecs' interface, which zchunk's have."""

    @property
    def codec_id(self) -> str | None:
        """Name in the metadata."""

    def encode(self, buf: Any, /) -> Any:
        """Return `buf` encoded."""

    def decode(self, buf: Any, out: Any = None, /) -> Any:
        """Return `buf` decoded."""

    def get_config(self) -> Any:
        """Return the parameters as JSON."""


class OfZarr3(Protocol):
    """An object of zarr 3, such as a codec, of which zchunk takes the configuration."""

    def to_dict(self) -> Any:
        """Return the configuration as JSON."""


CodecLike: TypeAlias = NumcodecsCodec | OfZarr3 | Mapping[str, Any] | str
"""A codec, its configuration in the JSON of format 2 or 3, or its name: ``"zstd"``, ``"zstd:9"``,
``"blosc-lz4"``."""

FiltersLike: TypeAlias = Iterable[CodecLike] | Literal["auto"] | None
"""Codecs that chunks pass before the compressor; None: none."""

CompressorLike: TypeAlias = CodecLike | None
"""The compressor, ``"default"`` too; None: no compression."""

CompressorsLike: TypeAlias = CodecLike | Iterable[CodecLike] | None
"""The compressors by zarr 3's name, ``"auto"`` too; None: no compression."""

SerializerLike: TypeAlias = CodecLike | None
"""What makes bytes of the items in format 3, "auto" too."""

ChunkKeyEncodingLike: TypeAlias = str | Sequence[str | None] | Mapping[str, Any] | OfZarr3 | None
"""Names of chunks: ``"default"``, ``("v2", ".")``, the JSON of format 3, or an object of zarr 3."""

# ---- stores

PathLike: TypeAlias = str | os.PathLike[str]
"""A path of the local file system."""


class FileSystem(Protocol):
    """A file system of fsspec."""

    root_marker: Any

    def cat_file(self, path: str, /) -> Any:
        """Return the bytes of a file."""


class Bucket(Protocol):
    """A store of obstore."""

    def get_range(self, path: str, *, start: int, length: int) -> Any:
        """Return a range of the bytes of an object."""

    def list_with_delimiter(self, prefix: str | None = None) -> Any:
        """Return what is directly below a prefix."""


StoreLike: TypeAlias = PathLike | MutableMapping[str, Any] | FileSystem | Bucket | None
"""Where data are: a path, a URL, a mapping of keys to bytes, a file system of fsspec or a store of obstore;
None: memory."""

StorageOptions: TypeAlias = dict[str, Any]
"""Options of the file system or service that a URL names."""


class H5pyNode(Protocol):
    """A data set or group of h5py."""

    @property
    def name(self) -> Any:
        """Path in the file."""

    @property
    def file(self) -> Any:
        """The file that it is in."""

    @property
    def attrs(self) -> Any:
        """Attributes."""


class H5pyGroup(H5pyNode, Protocol):
    """A group of h5py."""

    @property
    def require_group(self) -> Callable[..., Any]:
        """Return a group in it, made if it is not there."""


Bytes: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[Any]
"""What stores take as a value: contiguous memory."""


class Synchronizer(Protocol):
    """Hands out a lock for a store key.

    Examples
    --------
    Any mapping from keys to locks is one.

    >>> import threading
    >>> from collections import defaultdict
    >>> import zchunk
    >>> z = zchunk.zeros(4, synchronizer=defaultdict(threading.RLock))
    """

    def __getitem__(self, key: str, /) -> AbstractContextManager[Any]: ...


ProgressLike: TypeAlias = bool | Callable[[int, int], object] | None
"""Whether to show a bar, or a function that gets how much is done and how much there is to do."""


class TaskExecutor(Protocol):
    """What runs tasks: an executor of `concurrent.futures`, or a client of dask.distributed."""

    @property
    def submit(self) -> Callable[..., Any]:
        """Begin a task, and return its future."""


# ---- selections

# Not SupportsIndex, which every array is to type checkers, also one of floats.
_Index: TypeAlias = int | np.integer[Any]
_Positions: TypeAlias = list[int] | npt.NDArray[np.integer[Any]]
_Mask: TypeAlias = list[bool] | npt.NDArray[np.bool_]

_BasicEntry: TypeAlias = _Index | slice | EllipsisType
BasicSelection: TypeAlias = _BasicEntry | tuple[_BasicEntry, ...]
"""Integers, slices of any step, an Ellipsis."""

_OrthogonalEntry: TypeAlias = _BasicEntry | _Positions | _Mask
OrthogonalSelection: TypeAlias = _OrthogonalEntry | tuple[_OrthogonalEntry, ...]
"""For every axis an integer, a slice, positions, or a mask of the axis; the product of them is selected."""

_PointEntry: TypeAlias = _Index | Sequence[Any] | npt.NDArray[np.integer[Any]]
CoordinateSelection: TypeAlias = _PointEntry | tuple[_PointEntry, ...]
"""Points: for every axis an integer or an array of integers, which are broadcast."""

MaskSelection: TypeAlias = npt.NDArray[np.bool_] | Sequence[Any] | tuple[npt.NDArray[np.bool_]]
"""An array of bool of the array's shape."""

BlockSelection: TypeAlias = BasicSelection
"""Whole chunks: for every axis the index of a chunk, or a slice of them."""

Fields: TypeAlias = str | Sequence[str] | None
"""Fields of a structured dtype by name; None: whole items."""

_Entry: TypeAlias = _OrthogonalEntry | np.bool_ | list[list[int]] | str | None
Selection: TypeAlias = _Entry | tuple[_Entry, ...] | list[str]
"""What stands in ``z[...]``, as in NumPy: integers, slices, an Ellipsis, lists and arrays of positions,
masks, None for new axes, and fields."""
