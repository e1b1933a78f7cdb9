"""The metadata of nodes, by zarr 3's names and with its members: what `Array.metadata` is in `zchunk.zarr3`.

Those of an array are `zchunk.metadata.array.ArrayMetadata`, which all of zchunk takes, with more members, and
with zarr 3's meaning of two: `data_type` and `codecs` are objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from zchunk.creation.parameters_v3 import json_of
from zchunk.errors import MetadataError
from zchunk.metadata.array import ArrayMetadata as _ArrayMetadata
from zchunk.metadata.formats import as_json, given_array
from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata
from zchunk.runtime.lazy import cached_property
from zchunk.zarr3 import codecs as _codecs
from zchunk.zarr3.dtype import ZDType, parse_dtype

if TYPE_CHECKING:
    from zchunk.typing import DimensionSeparator, DTypeLike, MemoryOrder, ZarrFormat

__all__ = [
    "ArrayMetadata",
    "ArrayV2Metadata",
    "ArrayV3Metadata",
    "ConsolidatedMetadata",
    "GroupMetadata",
    "RectilinearChunkGridMetadata",
    "RegularChunkGridMetadata",
]


class RegularChunkGridMetadata(NamedTuple):
    """Chunks that have all the same shape.

    Examples
    --------
    >>> from zchunk.zarr3.metadata import RegularChunkGridMetadata
    >>> RegularChunkGridMetadata((10, 5)).to_dict()
    {'name': 'regular', 'configuration': {'chunk_shape': (10, 5)}}
    """

    chunk_shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.chunk_shape)

    def to_dict(self) -> dict[str, Any]:
        """Return the grid as JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.metadata import RegularChunkGridMetadata
        >>> RegularChunkGridMetadata((2,)).to_dict()["name"]
        'regular'
        """
        return {"name": "regular", "configuration": {"chunk_shape": tuple(self.chunk_shape)}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the grid that JSON of format 3 says.

        Examples
        --------
        >>> from zchunk.zarr3.metadata import RegularChunkGridMetadata
        >>> found = RegularChunkGridMetadata((2,))
        >>> RegularChunkGridMetadata.from_dict(found.to_dict()) == found
        True
        """
        return cls(tuple(data["configuration"]["chunk_shape"]))


class RectilinearChunkGridMetadata(NamedTuple):
    """Chunks whose lengths differ along the axes.

    Examples
    --------
    >>> from zchunk.zarr3.metadata import RectilinearChunkGridMetadata
    >>> RectilinearChunkGridMetadata(((10, 20), 5)).ndim
    2
    """

    # A length that all chunks along an axis have, or the length of each.
    chunk_shapes: tuple[int | tuple[int, ...], ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.chunk_shapes)

    def to_dict(self) -> dict[str, Any]:
        """Return the grid as JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.metadata import RectilinearChunkGridMetadata
        >>> RectilinearChunkGridMetadata(((1, 2),)).to_dict()["configuration"]["chunk_shapes"]
        [[1, 2]]
        """
        shapes = [_runs(lengths) if isinstance(lengths, tuple) else lengths for lengths in self.chunk_shapes]
        return {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": shapes}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the grid that JSON of format 3 says.

        Examples
        --------
        >>> from zchunk.zarr3.metadata import RectilinearChunkGridMetadata
        >>> document = {"name": "rectilinear", "configuration": {"chunk_shapes": [[[10, 2], 5], 8]}}
        >>> RectilinearChunkGridMetadata.from_dict(document).chunk_shapes
        ((10, 10, 5), 8)
        """
        return cls(tuple(map(_lengths, data["configuration"]["chunk_shapes"])))


def _runs(lengths: tuple[int, ...]) -> list[Any]:
    """Return the lengths of chunks, each that is repeated as a pair with how often."""
    counted = [(length, len(list(same))) for length, same in groupby(lengths)]
    return [length if times == 1 else [length, times] for length, times in counted]


def _lengths(along: Any) -> int | tuple[int, ...]:
    """Return the length of all chunks along an axis, or that of each; pairs are a length and how often."""
    if not isinstance(along, list | tuple):
        return int(along)
    repeated = [entry if isinstance(entry, list | tuple) else (entry, 1) for entry in along]
    return tuple(length for length, times in repeated for _ in range(times))


class ArrayMetadata(_ArrayMetadata):
    """The metadata of an array of either format, with the members that zarr 3 has in both."""

    _version: ClassVar[ZarrFormat]
    _plain: _ArrayMetadata
    _asdict: Callable[[], dict[str, Any]]

    @classmethod
    def _of(cls, plain: _ArrayMetadata, attributes: Callable[[], dict[str, Any]]) -> Self:
        """Return metadata of zchunk with zarr 3's members."""
        found = cls.__new__(cls)
        vars(found).update(vars(plain), _plain=plain, _asdict=attributes)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the metadata that JSON of the format says.

        Raises
        ------
        MetadataError
            No array can be so.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> found = zarr.zeros(4, chunks=2, attributes={"units": "m"}).metadata
        >>> type(found).from_dict(found.to_dict()) == found
        True
        """
        plain = given_array(data)
        if plain.zarr_format != cls._version:
            raise MetadataError(f"the metadata given are of format {plain.zarr_format}, not {cls._version}")
        # Nothing of it is shared with the caller.
        attributes: dict[str, Any] = json.loads(json.dumps(data.get("attributes") or {}))
        return cls._of(plain, attributes.copy)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """User attributes, as they were when they were first asked for here."""
        return self._asdict()

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, with user attributes.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> zarr.zeros(4, attributes={"units": "m"}).metadata.to_dict()["attributes"]
        {'units': 'm'}
        """
        return {**self._plain.to_dict(), "attributes": self.attributes}

    @property
    def chunk_grid(self) -> RegularChunkGridMetadata | RectilinearChunkGridMetadata:
        """The grid of what is stored as one object, chunks or shards."""
        if self.edges is None:
            return RegularChunkGridMetadata(self.chunk_shape)
        return RectilinearChunkGridMetadata.from_dict(self._plain.to_dict()["chunk_grid"])

    def encode_chunk_key(self, chunk_coords: Iterable[int]) -> str:
        """Return the key of a chunk, below that of the array.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> zarr.zeros((4, 4), chunks=2).metadata.encode_chunk_key((0, 1))
        'c/0/1'
        """
        return self.chunk_key_encoding.encode(chunk_coords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayMetadata) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}.from_dict({self.to_dict()!r})"


class ArrayV2Metadata(ArrayMetadata):
    """The metadata of an array of format 2.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> found = zarr.zeros(4, chunks=2, zarr_format=2).metadata
    >>> found.chunks, found.chunk_grid.chunk_shape
    ((2,), (2,))
    """

    _version: ClassVar[ZarrFormat] = 2

    def __init__(
        self,
        *,
        shape: Iterable[int],
        dtype: DTypeLike | ZDType,
        chunks: Iterable[int],
        fill_value: Any,
        order: MemoryOrder,
        dimension_separator: DimensionSeparator = ".",
        compressor: Any = None,
        filters: Iterable[Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        kind = parse_dtype(dtype)
        found = kind.to_json(zarr_format=2)
        codecs = [_config(codec) for codec in filters or ()]
        document = {
            "zarr_format": 2,
            "shape": list(shape),
            "chunks": list(chunks),
            "dtype": found["name"] if isinstance(found, dict) else found,
            "fill_value": None if fill_value is None else kind.to_json_scalar(fill_value, zarr_format=2),
            "order": order,
            "dimension_separator": dimension_separator,
            "compressor": None if compressor is None else _config(compressor),
            "filters": codecs or None,
            "attributes": dict(attributes or {}),
        }
        vars(self).update(vars(self.from_dict(document)))

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, with user attributes; shapes are tuples.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> zarr.zeros(4, chunks=2, zarr_format=2).metadata.to_dict()["chunks"]
        (2,)
        """
        separator = self.chunk_key_encoding.separator
        shapes = {"shape": tuple(self.shape), "chunks": tuple(self.chunk_shape)}
        return {**super().to_dict(), **shapes, "dimension_separator": separator}

    @property
    def chunks(self) -> tuple[int, ...]:
        """Lengths of a chunk."""
        return self.chunk_shape


class ArrayV3Metadata(ArrayMetadata):
    """The metadata of an array of format 3.

    Parameters
    ----------
    shape : tuple of int
        Length of every axis.
    data_type : ZDType, or what NumPy or format 3 call it
        Type of an item.
    chunk_grid, chunk_key_encoding : mapping, or an object of zarr 3's
        As in the metadata document.
    fill_value : scalar
        Value of the items of missing chunks.
    codecs : iterable of codecs
        In the order of encoding.
    attributes : mapping, optional
        User attributes.
    dimension_names : iterable of str or None, optional
        Names of the axes.
    storage_transformers : iterable, optional
        zarr's; there can be none.
    extra_fields : mapping, optional
        Further members of the document: objects that say ``"must_understand": false``.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> found = zarr.zeros(4, chunks=2, dtype="i2").metadata
    >>> found.data_type, found.codecs[0]
    (Int16(endianness='little'), BytesCodec(endian='little'))
    >>> found.chunk_grid.chunk_shape
    (2,)
    """

    _version: ClassVar[ZarrFormat] = 3

    def __init__(
        self,
        *,
        shape: Iterable[int],
        data_type: DTypeLike | ZDType,
        chunk_grid: Any,
        chunk_key_encoding: Any,
        fill_value: Any,
        codecs: Iterable[Any],
        attributes: Mapping[str, Any] | None = None,
        dimension_names: Iterable[str | None] | None = None,
        storage_transformers: Iterable[Any] = (),
        extra_fields: Mapping[str, Any] | None = None,
    ) -> None:
        kind = parse_dtype(data_type)
        document = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(shape),
            "data_type": kind.to_json(zarr_format=3),
            "chunk_grid": as_json(chunk_grid),
            "chunk_key_encoding": as_json(chunk_key_encoding),
            "fill_value": kind.to_json_scalar(fill_value, zarr_format=3),
            "codecs": [json_of(codec) for codec in codecs],
            "attributes": dict(attributes or {}),
        }
        if dimension_names is not None:
            document["dimension_names"] = list(dimension_names)
        if transformers := list(storage_transformers):
            document["storage_transformers"] = transformers
        if twice := document.keys() & (extra_fields or {}).keys():
            raise MetadataError(f"extra_fields has {min(twice)!r}, a member of every array's metadata")
        document |= extra_fields or {}
        vars(self).update(vars(self.from_dict(document)))

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, with user attributes. What the array has a list of is a tuple.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> zarr.zeros((4, 2)).metadata.to_dict()["shape"]
        (4, 2)
        """
        found = super().to_dict()
        if self.edges is None:
            found["chunk_grid"] = self.chunk_grid.to_dict()
        return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}

    @property
    def data_type(self) -> ZDType:
        """Type of an item."""
        return ZDType.from_json(self._plain.to_dict()["data_type"], zarr_format=3)

    @property
    def codecs(self) -> tuple[Any, ...]:
        """The codecs of what is stored as one object, in the order of encoding."""
        return tuple(map(_codecs.codec_of, self._plain.to_dict()["codecs"]))

    @property
    def storage_transformers(self) -> tuple[()]:
        """None: zchunk has none."""
        return ()


def shown(plain: _ArrayMetadata, attributes: Callable[[], dict[str, Any]]) -> ArrayMetadata:
    """Return an array's metadata with zarr 3's members.

    Examples
    --------
    >>> import zchunk
    >>> shown(zchunk.zeros(3).metadata, dict).attributes
    {}
    """
    kind = ArrayV2Metadata if plain.zarr_format == 2 else ArrayV3Metadata
    return kind._of(plain, attributes)


def _config(codec: Any) -> Any:
    """Return a codec of format 2, numcodecs' or zchunk's, as JSON."""
    return codec.get_config() if hasattr(codec, "get_config") else codec
