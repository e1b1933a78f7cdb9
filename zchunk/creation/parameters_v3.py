"""Parameters of format 3: the metadata of a new array of this format.

They are put together as the document that is stored, and then parsed as any other document: so an array that
is made can be opened.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.codecs import Codec, Crc32c, as_codec
from zchunk.codecs.objects import object_filters
from zchunk.codecs.registry import trusted_ids
from zchunk.creation.recipe import ArrayRecipe
from zchunk.creation.spellings import checked_separator, key_encoding
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata import v3
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.v3.chunk_grids import render_edges
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.chunk_sizes import parse_bytes
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.keys import NODE_KEY, ChunkKeyEncoding
from zchunk.spec.regular_grid import lists_lengths, normalize_chunks

if TYPE_CHECKING:
    from zchunk.spec import rectilinear_grid
    from zchunk.spec.rectilinear_grid import Edges
else:
    # Few arrays have such a grid.
    rectilinear_grid = LazyModule("zchunk.spec.rectilinear_grid")

# Bytes of a shard, uncompressed, where zchunk chooses: file systems and object stores move such a file
# at full speed, and many of them fit in memory.
_SHARD_BYTES = 128 << 20
_INDEX_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]


def make_metadata(recipe: ArrayRecipe) -> ArrayMetadata:
    """Return the metadata that a recipe describes. Shape, dtype and lists of codecs are known."""
    dtype = _packed(recipe.dtype)
    native = dtype.newbyteorder("=")
    inner, shard, edges = _layout(recipe, dtype.itemsize)
    # The codec of objects comes before other filters, as in format 2.
    first = [recipe.object_codec] if recipe.object_codec is not None and native.hasobject else []
    # Codecs of format 3 go into the document as they are, others by way of the model.
    filters = [_as_codec_or_json(codec, max(dtype.itemsize, 1)) for codec in (*first, *recipe.filters)]
    compressors = [_as_codec_or_json(codec, max(dtype.itemsize, 1)) for codec in recipe.compressors]
    if recipe.checksum and not (compressors and _is_checksum(compressors[-1])):
        compressors.append(Crc32c())
    known = tuple(codec for codec in filters if not isinstance(codec, dict))
    serializer = None if _is_auto(recipe.serializer) else recipe.serializer
    if isinstance(serializer, str) and serializer == "bytes" and not native.hasobject:
        # In the byte order of the dtype, as by default.
        serializer = None
    if native.hasobject and serializer is not None and not known:
        known, serializer = (as_codec({"id": json_of(serializer)["name"]}),), None
    document = _document(_model(recipe, dtype, inner, known))
    codecs = [codec for codec in filters if isinstance(codec, dict)] + document["codecs"]
    if serializer is not None:
        codecs[-1] = json_of(serializer)
    elif len(known) < len(filters) and codecs[-1]["name"] == "bytes":
        # What filters make of items may have a byte order that the items have not.
        endian = "big" if (dtype == native) == (sys.byteorder == "big") else "little"
        codecs[-1] = {"name": "bytes", "configuration": {"endian": endian}}
    codecs += [codec if isinstance(codec, dict) else rendered(codec, native) for codec in compressors]
    if shard is not None:
        codecs = [_sharding(inner, codecs, recipe.index_location)]
        document["chunk_grid"]["configuration"]["chunk_shape"] = list(shard)
    if edges is not None:
        document["chunk_grid"] = render_edges(edges)
    document["codecs"] = codecs
    trusted = trusted_ids(*known, *(codec for codec in compressors if not isinstance(codec, dict)))
    # There is no place yet that messages could name.
    return v3.parse_array(json.dumps(document).encode(), NODE_KEY, trusted)


def _is_checksum(codec: Any) -> bool:
    name = codec["name"] if isinstance(codec, dict) else codec.codec_id
    return name.removeprefix("numcodecs.") in ("crc32", "crc32c")


def _model(
    recipe: ArrayRecipe, dtype: np.dtype[Any], chunks: tuple[int, ...], filters: tuple[Codec, ...]
) -> ArrayMetadata:
    """Return metadata with all that the document says but compressors, shards and codecs that are JSON."""
    native, order = dtype.newbyteorder("="), recipe.order
    return ArrayMetadata(
        shape=recipe.shape,
        dtype=native,
        chunk_shape=chunks,
        fill_value=_fill_value(recipe.fill_value, native, filters),
        order=order.upper() if isinstance(order, str) else order,
        filters=object_filters(native, None, filters) if native.hasobject and not filters else filters,
        compressors=(),
        chunk_key_encoding=_key_encoding(recipe.chunk_key_encoding, recipe.dimension_separator),
        zarr_format=3,
        swapped=dtype != native and _is_swapped(dtype, native),
        dimension_names=_dimension_names(recipe.dimension_names, len(recipe.shape)),
    )


def _is_auto(value: object) -> bool:
    return isinstance(value, str) and value == "auto"


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype without padding between fields, which format 3 does not have."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_packed(base), shape))
    if dtype.names is None:
        return dtype
    return np.dtype([(name, _packed(dtype[name])) for name in dtype.names])


def _document(metadata: ArrayMetadata) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(v3.render_array(metadata))
    return document


def _is_swapped(dtype: np.dtype[Any], native: np.dtype[Any]) -> bool:
    if dtype.newbyteorder("S") == native:
        return True
    raise MetadataError(f"dtype {dtype} has fields of both byte orders; format 3 has one for all")


def _fill_value(value: object, dtype: np.dtype[Any], filters: tuple[Codec, ...]) -> Any:
    # Format 3 always has a fill value.
    if dtype.kind == "O" and (value is None or (isinstance(value, int) and not value)):
        return b"" if filters and filters[0].codec_id == "vlen-bytes" else ""
    found = normalize_fill_value(value, dtype)
    return np.zeros((), dtype)[()] if found is None else found


def rendered(codec: Codec, dtype: np.dtype[Any]) -> Any:
    """Return a codec from bytes to bytes as JSON of format 3, for items of `dtype`."""
    dtype = np.dtype("u1") if dtype.hasobject else dtype
    one = ArrayMetadata((1,), dtype, (1,), np.zeros((), dtype)[()], compressors=(codec,), zarr_format=3)
    return _document(one)["codecs"][-1]


def _as_codec_or_json(obj: object, itemsize: int) -> Any:
    """Return a codec as one of zchunk or numcodecs, or as JSON of format 3."""
    if isinstance(obj, Mapping) and "id" not in obj:
        return json_of(obj)
    if not isinstance(obj, Mapping) and not isinstance(obj, Codec) and hasattr(obj, "to_dict"):
        return _fitted(obj, itemsize)
    return as_codec(obj)


def _fitted(obj: object, itemsize: int) -> dict[str, Any]:
    """Return the JSON of a codec of zarr 3, with parameters that it leaves open until it sees the items."""
    found = json_of(obj)
    unset = getattr(obj, "_tunable_attrs", ())
    if "typesize" in unset:
        found["configuration"]["typesize"] = itemsize
    if "shuffle" in unset:
        found["configuration"]["shuffle"] = "bitshuffle" if itemsize == 1 else "shuffle"
    return found


def json_of(obj: object) -> dict[str, Any]:
    """Return the JSON of format 3 of a codec: the caller gives that, a name, or an object of zarr 3."""
    if not isinstance(obj, Mapping) and hasattr(obj, "to_dict"):
        obj = obj.to_dict()
    if isinstance(obj, str):
        obj = {"name": obj}
    if not isinstance(obj, Mapping) or not isinstance(obj.get("name"), str):
        raise CodecError(f"{obj!r:.80} is not a codec of format 3, which is an object with the member 'name'")
    return json.loads(json.dumps(dict(obj), default=str))  # type: ignore[no-any-return]


def _sharding(inner: tuple[int, ...], codecs: list[Any], index_location: str) -> dict[str, Any]:
    return {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": list(inner),
            "codecs": codecs,
            "index_codecs": _INDEX_CODECS,
            "index_location": index_location,
        },
    }


def _key_encoding(encoding: object, separator: str | None) -> ChunkKeyEncoding:
    if encoding is None:
        return ChunkKeyEncoding("default", checked_separator(separator) or "/")
    if separator is not None:
        raise ValueError("give chunk_key_encoding or dimension_separator, not both")
    return ChunkKeyEncoding(*key_encoding(encoding))


def _dimension_names(names: object, ndim: int) -> tuple[str | None, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"dimension_names is a name or None for every axis, not {names!r:.80}")
    found = tuple(names)
    if len(found) != ndim or not all(name is None or isinstance(name, str) for name in found):
        raise ValueError(f"dimension_names is {found!r:.200}, not {ndim} names or None, one for every axis")
    return found


def _layout(
    recipe: ArrayRecipe, itemsize: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[Edges, ...] | None]:
    """Return the shapes of a chunk and of a shard, the largest, and the edges in a rectilinear grid.

    Raises
    ------
    ValueError
        A shard is not made of whole chunks, or lengths that are listed are not those of the array.
    """
    chunks, shards, shape = recipe.chunks, recipe.shards, recipe.shape
    sharded = shards is not None and shards is not False
    if lists_lengths(chunks):
        if sharded:
            raise ValueError(
                f"chunks {chunks!r:.80} have listed lengths, and inner chunks of shards have one for each "
                "axis; list those of the shards: chunks=(10, 10), shards=[[20, 40], [30]]"
            )
        edges = rectilinear_grid.normalize_edges(chunks, shape)
        return _grid(shape, edges, "chunks").largest, None, edges
    if not sharded or not lists_lengths(shards):
        return *chunks_and_shards(chunks, shards, shape, itemsize), None
    unit = None if _is_guess(chunks) else normalize_chunks(chunks, shape, itemsize)
    edges = rectilinear_grid.normalize_edges(shards, shape, unit, "shards")
    grid = _grid(shape, edges, "shards")
    # Those that hold items; where none does, those that will.
    lengths = [grid.lengths(axis) or rectilinear_grid.lengths_of(e) for axis, e in enumerate(edges)]
    if unit is None:
        common = tuple([math.gcd(*each) for each in lengths])
        unit = chunks_and_shards(chunks, common, shape, itemsize)[0]
    for axis, (each, inner) in enumerate(zip(lengths, unit, strict=True)):
        if any(n % inner for n in each):
            raise ValueError(
                f"shards along axis {axis} are not made of whole chunks of {inner}: the lengths do not divide"
            )
    return unit, grid.largest, edges


def _grid(
    shape: tuple[int, ...], edges: tuple[Edges, ...], what: str
) -> rectilinear_grid.RectilinearGrid:
    if len(edges) != len(shape):
        raise ValueError(f"{what} has {len(edges)} axes, and shape {shape} has {len(shape)}")
    return rectilinear_grid.RectilinearGrid(shape, edges)


def _is_guess(chunks: object) -> bool:
    return chunks is None or chunks is True or isinstance(chunks, str)


def chunks_and_shards(
    chunks: object, shards: object, shape: tuple[int, ...], itemsize: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return the shape of a chunk, and that of a shard if there are any.

    Raises
    ------
    ValueError
        A shard is not made of whole chunks.
    """
    guess = chunks is None or chunks is True or _is_auto(chunks)
    chunks = True if guess else chunks
    if shards is None or shards is False:
        return normalize_chunks(chunks, shape, itemsize), None
    if shards is True or isinstance(shards, str):
        inner = normalize_chunks(chunks, shape, itemsize)
        nbytes = _SHARD_BYTES if shards is True or _is_auto(shards) else parse_bytes(shards, "shards")
        return inner, _guess_shards(inner, shape, itemsize, nbytes)
    shard = normalize_chunks(shards, shape, itemsize)
    if guess or isinstance(chunks, str):
        inside = tuple(map(min, shard, (max(n, 1) for n in shape)))
        return tuple(map(_divisor, shard, normalize_chunks(chunks, inside, itemsize))), shard
    inner = normalize_chunks(chunks, shape, itemsize)
    if any(s % c for s, c in zip(shard, inner, strict=True)):
        raise ValueError(f"shards {shard} are not made of whole chunks {inner}: the lengths do not divide")
    return inner, shard


def _divisor(length: int, wanted: int) -> int:
    """Return a divisor of `length`, at most `wanted` if the search for one is short."""
    first = -(-length // wanted)
    return next((length // n for n in range(first, min(first + 4096, length + 1)) if length % n == 0), length)


def _guess_shards(
    chunks: tuple[int, ...], shape: tuple[int, ...], itemsize: int, nbytes: int
) -> tuple[int, ...]:
    """Return the shape of a shard of at most `nbytes`, with about as many chunks along every axis."""
    most = [max(-(-n // c), 1) for n, c in zip(shape, chunks, strict=True)]
    counts = [1] * len(chunks)
    room = nbytes // max(math.prod(chunks) * itemsize, 1)
    while True:
        # The last axis first: then items that are side by side in an array are in one shard.
        axes = [axis for axis in reversed(range(len(counts))) if counts[axis] < most[axis]]
        axis = min(axes, key=counts.__getitem__, default=-1)
        if axis < 0:
            break
        grown = min(counts[axis] * 2, most[axis])
        if math.prod(counts) // counts[axis] * grown > room:
            break
        counts[axis] = grown
    return tuple(c * n for c, n in zip(chunks, counts, strict=True))
