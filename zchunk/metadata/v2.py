"""Zarr v2 metadata: the JSON of ``.zarray``, ``.zgroup`` and ``.zattrs``.

What is rendered equals the output of zarr 2.18 byte for byte. `where` in all functions is the store key, for
the messages of errors.
"""

from __future__ import annotations

import binascii
import json
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.codecs import NativeCodec, checked
from zchunk.codecs.registry import RefusedCodec, is_registered, stored_codec
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata.array import ArrayMetadata, parsed
from zchunk.spec.dtypes import decode_dtype, encode_dtype
from zchunk.spec.fill_values import decode_fill_value, encode_fill_value, is_masked
from zchunk.spec.keys import ChunkKeyEncoding

if TYPE_CHECKING:
    from zchunk.codecs import Codec

# What was parsed, by the text and the default separator; emptied when it is full.
_parsed: dict[tuple[bytes | str, str], ArrayMetadata] = {}
parsed.append(_parsed)
_PARSED_MAX = 256
_PARSED_LENGTH = 4096
# Most bytes of a fill value that an object codec decodes.
_FILL_MAX = 2**20

_ARRAY_MEMBERS = ("zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order", "filters")


def parse_json(raw: bytes | dict[str, Any], where: str) -> dict[str, Any]:
    """Return the JSON object that `raw` holds, or is: a store may have it parsed.

    Bare ``NaN`` and ``Infinity`` are accepted, as in zarr 2.
    """
    if isinstance(raw, dict):
        return raw
    try:
        text = str(raw, "utf-8")
        # A zero keeps its sign: JavaScript writes that of a float without a point.
        obj = json.loads(text, parse_int=_integer if "-0" in text else None)
    except RecursionError:
        raise MetadataError(f"{where}: JSON is nested too deeply") from None
    except (TypeError, ValueError) as err:
        raise MetadataError(f"{where}: not JSON in UTF-8: {err}") from err
    if not isinstance(obj, dict):
        raise MetadataError(f"{where}: JSON holds {obj!r:.80}, not an object")
    return obj


def _integer(digits: str) -> int | float:
    return -0.0 if digits == "-0" else int(digits)


def render_json(obj: object) -> bytes:
    """Return `obj` as JSON laid out as zarr 2.18 does; NumPy scalars and arrays are numbers and lists.

    NaN and the infinities are written as the bare tokens ``NaN`` and ``Infinity``: not valid JSON, but what
    zarr 2.18 writes and every Zarr library in Python reads. Dates become ISO 8601 strings.

    Raises
    ------
    TypeError
        If `obj` holds something without a JSON form, such as bytes or complex numbers.
    """
    return json.dumps(obj, indent=4, sort_keys=True, separators=(",", ": "), default=to_json).encode("ascii")


def render_document(obj: object) -> bytes:
    """Return `obj` as JSON, members in the order given and indented by 2; values are as in `render_json`."""
    return json.dumps(obj, indent=2, default=to_json).encode("ascii")


def to_json(obj: object) -> Any:
    """Return what JSON has for a value that the `json` module does not know."""
    if isinstance(obj, np.generic | np.ndarray):
        if is_masked(obj):
            raise TypeError(f"{obj!r:.80} has no JSON form, for it is masked: give a value, or None")
        match obj.dtype.kind:
            case "M":
                return obj.astype(str).tolist()
            case "f":
                # Also long doubles, which tolist() leaves as they are.
                return np.asarray(obj, "f8").tolist()
            case "b" | "i" | "u" | "U" | "O":
                return obj.tolist()
    raise TypeError(
        f"{obj!r:.80} of type {type(obj).__name__} has no JSON form; use numbers, strings, lists and dicts"
    )


def parse_array(
    raw: bytes | dict[str, Any],
    where: str,
    default_separator: str = ".",
    trusted: frozenset[str] = frozenset(),
) -> ArrayMetadata:
    """Return the model of the array whose ``.zarray`` is `raw`.

    Parameters
    ----------
    raw : bytes or dict
        The JSON, or the object in it. The model shares nothing with the latter.
    where : str
        Store key that `raw` comes from.
    default_separator : str, optional
        Separator of chunk keys if the metadata name none.
    trusted : frozenset of str, optional
        Codecs that may be used though they run code from the data.

    Raises
    ------
    MetadataError
        If `raw` is not JSON, lacks members or says what no array can be.
    CodecError
        If a codec is unknown or does not take its parameters.
    """
    if type(raw) not in (bytes, dict):
        return _parse_array(parse_json(raw, where), where, default_separator, trusted)
    found = known_array(raw, default_separator)
    if found is None:
        found = _parse_array(parse_json(raw, where), where, default_separator, trusted)
        if _is_constant(found):
            _remember(_text(raw), default_separator, found)
    return found


def _text(raw: bytes | dict[str, Any]) -> bytes | str:
    # The text that Python has for an object tells True, 1 and 1.0 apart, which are equal.
    return raw if isinstance(raw, bytes) else repr(raw)


def known_array(raw: bytes | dict[str, Any], default_separator: str) -> ArrayMetadata | None:
    """Return what `parse_array` returns for this if that is known already, else None."""
    found = _parsed.get((_text(raw), default_separator))
    return None if found is None or not _is_constant(found) else found


def _remember(text: bytes | str, default_separator: str, meta: ArrayMetadata) -> None:
    if len(text) <= _PARSED_LENGTH:
        if len(_parsed) >= _PARSED_MAX:
            _parsed.clear()
        _parsed[text, default_separator] = meta


def _is_constant(meta: ArrayMetadata) -> bool:
    """Whether the same JSON means the same model, and nobody can change it."""
    codec = meta.compressor
    # Another codec may be registered; those from elsewhere may have a state. Names of fields can be assigned.
    return (
        not meta.filters
        and (codec is None or (isinstance(codec, NativeCodec) and is_registered(codec)))
        and meta.dtype.names is None
        and meta.dtype.metadata is None
    )


def _parse_array(
    obj: dict[str, Any], where: str, default_separator: str, trusted: frozenset[str]
) -> ArrayMetadata:
    _check_format(obj, where)
    missing = [member for member in _ARRAY_MEMBERS if member not in obj]
    if missing:
        raise MetadataError(f"{where}: lacks {', '.join(missing)}")
    filters = [] if obj["filters"] is None else obj["filters"]
    if not isinstance(filters, list):
        raise MetadataError(f"{where}: filters is {filters!r:.80}, not a list or null")
    itemsize = _itemsize(obj["dtype"])
    codecs = tuple(_parse_codec(config, "filters", where, trusted, itemsize) for config in filters)
    compressor = None
    if obj["compressor"] is not None:
        compressor = _parse_codec(obj["compressor"], "compressor", where, trusted, itemsize)
    try:
        dtype = decode_dtype(obj["dtype"])
        if dtype.hasobject and not codecs:
            raise MetadataError(f"dtype {dtype} holds objects, but filters does not begin with their codec")
        shape = _parse_list(obj["shape"], "shape")
        chunks = _parse_list(obj["chunks"], "chunks")
        separator = obj.get("dimension_separator")
        if separator not in (None, ".", "/"):
            raise MetadataError(f"dimension_separator is {separator!r:.80}, not '.' or '/'")
        return ArrayMetadata(
            shape=shape,
            dtype=dtype,
            chunk_shape=_at_least_one(chunks, shape),
            fill_value=_parse_fill_value(obj["fill_value"], dtype, codecs),
            order=obj["order"],
            filters=codecs,
            compressors=() if compressor is None else (compressor,),
            chunk_key_encoding=ChunkKeyEncoding("v2", separator or default_separator),
            dimension_separator=separator,
        )
    except MetadataError as err:
        raise MetadataError(f"{where}: {err}") from err


def _check_format(obj: dict[str, Any], where: str) -> None:
    version = obj.get("zarr_format")
    if type(version) is int and version == 2:
        return
    if "zarr_format" not in obj:
        raise MetadataError(f"{where}: lacks zarr_format")
    hint = "; it is a Zarr v3 node, which this key cannot hold" if version == 3 else ""
    raise MetadataError(f"{where}: zarr_format is {version!r:.80}, not 2{hint}")


def _parse_list(obj: object, member: str) -> tuple[Any, ...]:
    if not isinstance(obj, list):
        raise MetadataError(f"{member} is {obj!r:.80}, not a list of integers")
    return tuple(obj)


def _at_least_one(chunks: tuple[Any, ...], shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace the 0 that zarr 2.18 writes along an axis of length 0 for ``chunks=False``."""
    if 0 not in chunks or len(chunks) != len(shape):
        return chunks
    return tuple(1 if s == 0 and c == 0 and type(c) is int else c for s, c in zip(shape, chunks, strict=True))


def _parse_fill_value(obj: object, dtype: np.dtype[Any], codecs: tuple[Codec, ...]) -> Any:
    if dtype.names and dtype.hasobject and isinstance(codecs[0], RefusedCodec):
        # It passes the codec too. Nobody can write these metadata, and so lose it.
        return None
    if isinstance(obj, str) and dtype.kind == "O" and codecs and codecs[0].codec_id == "vlen-bytes":
        # Items are bytes, so text is how zarr 3 writes them.
        with suppress(ValueError):
            return binascii.a2b_base64(obj, strict_mode=True)
    return decode_fill_value(obj, dtype, partial(_decode_objects, codecs))


def _decode_objects(codecs: tuple[Codec, ...], raw: bytes) -> Any:
    return checked.decode(codecs[0], raw, _FILL_MAX)


def _itemsize(dtype: object) -> int | None:
    try:
        return decode_dtype(dtype).itemsize
    except MetadataError:
        # The error comes where the dtype is needed.
        return None


def _parse_codec(
    config: object, member: str, where: str, trusted: frozenset[str], itemsize: int | None
) -> Codec:
    if not isinstance(config, dict) or not isinstance(config.get("id"), str):
        raise MetadataError(f"{where}: {member}: {config!r:.80} is not an object with the member 'id'")
    try:
        # Of its own: a codec may keep what it is given.
        return stored_codec(deepcopy(config), trusted, itemsize)
    # A codec from elsewhere may object to its parameters in any way.
    except Exception as err:
        raise CodecError(f"{where}: {member}: {err}") from err


def render_array(meta: ArrayMetadata) -> bytes:
    """Return the ``.zarray`` of an array."""
    if not _is_constant(meta):
        return _render_array(meta)
    # Kept with the metadata, which many arrays may share.
    members = vars(meta)
    raw: bytes | None = members.get("rendered")
    if raw is None:
        # First, for a thread that finds what is kept.
        members["exact"] = exact = _is_exact(meta.fill_value, meta.dtype)
        members["rendered"] = raw = _render_array(meta)
        if exact:
            # The writer is likely to read it again, before the next append for instance.
            _remember(raw, "." if meta.dimension_separator else meta.chunk_key_encoding.separator, meta)
    return raw


def reads_as(meta: ArrayMetadata, raw: bytes) -> bool:
    """Whether a reader of `raw`, which `render_array` has just made of `meta`, is known to get `meta`."""
    members = vars(meta)
    return members.get("rendered") is raw and members.get("exact") is True


def _render_array(meta: ArrayMetadata) -> bytes:
    obj = {
        "zarr_format": 2,
        "shape": meta.shape,
        "chunks": meta.chunk_shape,
        "dtype": encode_dtype(meta.dtype),
        "compressor": None if meta.compressor is None else meta.compressor.get_config(),
        "fill_value": encode_fill_value(
            meta.fill_value, meta.dtype, meta.filters[0].encode if meta.filters else None
        ),
        "order": meta.order,
        "filters": [codec.get_config() for codec in meta.filters] or None,
    }
    if meta.dimension_separator is not None:
        obj["dimension_separator"] = meta.dimension_separator
    return render_json(obj)


def _is_exact(fill_value: object, dtype: np.dtype[Any]) -> bool:
    """Whether JSON gives the very same fill value back. There are many NaN, but one in JSON."""
    if fill_value is None or dtype.kind in "biu":
        return True
    return dtype.kind == "f" and dtype.itemsize <= 8 and bool(fill_value == fill_value)


def parse_group(raw: bytes | dict[str, Any], where: str) -> None:
    """Check the ``.zgroup`` `raw`, which says nothing but the version."""
    _check_format(parse_json(raw, where), where)


def render_group() -> bytes:
    """Return the ``.zgroup`` of a group."""
    return render_json({"zarr_format": 2})


def render_attrs(attrs: dict[str, Any]) -> bytes:
    """Return the ``.zattrs`` of user attributes; `render_json` says what becomes of NaN and NumPy values."""
    try:
        return render_json(attrs)
    except TypeError:
        for name, value in attrs.items():
            check_attribute(name, value)
        raise


def check_attribute(name: str, value: object) -> None:
    """Raise `TypeError`, which names the attribute, if its value has no JSON form."""
    try:
        json.dumps(value, default=to_json)
    except TypeError as err:
        raise TypeError(f"the attribute {name!r} cannot be stored: {err}") from None
