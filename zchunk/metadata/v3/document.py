"""Zarr v3 metadata: the JSON of ``zarr.json``, that of an array or of a group.

What is rendered is laid out as by zarr-python 3. `where` in all functions is the store key, for the messages
of errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from zchunk.codecs.base import Codec, NativeCodec
from zchunk.codecs.bound import BoundCodec
from zchunk.codecs.checksum import Checksum
from zchunk.codecs.registry import is_registered
from zchunk.codecs.transpose import ByteSwap, Reshape, Transpose
from zchunk.errors import CodecError, InvalidKeyError, MetadataError
from zchunk.metadata.array import ArrayMetadata, parsed
from zchunk.metadata.v2 import check_attribute, parse_json, to_json
from zchunk.metadata.v2 import render_document as render_json
from zchunk.metadata.v3.chunk_grids import (
    check_shards,
    largest_chunk,
    parse_grid,
    render_edges,
    render_grid,
)
from zchunk.metadata.v3.codecs import object_codec_id, parse_codecs, parse_lengths, render_codecs
from zchunk.metadata.v3.data_types import parse_data_type, render_data_type
from zchunk.metadata.v3.extension import check_members, parse_extension, render_extension
from zchunk.metadata.v3.fill_values import parse_fill_value, render_fill_value
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import ChunkKeyEncoding, check_key

if TYPE_CHECKING:
    from zchunk.spec import rectilinear_grid
    from zchunk.spec.rectilinear_grid import Edges
else:
    # Few arrays have such a grid.
    rectilinear_grid = LazyModule("zchunk.spec.rectilinear_grid")

# What was parsed, by the text; emptied when it is full.
_parsed: dict[bytes | str, ArrayMetadata] = {}
parsed.append(_parsed)
_PARSED_MAX = 256
_PARSED_LENGTH = 8192

_REQUIRED = ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs")
_OPTIONAL = ("zarr_format", "node_type", "attributes", "dimension_names", "storage_transformers")
_ARRAY_MEMBERS = frozenset(_REQUIRED + _OPTIONAL)
GROUP_MEMBERS = frozenset({"zarr_format", "node_type", "attributes", "consolidated_metadata"})
_SEPARATORS = {"default": "/", "v2": "."}


def node_type(raw: bytes | dict[str, Any], where: str) -> str:
    """Return ``"array"`` or ``"group"``: what the ``zarr.json`` `raw` describes.

    Raises
    ------
    MetadataError
        It is neither, or of another version of the format.
    """
    obj = parse_json(raw, where)
    version = obj.get("zarr_format")
    if type(version) is not int or version != 3:
        reason = f"zarr_format is {version!r:.80}, not 3" if "zarr_format" in obj else "lacks zarr_format"
        raise MetadataError(f"{where}: {reason}")
    found = obj.get("node_type")
    if found not in ("array", "group"):
        reason = f"node_type is {found!r:.80}, not 'array' or 'group'" if found else "lacks node_type"
        raise MetadataError(f"{where}: {reason}")
    return str(found)


def _check_node(obj: dict[str, Any], expected: str, where: str) -> None:
    found = node_type(obj, where)
    if found != expected:
        raise MetadataError(f"{where}: node_type is {found!r}, not {expected!r}")
    if not isinstance(obj.get("attributes", {}), dict):
        raise MetadataError(f"{where}: attributes is {obj['attributes']!r:.80}, not an object")


def _extensions(obj: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any] | None:
    """Return the members that need not be understood, and refuse others that are not."""
    unknown = {name: value for name, value in obj.items() if name not in known}
    for name, value in unknown.items():
        if not isinstance(value, dict) or value.get("must_understand") is not False:
            raise MetadataError(
                f"the member {name!r:.80} is not known, and not said to need no understanding"
            )
    return deepcopy(unknown) or None


def parse_array(
    raw: bytes | dict[str, Any], where: str, trusted: frozenset[str] = frozenset()
) -> ArrayMetadata:
    """Return the model of the array whose ``zarr.json`` is `raw`.

    Parameters
    ----------
    raw : bytes or dict
        The JSON, or the object in it. The model shares nothing with the latter.
    where : str
        Store key that `raw` comes from.
    trusted : frozenset of str, optional
        As in format 2; no codec of format 3 runs code from the data.

    Raises
    ------
    MetadataError
        If `raw` is not JSON, lacks members or says what no array can be.
    CodecError
        If a codec is unknown, does not take its parameters, or cannot stand where it does.
    """
    if type(raw) not in (bytes, dict):
        return _parse_array(parse_json(raw, where), where)
    found = known_array(raw)
    if found is None:
        found = _parse_array(parse_json(raw, where), where)
        try:
            _remember(_text(raw), found)
        except RecursionError:
            raise MetadataError(f"{where}: JSON is nested too deeply") from None
    return found


def known_array(raw: bytes | dict[str, Any]) -> ArrayMetadata | None:
    """Return what `parse_array` returns for this if that is known already, else None."""
    try:
        found = _parsed.get(_text(raw))
    except RecursionError:
        return None
    return None if found is None or not _is_constant(found) else found


def _text(raw: bytes | dict[str, Any]) -> bytes | str:
    # The text that Python has for an object tells True, 1 and 1.0 apart, which are equal.
    return raw if isinstance(raw, bytes) else repr(_without_attributes(raw))


def _without_attributes(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what the model is made of, if what is left out is what it should be."""
    if type(obj.get("attributes")) is not dict:
        return obj
    return {name: value for name, value in obj.items() if name != "attributes"}


def _remember(text: bytes | str, meta: ArrayMetadata) -> None:
    if len(text) <= _PARSED_LENGTH and _is_constant(meta):
        if len(_parsed) >= _PARSED_MAX:
            _parsed.clear()
        _parsed[text] = meta


def _is_constant(meta: ArrayMetadata) -> bool:
    """Whether the same JSON means the same model, and nobody can change it."""
    # Names of fields can be assigned.
    if meta.dtype.names is not None or meta.dtype.metadata is not None:
        return False
    if meta.shards is not None:
        return _is_constant(meta.shards.inner) and _is_constant(meta.shards.index_array)
    return all(map(_is_constant_codec, meta.codecs))


def _is_constant_codec(codec: Codec) -> bool:
    if isinstance(codec, NativeCodec):
        # Another codec may be registered.
        return is_registered(codec)
    return isinstance(codec, BoundCodec | Checksum | Transpose | Reshape | ByteSwap)


def _parse_array(obj: dict[str, Any], where: str) -> ArrayMetadata:
    _check_node(obj, "array", where)
    missing = [member for member in _REQUIRED if member not in obj]
    if missing:
        raise MetadataError(f"{where}: lacks {', '.join(missing)}")
    try:
        return _model(obj)
    except (MetadataError, CodecError) as err:
        raise type(err)(f"{where}: {err}") from err
    except RecursionError:
        raise MetadataError(f"{where}: JSON is nested too deeply") from None
    # NumPy and codecs from elsewhere may object in any way.
    except Exception as err:
        raise MetadataError(f"{where}: {type(err).__name__}: {err}") from err


def _model(obj: dict[str, Any]) -> ArrayMetadata:
    data_type = deepcopy(obj["data_type"])
    dtype = parse_data_type(data_type)
    shape = parse_lengths(obj["shape"], "shape", 0)
    chunk_shape, edges = parse_grid(obj["chunk_grid"], shape)
    transformers = obj.get("storage_transformers", [])
    if transformers != []:
        raise MetadataError(f"storage_transformers is {transformers!r:.80}; none of them is known")
    fill_value = parse_fill_value(obj["fill_value"], dtype, object_codec_id(data_type))
    largest = largest_chunk(shape, chunk_shape, edges)
    meta = ArrayMetadata(
        shape=shape,
        dtype=dtype,
        chunk_shape=chunk_shape,
        fill_value=fill_value,
        edges=edges,
        chunk_key_encoding=_parse_keys(obj["chunk_key_encoding"]),
        zarr_format=3,
        dimension_names=_parse_names(obj.get("dimension_names"), len(shape)),
        data_type=data_type,
        extensions=_extensions(obj, _ARRAY_MEMBERS),
        **parse_codecs(obj["codecs"], dtype, largest, fill_value, data_type),
    )
    check_shards(meta)
    return meta


def with_chunks(meta: ArrayMetadata, chunk_shape: tuple[int, ...]) -> ArrayMetadata:
    """Return metadata with a regular grid, of as many chunks along every axis, in place of a rectilinear one.

    Raises
    ------
    MetadataError, CodecError
        The codecs do not take such chunks.
    """
    grid: Any = meta.grid
    codecs = _codecs_for(meta, chunk_shape)
    return meta.replace(shape=grid.extents(chunk_shape), edges=None, chunk_shape=chunk_shape, **codecs)


def with_shape(meta: ArrayMetadata, shape: tuple[int, ...]) -> ArrayMetadata:
    """Return metadata with a rectilinear grid for another shape.

    Raises
    ------
    MetadataError, CodecError
        There can be no such array: the codecs do not take its chunks.
    """
    assert meta.edges is not None
    unit = (1,) * meta.ndim if meta.shards is None else meta.shards.inner.chunk_shape
    edges = rectilinear_grid.resized(meta.edges, shape, unit)
    chunk_shape = rectilinear_grid.whole(shape)
    codecs = _codecs_for(meta, largest_chunk(shape, chunk_shape, edges))
    found = meta.replace(shape=shape, chunk_shape=chunk_shape, edges=edges, **codecs)
    check_shards(found)
    return found


def _codecs_for(meta: ArrayMetadata, chunk_shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the members of metadata that are the codecs of `meta`, for chunks of another shape."""
    return parse_codecs(render_codecs(meta), meta.dtype, chunk_shape, meta.fill_value, meta.data_type)


def _parse_keys(obj: object) -> ChunkKeyEncoding:
    keys = parse_extension(obj, "chunk_key_encoding")
    if keys.name not in _SEPARATORS:
        raise MetadataError(f"chunk_key_encoding {keys.name!r:.80} is not known; 'default' and 'v2' are")
    check_members(keys, "chunk_key_encoding", set(), {"separator"})
    separator = keys.configuration.get("separator", _SEPARATORS[keys.name])
    if separator not in ("/", "."):
        raise MetadataError(f"chunk_key_encoding: separator is {separator!r:.80}, not '/' or '.'")
    return ChunkKeyEncoding(keys.name, separator)


def _parse_names(obj: object, ndim: int) -> tuple[str | None, ...] | None:
    if obj is None:
        return None
    if not isinstance(obj, list) or not all(isinstance(name, str | None) for name in obj):
        raise MetadataError(f"dimension_names is {obj!r:.80}, not a list of strings and nulls")
    if len(obj) != ndim:
        raise MetadataError(f"dimension_names has {len(obj)} names for {ndim} axes")
    return tuple(obj)


def check_attributes(attributes: dict[str, Any] | None) -> None:
    """Raise an error that names the attribute if attributes hold NaN, infinities or others without JSON form.

    The bare tokens that zarr-python writes make a node unreadable for TensorStore, zarrs and zarrita. They
    are read here, and what is there stays.
    """
    for name, value in (attributes or {}).items():
        check_attribute(name, value)
        try:
            json.dumps(value, allow_nan=False, default=to_json)
        except ValueError:
            raise ValueError(
                f"the attribute {name!r} is {value!r:.80}, and JSON has no NaN and no infinities: store text "
                "such as 'NaN', or None"
            ) from None


def render_array(meta: ArrayMetadata, attributes: dict[str, Any] | None = None) -> bytes:
    """Return the ``zarr.json`` of an array.

    Raises
    ------
    MetadataError, CodecError
        Format 3 has no form for something of it.
    """
    object_codec = next((c.codec_id for c in meta.innermost.filters if c.codec_id.startswith("vlen-")), "")
    data_type = meta.data_type
    if data_type is None:
        data_type = render_data_type(meta.dtype, object_codec)
    obj: dict[str, Any] = {
        "shape": list(meta.shape),
        "data_type": data_type,
        "chunk_grid": render_grid(meta),
        "chunk_key_encoding": render_extension(
            meta.chunk_key_encoding.name, {"separator": meta.chunk_key_encoding.separator}
        ),
        "fill_value": render_fill_value(meta.fill_value, meta.dtype, data_type),
        "codecs": render_codecs(meta),
        "attributes": attributes or {},
    }
    if meta.dimension_names is not None:
        obj["dimension_names"] = list(meta.dimension_names)
    obj |= {"zarr_format": 3, "node_type": "array", "storage_transformers": [], **(meta.extensions or {})}
    return render_json(obj)


def resized(
    raw: bytes, shape: tuple[int, ...], where: str = "zarr.json", edges: tuple[Edges, ...] | None = None
) -> bytes:
    """Return the ``zarr.json`` `raw` with another shape, and the edges of its chunks, all else as it was."""
    obj = parse_json(raw, where)
    _check_node(obj, "array", where)
    grid = {} if edges is None else {"chunk_grid": render_edges(edges)}
    return render_json({**obj, "shape": list(shape), **grid})


def with_attributes(raw: bytes, attributes: dict[str, Any], where: str = "zarr.json") -> bytes:
    """Return the ``zarr.json`` `raw` with other attributes, all else as it was."""
    return render_json({**parse_json(raw, where), "attributes": attributes})


def parse_group(raw: bytes | dict[str, Any], where: str) -> dict[str, Any]:
    """Return the JSON object of the group whose ``zarr.json`` is `raw`.

    Raises
    ------
    MetadataError
        If `raw` is not JSON, or no group.
    """
    obj = parse_json(raw, where)
    _check_node(obj, "group", where)
    try:
        _extensions(obj, GROUP_MEMBERS)
    except MetadataError as err:
        raise MetadataError(f"{where}: {err}") from err
    except RecursionError:
        raise MetadataError(f"{where}: JSON is nested too deeply") from None
    return obj


def group_extensions(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a group's JSON object that need no understanding.

    Raises
    ------
    MetadataError
        There are other ones that are not known.

    Examples
    --------
    >>> group_extensions({"zarr_format": 3, "node_type": "group", "x": {"must_understand": False}})
    {'x': {'must_understand': False}}
    """
    return _extensions(obj, GROUP_MEMBERS) or {}


def render_group(
    attributes: dict[str, Any] | None = None,
    consolidated: dict[str, dict[str, Any]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the ``zarr.json`` of a group.

    `consolidated` are the JSON objects of the nodes in it by path, `more` members that need no understanding.
    """
    obj: dict[str, Any] = {"attributes": attributes or {}, "zarr_format": 3}
    if consolidated is not None:
        obj["consolidated_metadata"] = {
            "kind": "inline",
            "must_understand": False,
            "metadata": consolidated,
        }
    obj["node_type"] = "group"
    return render_json({**obj, **(more or {})})


def parse_consolidated(raw: bytes | dict[str, Any], where: str) -> dict[str, dict[str, Any]] | None:
    """Return the JSON objects of all nodes in the group of `raw` by their paths, None if it has them not.

    Raises
    ------
    MetadataError
        If `raw` is no group, or what it says of a node is of no form that is known.
    """
    found = parse_group(raw, where).get("consolidated_metadata")
    if found is None:
        return None
    if not isinstance(found, dict) or found.get("kind") != "inline":
        raise MetadataError(f"{where}: consolidated_metadata is {found!r:.80}, not of the kind 'inline'")
    entries = found.get("metadata")
    if not isinstance(entries, dict):
        raise MetadataError(f"{where}: consolidated_metadata: metadata is {entries!r:.80}, not an object")
    for path, entry in entries.items():
        try:
            check_key(path)
        except InvalidKeyError as err:
            raise MetadataError(f"{where}: consolidated_metadata: {err}") from err
        if not isinstance(entry, dict):
            raise MetadataError(
                f"{where}: consolidated_metadata: the entry {path!r:.80} is {entry!r:.80}, not an object"
            )
    return entries


__all__ = [
    "GROUP_MEMBERS",
    "check_attributes",
    "group_extensions",
    "node_type",
    "parse_array",
    "parse_codecs",
    "parse_consolidated",
    "parse_group",
    "render_array",
    "render_group",
    "render_json",
    "resized",
    "with_attributes",
    "with_chunks",
    "with_shape",
]
