"""Conversion: what an array of one format is in another, as parameters of `create` and as attributes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zchunk.codecs import CRC32, Codec, Crc32c, get_codec
from zchunk.core.array import Array
from zchunk.errors import ZchunkError
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import get_format
from zchunk.runtime.callers import caller_level
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.fill_values import fill_bytes
from zchunk.spec.keys import DIMENSIONS
from zchunk.spec.regular_grid import lists_lengths, normalize_shape

if TYPE_CHECKING:
    from zchunk.codecs import bound
    from zchunk.codecs import v3 as of_format3
    from zchunk.core.lazy_views import LazyItems
    from zchunk.creation import parameters_v3
    from zchunk.spec import rectilinear_grid
else:
    # Of format 3 only.
    bound = LazyModule("zchunk.codecs.bound")
    of_format3 = LazyModule("zchunk.codecs.v3")
    parameters_v3 = LazyModule("zchunk.creation.parameters_v3")
    rectilinear_grid = LazyModule("zchunk.spec.rectilinear_grid")

# Parameters that a given parameter takes the place of.
_INSTEAD_OF = {
    "compressor": ("compressors",),
    "compressors": ("compressor",),
    "dimension_separator": ("chunk_key_encoding",),
    "chunk_key_encoding": ("dimension_separator",),
    "dtype": ("serializer",),
}
# Codecs that format 2 stores in another way, or not at all.
_ONLY_IN_3 = {"crc32c", "transpose", "byteswap"}


def parameters_of(a: Array | LazyItems, zarr_format: int) -> dict[str, Any]:
    """Return the parameters of `create` that give an array of a format the properties of the array `a`.

    Those of a view are its array's, as far as they fit the view.

    Shape and dtype are not among them, unless items are stored in another byte order than `a` shows. A codec
    that the format does not have is left out, with a warning; if it is the compressor, the default takes its
    place.
    """
    if not isinstance(a, Array):
        return _parameters_of_view(a, zarr_format)
    found = _layout_of(a, zarr_format)
    filters, compressors = a.filters or [], list(a.compressors)
    if a.dtype.hasobject and filters:
        found["object_codec"], *filters = filters
    if zarr_format != a.zarr_format:
        wanted = [*filters, *compressors]
        filters, known = (_those_in(zarr_format, codecs, a) for codecs in (filters, compressors))
        _warn_of_others(a, wanted, len(filters) + len(known), zarr_format)
        if compressors and not known:
            return found | {"filters": filters}
        compressors = known
    if zarr_format == 3:
        # From format 2: what makes bytes of bytes is no filter in format 3.
        while filters and of_format3.is_bytes_codec(filters[-1]):
            compressors.insert(0, filters.pop())
        return found | {"filters": filters, "compressors": compressors}
    # Format 2 has one compressor; the others are filters, which may change bytes as well.
    found["compressor"] = compressors.pop() if compressors else None
    return found | {"filters": [*filters, *compressors]}


def _parameters_of_view(view: LazyItems, zarr_format: int) -> dict[str, Any]:
    array: Any = view.arrays[0]
    found = parameters_of(array, zarr_format) | {"chunks": chunks_of_view(view)}
    found.pop("shards", None)
    if found.get("dimension_names") is not None:
        found["dimension_names"] = names_along(view, found["dimension_names"])
    if view.dtype != array.dtype:
        # These are for items of the array.
        for name in ("dtype", "fill_value", "filters", "object_codec", "serializer"):
            found.pop(name, None)
    return found


def chunks_of_view(view: LazyItems) -> tuple[int, ...]:
    """Return a chunk shape for a view: along every axis as many items as a chunk of the array has."""
    array: Any = view.arrays[0]
    lengths = array.metadata.grid_of_chunks.largest
    return tuple(
        [
            max(min(n, math.prod([lengths[axis] for axis in axes])) if axes else n, 1)
            for n, axes in zip(view.shape, view.origins, strict=True)
        ]
    )


def names_along(view: LazyItems, names: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return the names of the axes of a view, of which points and new axes have none."""
    found = [names[axes[0]] if len(axes) == 1 else None for axes in view.origins]
    return tuple([name if found.count(name) == 1 else None for name in found])


def merged(found: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of `create`: all that are `given`, and those `found` that do not contradict them."""
    without = {other for name in given for other in _INSTEAD_OF.get(name, ())}
    if not given.keys().isdisjoint(("shape", "chunks", "shards")):
        # A rectilinear grid may not fit these, but its largest chunk does.
        found = {name: getattr(value, "largest", value) for name, value in found.items()}
        if found.get("shards") is not None:
            found["shards"] = _shards(found["shards"], found["chunks"], given)
    return {name: value for name, value in found.items() if name not in without} | given


def _shards(shards: tuple[int, ...], chunks: object, given: dict[str, Any]) -> Any:
    """Return `shards` of an array with `chunks`, as whole numbers of the chunks that are given instead.

    None if the given shape has another number of axes, or the given chunks are those of a rectilinear grid.
    """
    wanted: Any = given.get("chunks", chunks)
    if lists_lengths(wanted):
        return None
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        wanted = (wanted,) * len(shards)
    if len(normalize_shape(given.get("shape", shards))) != len(shards):
        return None
    if not isinstance(wanted, tuple | list) or len(wanted) != len(shards) or not all(wanted):
        return shards
    return tuple(c * max(round(s / c), 1) for s, c in zip(shards, wanted, strict=True))


def _layout_of(a: Array, zarr_format: int) -> dict[str, Any]:
    metadata = a._metadata
    # In place of a rectilinear grid, its largest chunk: no larger one has to be held in memory.
    chunks: Any = metadata.grid_of_chunks.largest
    shards: Any = None if metadata.shards is None else metadata.grid.largest
    if metadata.edges is not None and zarr_format == 3:
        kept = rectilinear_grid.ChunkShapes(metadata.edges, metadata.grid.largest)
        chunks, shards = (kept, None) if shards is None else (chunks, kept)
    found = {"chunks": chunks, "order": metadata.innermost.order, "fill_value": a.fill_value}
    if zarr_format == a.zarr_format == 3:
        found |= {
            "shards": shards,
            "chunk_key_encoding": tuple(metadata.chunk_key_encoding),
            "dimension_names": metadata.dimension_names,
        }
        if not a.dtype.hasobject:
            found["serializer"] = a.serializer
    elif zarr_format == 3:
        found["dimension_names"] = _names_in(a)
    elif metadata.innermost.swapped:
        found["dtype"] = a.dtype.newbyteorder("S")
    return found


def _those_in(zarr_format: int, codecs: list[Codec], a: Array) -> list[Codec]:
    """Return those codecs of an array that a format has, as that format has them."""
    found = []
    for codec in codecs:
        try:
            if zarr_format == 3:
                if isinstance(codec, CRC32):
                    # Every reader of format 3 has this one.
                    codec = Crc32c()
                parameters_v3.rendered(codec, a.dtype)
                found.append(codec)
            elif codec.codec_id not in _ONLY_IN_3 and not isinstance(codec, bound.BoundCodec):
                found.append(get_codec(_config(codec)))
        except ZchunkError:
            continue
    return found


def _config(codec: Codec) -> dict[str, Any]:
    """Return the configuration of a codec, without what follows from the items in format 2."""
    config = codec.get_config()
    if codec.codec_id == "blosc":
        config.pop("typesize", None)
    return config


def _warn_of_others(a: Array, codecs: list[Codec], kept: int, zarr_format: int) -> None:
    # Without a transposition or a checksum, readers get the same items.
    needed = [codec for codec in codecs if codec.codec_id not in _ONLY_IN_3 or zarr_format == 3]
    if kept < len(needed):
        message = f"not all of the codecs {needed!r:.200} of array {a.name!r} are in format {zarr_format}"
        warnings.warn(message, UserWarning, stacklevel=caller_level())


def _names_in(a: Array) -> tuple[str, ...] | None:
    """Return the names of the axes in the attributes of an array of format 2."""
    names = a.attrs.get(DIMENSIONS)
    if isinstance(names, list) and len(names) == a.ndim and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def attributes_of(a: Array | LazyItems, zarr_format: int) -> dict[str, Any]:
    """Return the attributes of a copy of `a` in a format: names of axes are attributes in format 2 only.

    A view has those of its array, and none if it is of several.
    """
    if not isinstance(a, Array):
        return _attributes_of_view(a, zarr_format)
    attrs = dict(a.attrs)
    if zarr_format == a.zarr_format:
        return attrs
    if zarr_format == 3:
        if _names_in(a) is not None:
            del attrs[DIMENSIONS]
        return attrs
    names = a.dimension_names
    if names is not None and any(name is not None for name in names):
        # xarray needs a name for every axis.
        listed = [f"dim_{axis}" if name is None else name for axis, name in enumerate(names)]
        attrs.setdefault(DIMENSIONS, listed)
    return attrs


def _attributes_of_view(view: LazyItems, zarr_format: int) -> dict[str, Any]:
    if len(view.arrays) > 1:
        return {}
    array: Any = view.arrays[0]
    attrs = attributes_of(array, zarr_format)
    listed = attrs.get(DIMENSIONS)
    if isinstance(listed, list) and len(listed) == array.ndim:
        names = names_along(view, listed)
        if None in names:
            del attrs[DIMENSIONS]
        else:
            attrs[DIMENSIONS] = list(names)
    return attrs


def chunks_are_alike(old: ArrayMetadata, new: ArrayMetadata) -> bool:
    """Whether the stored bytes of a chunk of the one array are those of a chunk of the other."""
    if old.zarr_format == new.zarr_format:
        fmt = get_format(old.zarr_format)
        return fmt.array_items(old)[fmt.array_key] == fmt.array_items(new)[fmt.array_key]
    if old.dtype.hasobject or old.shards is not None or new.shards is not None or old.edges is not None:
        return False
    return _chunk_layout(old) == _chunk_layout(new)


def _chunk_layout(metadata: ArrayMetadata) -> tuple[Any, ...]:
    return (
        metadata.shape,
        metadata.chunk_shape,
        metadata.dtype.newbyteorder("S") if metadata.swapped else metadata.dtype,
        # With one axis or none both orders are the same.
        metadata.order if metadata.ndim > 1 else "C",
        [_config(codec) for codec in metadata.codecs],
        fill_bytes(metadata.fill_value, metadata.dtype),
    )
