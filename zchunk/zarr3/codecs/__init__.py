"""zarr 3's codecs by its names: records of a name and its parameters, which `zchunk` takes as codecs.

What encodes and decodes is zchunk's own for each name; ``Array.compressors`` shows that.

>>> import zchunk.zarr3 as zarr
>>> codec = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
>>> zarr.create_array({}, shape=4, dtype="i4", compressors=codec).compressors
(Blosc(cname='zstd', clevel=3, shuffle=BITSHUFFLE, blocksize=0),)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Self, cast

from zchunk.codecs.cast_value import check_castable
from zchunk.codecs.registry import register_codec
from zchunk.creation.parameters_v3 import json_of
from zchunk.errors import CodecError
from zchunk.metadata.v3.data_types import parse_data_type
from zchunk.zarr3.codecs import numcodecs
from zchunk.zarr3.codecs.numcodecs import (
    BZ2,
    CRC32,
    CRC32C,
    LZ4,
    LZMA,
    ZFPY,
    Adler32,
    AsType,
    BitRound,
    Blosc,
    Delta,
    FixedScaleOffset,
    Fletcher32,
    GZip,
    JenkinsLookup3,
    PackBits,
    PCodec,
    Quantize,
    Shuffle,
    Zlib,
    Zstd,
)
from zchunk.zarr3.dtype import ZDType, parse_dtype

__all__ = [
    "BloscCname",
    "BloscCodec",
    "BloscShuffle",
    "BytesCodec",
    "CastValue",
    "Codec",
    "Crc32cCodec",
    "Endian",
    "GzipCodec",
    "ScaleOffset",
    "ShardingCodec",
    "ShardingCodecIndexLocation",
    "SubchunkWriteOrder",
    "TransposeCodec",
    "VLenBytesCodec",
    "VLenUTF8Codec",
    "ZstdCodec",
    "numcodecs",
    "register_codec",
]
# zarr has them here, too.
__all__ += [
    "BZ2", "CRC32", "CRC32C", "LZ4", "LZMA", "ZFPY", "Adler32", "AsType", "BitRound", "Blosc", "Delta",
    "FixedScaleOffset", "Fletcher32", "GZip", "JenkinsLookup3", "PCodec", "PackBits", "Quantize", "Shuffle",
    "Zlib", "Zstd",
]  # fmt: skip


class Endian:
    """The byte orders, by zarr 3's names: their texts."""

    little = "little"
    big = "big"


class BloscShuffle:
    """How Blosc shuffles, by zarr 3's names: their texts."""

    noshuffle = "noshuffle"
    shuffle = "shuffle"
    bitshuffle = "bitshuffle"


class BloscCname:
    """The compressors in Blosc, by zarr 3's names: their texts."""

    lz4 = "lz4"
    lz4hc = "lz4hc"
    blosclz = "blosclz"
    snappy = "snappy"
    zstd = "zstd"
    zlib = "zlib"


class ShardingCodecIndexLocation:
    """Where in a shard its index is, by zarr 3's names: their texts."""

    start = "start"
    end = "end"


SubchunkWriteOrder = Literal["morton", "unordered", "lexicographic", "colexicographic"]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec of zarr 3: its name in the metadata, and its parameters."""

    name: ClassVar[str]
    # Parameters that are one of some texts. Enumerations, as zarr 3 had them, become their texts.
    _texts: ClassVar[dict[str, tuple[str | None, ...]]] = {}

    def __post_init__(self) -> None:
        for parameter, texts in self._texts.items():
            value = getattr(self, parameter)
            value = getattr(value, "value", value)
            if value not in texts:
                allowed = ", ".join(map(repr, texts))
                raise CodecError(f"{type(self).__name__}: {parameter} is {value!r:.80}, not one of {allowed}")
            object.__setattr__(self, parameter, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.codecs import GzipCodec
        >>> GzipCodec(level=1).to_dict()
        {'name': 'gzip', 'configuration': {'level': 1}}
        """
        configuration = self._configuration()
        return {"name": self.name, **({"configuration": configuration} if configuration else {})}

    def _configuration(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | str) -> Self:
        """Return the codec of JSON of format 3.

        Examples
        --------
        >>> from zchunk.zarr3.codecs import GzipCodec
        >>> GzipCodec.from_dict({"name": "gzip", "configuration": {"level": 1}})
        GzipCodec(level=1)
        """
        found = json_of(data)
        if found["name"] != cls.name:
            raise CodecError(f"{found!r:.80} is no {cls.name!r}")
        return cls(**found.get("configuration", {}))


@dataclass(frozen=True, kw_only=True)
class BloscCodec(Codec):
    """Blosc: shuffles bytes or bits and compresses them.

    Parameters
    ----------
    typesize : int, optional
        Bytes of an item; by default those of the array.
    cname : str, optional
        The compressor: zstd, lz4, lz4hc, blosclz, snappy or zlib.
    clevel : int, optional
        0 to 9.
    shuffle : {"shuffle", "bitshuffle", "noshuffle"}, optional
        By default bits of items of one byte, else bytes.
    blocksize : int, optional
        Bytes of a block; 0: as Blosc likes.

    Examples
    --------
    >>> from zchunk.zarr3.codecs import BloscCodec
    >>> BloscCodec(cname="lz4", typesize=4, shuffle="shuffle").to_dict()["configuration"]["cname"]
    'lz4'
    """

    name: ClassVar[str] = "blosc"
    _texts: ClassVar[dict[str, tuple[str | None, ...]]] = {
        "cname": ("lz4", "lz4hc", "blosclz", "snappy", "zstd", "zlib"),
        "shuffle": ("noshuffle", "shuffle", "bitshuffle", None),
    }
    typesize: int | None = None
    cname: str = "zstd"
    clevel: int = 5
    shuffle: str | None = None
    blocksize: int = 0

    @property
    def _tunable_attrs(self) -> set[str]:
        """What the items of the array decide (zarr 3's name)."""
        return {name for name in ("typesize", "shuffle") if getattr(self, name) is None}


@dataclass(frozen=True, kw_only=True)
class ZstdCodec(Codec):
    """Zstandard.

    Parameters
    ----------
    level : int, optional
        The level.
    checksum : bool, optional
        Store a checksum.
    """

    name: ClassVar[str] = "zstd"
    level: int = 0
    checksum: bool = False


@dataclass(frozen=True, kw_only=True)
class GzipCodec(Codec):
    """Gzip.

    Parameters
    ----------
    level : int, optional
        0 to 9.
    """

    name: ClassVar[str] = "gzip"
    level: int = 5


@dataclass(frozen=True, kw_only=True)
class Crc32cCodec(Codec):
    """A checksum after the bytes of a chunk."""

    name: ClassVar[str] = "crc32c"


@dataclass(frozen=True, kw_only=True)
class BytesCodec(Codec):
    """The items of a chunk as bytes.

    Parameters
    ----------
    endian : {"little", "big"} or None, optional
        Byte order; None for items of one byte.
    """

    name: ClassVar[str] = "bytes"
    _texts: ClassVar[dict[str, tuple[str | None, ...]]] = {"endian": ("little", "big", None)}
    endian: str | None = cast("str | None", sys.byteorder)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | str) -> Self:
        found = json_of(data)
        # Where no byte order is said, items have none.
        configuration = {"endian": None, **found.get("configuration", {})}
        return super().from_dict({**found, "configuration": configuration})

    def _configuration(self) -> dict[str, Any]:
        return {} if self.endian is None else {"endian": self.endian}


@dataclass(frozen=True, kw_only=True)
class TransposeCodec(Codec):
    """Axes of a chunk in another order.

    Parameters
    ----------
    order : sequence of int
        The old axes in their new order.
    """

    name: ClassVar[str] = "transpose"
    order: Sequence[int]

    def _configuration(self) -> dict[str, Any]:
        return {"order": list(self.order)}


@dataclass(frozen=True, kw_only=True)
class VLenUTF8Codec(Codec):
    """Texts of any length."""

    name: ClassVar[str] = "vlen-utf8"


@dataclass(frozen=True, kw_only=True)
class VLenBytesCodec(Codec):
    """Bytes of any length."""

    name: ClassVar[str] = "vlen-bytes"


@dataclass(frozen=True, kw_only=True)
class ScaleOffset(Codec):
    """Items less an offset, times a scale.

    Parameters
    ----------
    offset : int, float or str, optional
        As the fill value of an array is written in its metadata.
    scale : int, float or str, optional
        The same.

    Examples
    --------
    >>> from zchunk.zarr3.codecs import ScaleOffset
    >>> ScaleOffset(offset=5, scale=0.1).to_dict()
    {'name': 'scale_offset', 'configuration': {'offset': 5, 'scale': 0.1}}
    """

    name: ClassVar[str] = "scale_offset"
    offset: float | str = 0
    scale: float | str = 1

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int | float | str):
                raise TypeError(f"{item.name} is a number or text, not {value!r:.80}")

    def _configuration(self) -> dict[str, Any]:
        # What is as by default is not written.
        given = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        return {name: value for name, (value, default) in given.items() if value != default}


def _pairs(entries: Any) -> list[list[Any]]:
    """Return the entries of a map, a mapping or pairs, as JSON."""
    return [list(pair) for pair in (entries.items() if isinstance(entries, Mapping) else entries)]


@dataclass(frozen=True, kw_only=True)
class CastValue(Codec):
    """Items as numbers of another data type.

    Parameters
    ----------
    data_type : str or ZDType
        What is stored.
    rounding : str, optional
        ``"nearest-even"``, ``"nearest-away"``, ``"towards-zero"``, ``"towards-positive"`` or
        ``"towards-negative"``.
    out_of_range : {None, "clamp", "wrap"}, optional
        What becomes of numbers that are out of range; None: an error.
    scalar_map : dict, optional
        Numbers that become others: under ``"encode"`` and ``"decode"`` a mapping, or pairs.

    Raises
    ------
    CodecError, MetadataError
        There is no such data type, or it is not of integers or floats.

    Examples
    --------
    >>> from zchunk.zarr3.codecs import CastValue
    >>> CastValue(data_type="uint8", scalar_map={"encode": {"NaN": 0}}).to_dict()["configuration"]
    {'data_type': 'uint8', 'scalar_map': {'encode': [['NaN', 0]]}}
    """

    name: ClassVar[str] = "cast_value"
    data_type: Any
    rounding: str = "nearest-even"
    out_of_range: str | None = None
    scalar_map: Any = None

    def __post_init__(self) -> None:
        check_castable(parse_data_type(self._data_type))

    @property
    def _data_type(self) -> Any:
        given = self.data_type
        return given.to_json(zarr_format=3) if isinstance(given, ZDType) else given

    @property
    def dtype(self) -> ZDType:
        """The data type that is stored."""
        return parse_dtype(self._data_type, zarr_format=3)

    def _configuration(self) -> dict[str, Any]:
        found = {"data_type": self._data_type}
        if self.rounding != "nearest-even":
            found["rounding"] = self.rounding
        if self.out_of_range is not None:
            found["out_of_range"] = self.out_of_range
        if self.scalar_map is not None:
            maps = self.scalar_map.items()
            found["scalar_map"] = {name: _pairs(entries) for name, entries in maps if entries is not None}
        return found


def _as_json(codecs: Iterable[Any]) -> list[Any]:
    return [json_of(codec) for codec in codecs]


@dataclass(frozen=True, kw_only=True)
class ShardingCodec(Codec):
    """Chunks in a chunk; ``shards=`` of `create_array` is easier to use.

    Parameters
    ----------
    chunk_shape : sequence of int
        Of the inner chunks.
    codecs : sequence of codecs, optional
        Of the inner chunks.
    index_codecs : sequence of codecs, optional
        Of the index.
    index_location : {"end", "start"}, optional
        Where the index is.
    subchunk_write_order : str, optional
        Ignored: zchunk writes inner chunks in the order of their index.
    """

    name: ClassVar[str] = "sharding_indexed"
    _texts: ClassVar[dict[str, tuple[str | None, ...]]] = {"index_location": ("start", "end")}
    chunk_shape: Sequence[int]
    codecs: Sequence[Any] = (BytesCodec(endian="little"),)
    index_codecs: Sequence[Any] = (BytesCodec(endian="little"), Crc32cCodec())
    index_location: str = "end"
    subchunk_write_order: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (self.chunk_shape,) if isinstance(self.chunk_shape, int) else tuple(self.chunk_shape)
        if not all(length >= 1 for length in shape):
            raise CodecError(f"chunk_shape of ShardingCodec is {shape}, and a chunk has at least one item")
        object.__setattr__(self, "chunk_shape", shape)
        for codec in _as_json(self.index_codecs):
            if codec["name"] in ("blosc", "gzip", "zstd"):
                raise CodecError(f"index_codecs has {codec['name']!r}, and an index has a size that is fixed")

    def _configuration(self) -> dict[str, Any]:
        return {
            "chunk_shape": list(self.chunk_shape),
            "codecs": tuple(_as_json(self.codecs)),
            "index_codecs": tuple(_as_json(self.index_codecs)),
            "index_location": self.index_location,
        }


def codec_of(data: Mapping[str, Any]) -> Any:
    """Return the codec of JSON of format 3; the JSON itself if zarr 3 has no name for it.

    Examples
    --------
    >>> codec_of({"name": "gzip", "configuration": {"level": 1}})
    GzipCodec(level=1)
    """
    name, configuration = data["name"], dict(data.get("configuration", {}))
    if name == ShardingCodec.name:
        for part in ("codecs", "index_codecs"):
            configuration[part] = tuple(map(codec_of, configuration[part]))
        configuration["chunk_shape"] = tuple(configuration["chunk_shape"])
    elif name == TransposeCodec.name:
        configuration["order"] = tuple(configuration["order"])
    elif name == BytesCodec.name:
        configuration.setdefault("endian", None)
    kind = _KINDS.get(name)
    return data if kind is None else kind(**configuration)


_KINDS: dict[str, Any] = {
    **{kind.name: kind for kind in Codec.__subclasses__()},
    **{f"numcodecs.{kind._id}": kind for kind in numcodecs.kinds()},
}
