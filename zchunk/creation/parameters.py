"""Parameters: the metadata of a new array, made from what the caller of `zchunk.create` says.

What both formats share is here, and format 2; `parameters_v3` has format 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import is_not
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from zchunk import storage
from zchunk.codecs import CRC32, Blosc, Zstd, as_codec
from zchunk.codecs.checksum import Checksum
from zchunk.codecs.objects import object_dtype, object_filters
from zchunk.codecs.registry import trusted_ids
from zchunk.creation.recipe import ArrayRecipe
from zchunk.creation.spellings import checked_separator, key_encoding, native_type
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import get_format
from zchunk.metadata.v2 import reads_as, render_array
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.chunk_sizes import lengths_by_name
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.keys import ChunkKeyEncoding
from zchunk.spec.regular_grid import lists_lengths, normalize_chunks, normalize_shape

if TYPE_CHECKING:
    from zchunk.codecs import v3 as of_format3
    from zchunk.creation import parameters_v3
else:
    # Of format 3 only.
    of_format3 = LazyModule("zchunk.codecs.v3")
    parameters_v3 = LazyModule("zchunk.creation.parameters_v3")

DEFAULT_COMPRESSOR = Blosc()


# Parameters that most arrays of format 2 leave alone: what comes before tells them apart.
_REST = slice(ArrayRecipe._fields.index("filters"), ArrayRecipe._fields.index("attributes"))
_NOTHING = tuple(ArrayRecipe(()))[_REST]
# Metadata by the parameters that led to them: programs make many arrays that are alike. Emptied when full.
_made: dict[tuple[Any, ...], ArrayMetadata] = {}
_MADE_MAX = 64


def takes_size_of_data(dtype: object) -> bool:
    """Whether `dtype` is text or bytes without a size, such as ``"U"`` or ``"S"``: NumPy finds the size.

    ``"S0"`` says a size, and a `numpy.dtype` has one.
    """
    if not isinstance(dtype, type) and not (isinstance(dtype, str) and not dtype.endswith("0")):
        return False
    found = np.dtype(dtype)
    return found.kind in "SUV" and found.names is None and not found.itemsize


def make_metadata(
    recipe: ArrayRecipe, zarr_format: int = 2, store_separator: str | None = None
) -> ArrayMetadata:
    """Return the metadata of the array that a recipe describes.

    `store_separator` is what the store puts between chunk coordinates, if it has a rule of its own.
    """
    asked, rest = None, cast("tuple[Any, ...]", recipe[_REST])
    plain = zarr_format == 2 and not any(map(is_not, rest, _NOTHING))
    # What the name of a codec means may change: it may be registered again.
    named = isinstance(recipe.compressor, str) and recipe.compressor != "default"
    if plain and not named and "default_compressor" not in vars(storage):
        shape, chunks, dtype, compressor, fill_value, *layout = recipe[: _REST.start]
        asked = _asked((shape, chunks, dtype, compressor, *layout, store_separator), fill_value)
    found = None if asked is None else _made.get(asked)
    if found is None:
        found = _make(recipe, zarr_format, store_separator)
        if asked is not None and found.dtype.kind in "biufc":
            if len(_made) >= _MADE_MAX:
                _made.clear()
            _made[asked] = found
    return found


def _asked(parameters: Iterable[Any], fill_value: object = None) -> tuple[Any, ...] | None:
    """Return a key for parameters that always mean the same; None if one of them may change its meaning."""
    key: list[Any] = []
    if type(fill_value) is float:
        # There are two zeros, and NaN is not equal to itself.
        key += float, fill_value.hex()
    else:
        parameters = (*parameters, fill_value)
    for value in parameters:
        kind = type(value)
        if kind is tuple:
            inner = _asked(value)
            if inner is None:
                return None
            key.append(inner)
        elif kind is int or kind is bool or kind is str or value is None:
            key += kind, value
        elif kind is Blosc or kind is Zstd:
            key += kind, repr(value)
        elif isinstance(value, np.dtype) and value.isbuiltin == 1:
            key += np.dtype, value.str, value.char
        else:
            return None
    return tuple(key)


def _make(recipe: ArrayRecipe, zarr_format: int, store_separator: str | None) -> ArrayMetadata:
    native = native_type(recipe.dtype, zarr_format)
    dtype, object_codec = object_dtype(native, recipe.object_codec)
    if takes_size_of_data(dtype):
        raise ValueError(f"dtype {dtype!r} has no fixed size; give one, for instance 'U10' or 'S10'")
    dtype = np.dtype("f8" if dtype is None else dtype)
    # The axes of a sub-array dtype become axes of the array, as in NumPy.
    shape = normalize_shape(recipe.shape) + dtype.shape
    filters, auto = recipe.filters, isinstance(recipe.filters, str) and recipe.filters == "auto"
    compressors = _compressors(recipe.compressor, recipe.compressors, shape)
    shards, location = _shards(recipe.shards)
    known = recipe._replace(
        shape=shape,
        chunks=_by_axis(recipe, recipe.chunks, "chunks"),
        shards=_by_axis(recipe, shards, "shards"),
        index_location=location,
        dtype=dtype.base,
        filters=_read([] if auto else _listed("filters", filters), zarr_format, dtype.base),
        compressors=_read(compressors, zarr_format, dtype.base),
        object_codec=object_codec,
        checksum=_is_checked(recipe.checksum),
    )
    return parameters_v3.make_metadata(known) if zarr_format == 3 else _make2(known, store_separator)


def _is_checked(checksum: object) -> bool:
    """Whether chunks get a checksum; `TypeError` if that is said by anything but a bool."""
    if not isinstance(checksum, bool | np.bool_):
        raise TypeError(f"checksum is True or False, not {checksum!r:.80}; other checksums are codecs")
    return bool(checksum)


def _make2(recipe: ArrayRecipe, store_separator: str | None) -> ArrayMetadata:
    """Return the metadata of an array of format 2, of which shape, dtype and lists of codecs are known."""
    shape, dtype, compressors, order = recipe.shape, recipe.dtype, recipe.compressors, recipe.order
    _check_no_format3(recipe)
    separator = _separator_of_2(recipe.dimension_separator, store_separator, recipe.chunk_key_encoding)
    if len(compressors) > 1:
        raise ValueError(f"format 2 has one compressor, not {compressors!r:.200}; others can be filters")
    filters = object_filters(dtype, recipe.object_codec, tuple(map(as_codec, recipe.filters)))
    compressors = tuple(map(as_codec, compressors))
    if recipe.checksum and not (compressors and isinstance(compressors[0], Checksum)):
        # The compressor is the codec that comes last.
        filters, compressors = filters + compressors, (CRC32(),)
    metadata = ArrayMetadata(
        shape=shape,
        dtype=dtype,
        chunk_shape=normalize_chunks(_chunks(recipe.chunks), shape, dtype.itemsize),
        fill_value=normalize_fill_value(recipe.fill_value, dtype),
        order=order.upper() if isinstance(order, str) else order,
        filters=filters,
        compressors=compressors,
        chunk_key_encoding=ChunkKeyEncoding("v2", separator or "."),
        dimension_separator=separator,
    )
    if dtype.names and dtype.hasobject and isinstance(recipe.fill_value, int) and not recipe.fill_value:
        # The default value 0: without a fill value a reader gets the same.
        return metadata if _is_stored(metadata) else metadata.replace(fill_value=None)
    return metadata


def _shards(shards: Any) -> tuple[Any, str]:
    """Return the lengths of shards and where in one its index is, which zarr 3 takes as one mapping."""
    if isinstance(shards, Mapping) and "shape" in shards and shards.keys() <= {"shape", "index_location"}:
        return shards["shape"], shards.get("index_location") or "end"
    return shards, "end"


def _by_axis(recipe: ArrayRecipe, lengths: Any, what: str) -> Any:
    """Return chunks or shards that are given by names of axes as one length for every axis."""
    if not isinstance(lengths, Mapping):
        return lengths
    # In format 2 they are xarray's attribute.
    names = recipe.dimension_names or (recipe.attributes or {}).get("_ARRAY_DIMENSIONS")
    return lengths_by_name(lengths, None if names is None else list(names), what)


def _chunks(chunks: object) -> Any:
    return True if isinstance(chunks, str) and chunks == "auto" else chunks


def _compressors(compressor: object, compressors: object, shape: tuple[int, ...]) -> list[Any]:
    """Return the codecs from bytes to bytes that the caller asks for, by zarr 2's name or by zarr 3's."""
    default = isinstance(compressor, str) and compressor == "default"
    if not isinstance(compressors, str) or compressors != "auto":
        if not default and compressor is not None:
            raise ValueError("give compressor or compressors, not both")
        return _listed("compressors", compressors)
    # One item does not compress. zarr 2 stores it raw, whatever compressor is given.
    if compressor is None or not shape:
        return []
    if default:
        # The place where zarr 2 lets programs set another one.
        compressor = vars(storage).get("default_compressor", DEFAULT_COMPRESSOR)
    return [] if compressor is None else [compressor]


def _listed(name: str, codecs: object) -> list[Any]:
    """Return the codecs that the caller gives, which may be one or none, as a list."""
    if codecs is None:
        return []
    if name == "compressors" and (not isinstance(codecs, Iterable) or isinstance(codecs, str | Mapping)):
        return [codecs]
    if isinstance(codecs, str | Mapping) or not isinstance(codecs, Iterable):
        raise CodecError(f"{name} is a sequence of codecs, not {codecs!r:.80}; write [codec] for one")
    return list(codecs)


def _read(codecs: list[Any], zarr_format: int, dtype: np.dtype[Any]) -> list[Any]:
    """Return the codecs in a list, those that are given as text made."""
    return [_named(codec, zarr_format, dtype) if isinstance(codec, str) else codec for codec in codecs]


def _named(text: str, zarr_format: int, dtype: np.dtype[Any]) -> Any:
    """Return the codec that a text names: the format's own, or else that of numcodecs."""
    found = of_format3.json_of_text(text) if zarr_format == 3 else None
    return as_codec(text, zarr_format, dtype) if found is None else found


def _check_no_format3(recipe: ArrayRecipe) -> None:
    if lists_lengths(recipe.chunks):
        raise ValueError(
            f"chunks is {recipe.chunks!r:.80}: listed lengths make a rectilinear chunk grid, which is of "
            "Zarr format 3, and the array is of format 2; add zarr_format=3"
        )
    for name in ("shards", "serializer", "dimension_names"):
        value = getattr(recipe, name)
        if value is not None and not (name == "serializer" and isinstance(value, str) and value == "auto"):
            raise ValueError(f"{name} is of Zarr format 3, and the array of format 2; add zarr_format=3")


def _separator_of_2(wanted: str | None, of_store: str | None, encoding: object) -> str | None:
    """Return the separator that the metadata of an array of format 2 have."""
    if encoding is not None:
        name, separator = key_encoding(encoding)
        if name != "v2" or wanted not in (None, separator):
            raise ValueError(
                f"chunk_key_encoding is {encoding!r:.80}; in format 2 it is ('v2', '.') or ('v2', '/')"
            )
        wanted = separator
    if of_store is not None and wanted not in (None, of_store):
        raise ValueError(f"dimension_separator is {wanted!r}, but that of the store is {of_store!r}")
    return checked_separator(wanted or of_store)


def _is_stored(metadata: ArrayMetadata) -> bool:
    """Whether the fill value can be read again: not all object codecs store it as it is."""
    try:
        found = parsed_again(metadata, render_array(metadata)).fill_value
    except MetadataError:
        return False
    return found is not None and bool(found.item() == metadata.fill_value.item())


def parsed_again(metadata: ArrayMetadata, raw: bytes) -> ArrayMetadata:
    """Return the metadata that a reader gets from `raw`, which was made of `metadata`."""
    if reads_as(metadata, raw):
        return metadata
    fmt, trusted = get_format(metadata.zarr_format), trusted_ids(*metadata.codecs)
    return fmt.parse_array(raw, fmt.array_key, metadata.chunk_key_encoding.separator, trusted)
