"""The codec chains of Zarr v3: checked, read into the members of the model, and written again.

A chain is codecs from array to array, one from array to bytes, and codecs from bytes to bytes. What they do
is said by the model in the words that the engine understands: a transpose of all axes is `order`, the byte
order `swapped`, a shard `shards`. All else are filters.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.codecs.base import Codec
from zchunk.codecs.bound import ItemCodec
from zchunk.codecs.registry import get_codec
from zchunk.codecs.shard_index import EMPTY, ShardIndex
from zchunk.codecs.sharding import ShardingCodec
from zchunk.codecs.transpose import ByteSwap, Reshape, Transpose
from zchunk.codecs.v3 import (
    ARRAY_ARRAY,
    ARRAY_BYTES,
    BOUND,
    BYTES_BYTES,
    bytes_codec,
    encoded_dtype,
    is_serializer,
    items_codec,
    kind_of,
    render_codec,
)
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.array import ArrayMetadata, ShardFormat
from zchunk.metadata.v3.data_types import OBJECT_CODECS, has_byte_order
from zchunk.metadata.v3.extension import Extension, check_members, parse_extension, render_extension
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.dtypes import ML_COMPLEX
from zchunk.spec.keys import ChunkKeyEncoding

if TYPE_CHECKING:
    from zchunk.metadata.v3 import bound_codecs
else:
    # Few arrays have such codecs.
    bound_codecs = LazyModule("zchunk.metadata.v3.bound_codecs")

MAX_NESTING = 8
_MAX_CODECS = 64
# Of arrays of NumPy.
_MAX_AXES = 64
_ENDIANS = ("little", "big")
_INDEX_DTYPE = np.dtype("u8")
_DEFAULT = ChunkKeyEncoding("default", "/")


def parse_codecs(
    codecs: object,
    dtype: np.dtype[Any],
    chunk_shape: tuple[int, ...],
    fill_value: object,
    data_type: object = None,
    member: str = "codecs",
    *,
    depth: int = 0,
) -> dict[str, Any]:
    """Return what a list of codecs, as JSON, says in the members of `ArrayMetadata`.

    Parameters
    ----------
    codecs : list
        The JSON.
    dtype : numpy.dtype
        Of the items, in the byte order of the machine.
    chunk_shape : tuple of int
        Of a chunk.
    fill_value : Any
        Of inner chunks that are not stored.
    data_type : object, optional
        What the metadata call the dtype: tells strings from bytes, which both are objects.
    member : str, optional
        Where the list stands, for the messages of errors.
    depth : int, optional
        How many shards it is in.

    Returns
    -------
    dict
        `order`, `filters`, `compressors`, `swapped` and `shards`.

    Raises
    ------
    MetadataError, CodecError
        It is no chain of codecs for such chunks.
    """
    if not isinstance(codecs, list) or len(codecs) > _MAX_CODECS:
        raise MetadataError(f"{member} is {codecs!r:.80}, not a list of at most {_MAX_CODECS} codecs")
    chain = [parse_extension(obj, f"{member}[{i}]") for i, obj in enumerate(codecs)]
    try:
        return _Parser(dtype, chunk_shape, fill_value, data_type, depth).parse(chain)
    except (CodecError, MetadataError) as err:
        raise type(err)(f"{member}: {err}") from err


def _split(chain: list[Extension]) -> int:
    """Return where in a chain that is in order the codec from array to bytes is."""
    kinds = [kind_of(codec.name) for codec in chain]
    order = [ARRAY_ARRAY, ARRAY_BYTES, BYTES_BYTES]
    for before, after, kind, follows in zip(chain, chain[1:], kinds, kinds[1:], strict=False):
        if order.index(kind) > order.index(follows) or kind == follows == ARRAY_BYTES:
            advice = f"; give {before.name!r} in compressors, not in filters" if kind == BYTES_BYTES else ""
            raise CodecError(
                f"codec {after.name!r}, {follows}, cannot follow {before.name!r}, {kind}{advice}"
            )
    if ARRAY_BYTES not in kinds:
        raise CodecError("a codec from array to bytes is missing, such as 'bytes'")
    return kinds.index(ARRAY_BYTES)


class _Parser:
    """What a chain has been read to so far."""

    def __init__(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], fill_value: object, data_type: object, depth: int
    ) -> None:
        self.dtype = dtype
        # None once a filter of numcodecs has made one axis of all.
        self.shape: tuple[int, ...] | None = shape
        self.fill_value = fill_value
        self.data_type = data_type
        self.depth = depth
        self.filters: list[Codec] = []
        self.members: dict[str, Any] = {"order": "C", "swapped": False, "shards": None}

    def parse(self, chain: list[Extension]) -> dict[str, Any]:
        at = _split(chain)
        transposes = 0
        while chain[transposes].name == "transpose":
            transposes += 1
        self._transpose(chain[:transposes], plain=transposes == at and chain[at].name != "sharding_indexed")
        for codec in chain[transposes:at]:
            if codec.name == "transpose":
                self._transpose([codec], plain=False)
            elif codec.name == "reshape":
                self._reshape(codec)
            else:
                self._filter(codec)
        compressors = tuple(bytes_codec(*codec, self.dtype.itemsize) for codec in chain[at + 1 :])
        self._serialize(chain[at], whole=not compressors)
        return {**self.members, "filters": tuple(self.filters), "compressors": compressors}

    def _transpose(self, codecs: list[Extension], plain: bool) -> None:
        if self.shape is None:
            raise CodecError("codec 'transpose' cannot follow a filter that makes one axis of all")
        ndim = len(self.shape)
        order = list(range(ndim))
        for codec in codecs:
            step = _permutation(codec, ndim)
            order = [order[axis] for axis in step]
        if order == list(range(ndim)):
            return
        if plain and order == list(range(ndim))[::-1]:
            self.members["order"] = "F"
            return
        transpose = Transpose(tuple(order), self.shape, self.dtype)
        self.filters.append(transpose)
        self.shape = transpose.encoded_shape

    def _reshape(self, codec: Extension) -> None:
        if self.shape is None:
            raise CodecError("codec 'reshape' cannot follow a filter that makes one axis of all")
        reshape = Reshape(_sizes(codec), self.shape, self.dtype)
        self.filters.append(reshape)
        self.shape = reshape.encoded_shape

    def _filter(self, codec: Extension) -> None:
        if self.dtype.hasobject:
            raise CodecError(f"codec {codec.name!r} does not take strings or bytes of any length")
        if codec.name in BOUND:
            self._bind(bound_codecs.item_codec(codec, self.dtype))
            return
        made = items_codec(codec.name, codec.configuration, self.dtype)
        self.filters.append(made)
        self.dtype = encoded_dtype(made, self.dtype)
        if made.codec_id != "bitround":
            self.shape = None

    def _bind(self, codec: ItemCodec) -> None:
        """Add a codec of items, which the fill value passes as they do: shards that follow need it so."""
        if self.shape is not None and self.fill_value is not None:
            try:
                self.fill_value = codec.encode(np.asarray([self.fill_value], self.dtype))[0]
            except ValueError as err:
                raise CodecError(f"the fill value {self.fill_value!r:.80} cannot be stored: {err}") from err
        self.filters.append(codec)
        if codec.encoded != self.dtype:
            self.dtype, self.data_type = codec.encoded, None

    def _serialize(self, codec: Extension, whole: bool) -> None:
        match codec.name:
            case "bytes":
                self._bytes(codec)
            case "vlen-utf8" | "vlen-bytes":
                check_members(codec, "codec", set())
                if not self.dtype.hasobject or object_codec_id(self.data_type) != codec.name:
                    taken = _named(self.dtype, self.data_type)
                    raise CodecError(f"codec {codec.name!r} does not take {taken}")
                self.filters.append(get_codec({"id": codec.name}))
            case "sharding_indexed":
                if self.shape is None or any(
                    not isinstance(f, Transpose | Reshape | ItemCodec) for f in self.filters
                ):
                    raise CodecError("codec 'sharding_indexed' cannot follow filters of numcodecs")
                shards = self._shards(codec, self.shape)
                if whole and not self.filters:
                    self.members["shards"] = shards
                else:
                    self.filters.append(ShardingCodec(shards))
            case "packbits":
                self._check_fixed(codec.name)
                if self.shape is None:
                    raise CodecError("codec 'packbits' cannot follow a filter that makes one axis of all")
                self.filters.append(bound_codecs.serializer(codec, self.dtype, math.prod(self.shape)))
            case _:
                self._check_fixed(codec.name)
                self.filters.append(items_codec(codec.name, codec.configuration, self.dtype))

    def _check_fixed(self, name: str) -> None:
        if self.dtype.hasobject:
            needed = object_codec_id(self.data_type)
            raise CodecError(
                f"codec {name!r} does not take {_named(self.dtype, self.data_type)}; {needed!r} does"
            )

    def _bytes(self, codec: Extension) -> None:
        check_members(codec, "codec", set(), {"endian"})
        self._check_fixed("bytes")
        endian = codec.configuration.get("endian")
        if endian not in (None, *_ENDIANS):
            raise CodecError(f"codec 'bytes': endian is {endian!r:.80}, not 'little' or 'big'")
        if not has_byte_order(self.dtype):
            return
        # zarr-python has written structures without it, little-endian.
        if endian is None and self.dtype.names is None:
            raise CodecError(f"codec 'bytes' lacks endian, which {self.dtype} needs")
        if (endian or "little") != sys.byteorder:
            if self.dtype.name in ML_COMPLEX:
                # NumPy does not swap each part of these.
                self.filters.append(ByteSwap(np.dtype(f"u{self.dtype.itemsize // 2}")))
            elif all(isinstance(f, Transpose) for f in self.filters):
                self.members["swapped"] = True
            else:
                self.filters.append(ByteSwap(self.dtype))

    def _shards(self, codec: Extension, shape: tuple[int, ...]) -> ShardFormat:
        if self.depth >= MAX_NESTING:
            raise CodecError(f"codec 'sharding_indexed' is nested more than {MAX_NESTING} deep")
        check_members(codec, "codec", {"chunk_shape", "codecs", "index_codecs"}, {"index_location"})
        config = codec.configuration
        location = config.get("index_location", "end")
        if location not in ("end", "start"):
            raise CodecError(
                f"codec 'sharding_indexed': index_location is {location!r:.80}, not 'end' or 'start'"
            )
        chunk_shape = parse_lengths(config["chunk_shape"], "codec 'sharding_indexed': chunk_shape", 1)
        if len(chunk_shape) != len(shape) or any(s % c for s, c in zip(shape, chunk_shape, strict=False)):
            raise CodecError(
                f"codec 'sharding_indexed': inner chunks of {chunk_shape} do not divide a shard of {shape}"
            )
        inner = ArrayMetadata(
            shape=shape,
            dtype=self.dtype,
            chunk_shape=chunk_shape,
            fill_value=self.fill_value,
            chunk_key_encoding=_DEFAULT,
            zarr_format=3,
            data_type=self.data_type,
            **parse_codecs(
                config["codecs"],
                self.dtype,
                chunk_shape,
                self.fill_value,
                self.data_type,
                depth=self.depth + 1,
            ),
        )
        grid = (*(s // c for s, c in zip(shape, chunk_shape, strict=True)), 2)
        fill = _INDEX_DTYPE.type(EMPTY)
        index_array = ArrayMetadata(
            shape=grid,
            dtype=_INDEX_DTYPE,
            chunk_shape=grid,
            fill_value=fill,
            chunk_key_encoding=_DEFAULT,
            zarr_format=3,
            data_type="uint64",
            **parse_codecs(
                config["index_codecs"],
                _INDEX_DTYPE,
                grid,
                fill,
                "uint64",
                "index_codecs",
                depth=self.depth + 1,
            ),
        )
        shards = ShardFormat(inner, index_array, location)
        # Made to be checked.
        ShardIndex(shards)
        return shards


def object_codec_id(data_type: object) -> str | None:
    """Return the codec that turns items of a data type into bytes, if they are objects."""
    name = data_type.get("name") if isinstance(data_type, dict) else data_type
    return OBJECT_CODECS.get(name) if isinstance(name, str) else None


def parse_lengths(obj: object, member: str, least: int) -> tuple[int, ...]:
    """Return a list of lengths as a tuple; `MetadataError` if it is none."""
    if not isinstance(obj, list):
        raise MetadataError(f"{member} is {obj!r:.80}, not a list of integers")
    for n in obj:
        # bool is an int, but no length.
        if type(n) is not int or not least <= n < 2**63:
            raise MetadataError(f"{member} has {n!r:.80}, not an integer from {least} to 2**63 - 1")
    return tuple(obj)


def _permutation(codec: Extension, ndim: int) -> list[int]:
    check_members(codec, "codec", {"order"})
    order = codec.configuration["order"]
    # How drafts of the format named the two most common ones.
    if order in ("C", "F"):
        return list(range(ndim))[:: 1 if order == "C" else -1]
    if not isinstance(order, list) or any(type(axis) is not int for axis in order):
        raise CodecError(f"codec 'transpose': order is {order!r:.80}, not a list of integers")
    if sorted(order) != list(range(ndim)):
        raise CodecError(f"codec 'transpose': order {order!r:.80} is no permutation of {ndim} axes")
    return order


def _sizes(codec: Extension) -> tuple[int | tuple[int, ...], ...]:
    check_members(codec, "codec", {"shape"})
    sizes = codec.configuration["shape"]
    if not isinstance(sizes, list) or len(sizes) > _MAX_AXES:
        raise CodecError(f"codec 'reshape': shape is {sizes!r:.80}, not a list of at most {_MAX_AXES}")
    for n in sizes:
        if isinstance(n, list):
            valid = all(type(axis) is int for axis in n)
        else:
            valid = type(n) is int and (n == -1 or 1 <= n < 2**63)
        if not valid:
            raise CodecError(f"codec 'reshape': shape has {n!r:.80}, not a length, -1 or a list of axes")
    if sizes.count(-1) > 1:
        raise CodecError("codec 'reshape': shape has -1 more than once")
    return tuple(tuple(n) if isinstance(n, list) else n for n in sizes)


def _named(dtype: np.dtype[Any], data_type: object) -> str:
    return f"the data type {data_type!r:.80}" if data_type is not None else f"items of {dtype}"


def render_codecs(meta: ArrayMetadata) -> list[dict[str, Any]]:
    """Return the JSON of the codecs of an array, as zarr-python 3 writes them.

    Raises
    ------
    CodecError
        Format 3 has no name for one of them.
    """
    if meta.shards is not None:
        return [_render_shards(meta.shards)]
    chain: list[dict[str, Any]] = []
    if meta.order == "F" and meta.ndim > 1:
        chain.append(render_extension("transpose", {"order": list(range(meta.ndim))[::-1]}))
    dtype, serialized = meta.dtype, False
    for codec in meta.filters:
        if isinstance(codec, ShardingCodec):
            chain.append(_render_shards(codec.format))
        elif isinstance(codec, ByteSwap):
            chain.append(_render_bytes(codec.dtype, swapped=True))
        else:
            chain.append(render_extension(*render_codec(codec, dtype.itemsize)))
        dtype = encoded_dtype(codec, dtype)
        serialized = serialized or is_serializer(codec)
    if not serialized:
        if dtype.hasobject:
            raise CodecError(f"dtype {dtype} holds objects, but the filters have no codec for them")
        chain.append(_render_bytes(dtype, meta.swapped))
    itemsize = 1 if serialized else dtype.itemsize
    for codec in meta.compressors:
        chain.append(render_extension(*render_codec(codec, max(itemsize, 1))))
        itemsize = 1
    return chain


def _render_bytes(dtype: np.dtype[Any], swapped: bool) -> dict[str, Any]:
    if not has_byte_order(dtype):
        return render_extension("bytes")
    endian = _ENDIANS[(sys.byteorder == "big") != swapped]
    return render_extension("bytes", {"endian": endian})


def _render_shards(shards: Any) -> dict[str, Any]:
    return render_extension(
        "sharding_indexed",
        {
            "chunk_shape": list(shards.inner.chunk_shape),
            "codecs": render_codecs(shards.inner),
            "index_codecs": render_codecs(shards.index_array),
            "index_location": shards.location,
        },
    )
