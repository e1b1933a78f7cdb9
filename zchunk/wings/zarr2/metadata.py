"""Metadata as dicts, with the names of `zarr.meta` in zarr 2.18."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zchunk.codecs import Codec, as_codec
from zchunk.codecs.registry import stored_codec
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.v2 import parse_array, parse_group, parse_json, render_array, render_group, render_json
from zchunk.spec.fill_values import normalize_fill_value
from zchunk.spec.keys import ARRAY_KEY, GROUP_KEY, ChunkKeyEncoding

__all__ = [
    "ZARR_FORMAT",
    "Metadata2",
    "decode_array_metadata",
    "decode_group_metadata",
    "encode_array_metadata",
    "encode_group_metadata",
    "json_dumps",
    "json_loads",
    "parse_metadata",
]

ZARR_FORMAT = 2


def json_dumps(o: object) -> bytes:
    """Return an object as JSON, laid out as in the store."""
    return render_json(o)


def json_loads(s: bytes | str) -> dict[str, Any]:
    """Return the object that JSON holds."""
    return parse_json(s.encode() if isinstance(s, str) else s, "JSON")


def parse_metadata(s: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
    """Return the object that JSON holds, or that is given."""
    if isinstance(s, Mapping):
        return dict(s)
    return parse_json(s.encode() if isinstance(s, str) else s, "metadata")


def decode_array_metadata(s: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
    """Return what a ``.zarray`` says, with tuples, a `numpy.dtype` and a fill value of it.

    Parameters
    ----------
    s : bytes, str or mapping
        The JSON, or the object in it.

    Returns
    -------
    dict
        Members of the JSON. Codecs are their configurations.

    Raises
    ------
    MetadataError
        There can be no such array.
    """
    obj = parse_metadata(s)
    model = parse_array(obj, ARRAY_KEY)
    found = {
        "zarr_format": ZARR_FORMAT,
        "shape": model.shape,
        "chunks": model.chunk_shape,
        "dtype": model.dtype,
        "compressor": obj["compressor"],
        "fill_value": model.fill_value,
        "order": model.order,
        "filters": obj["filters"],
    }
    if model.dimension_separator is not None:
        found["dimension_separator"] = model.dimension_separator
    return found


def encode_array_metadata(meta: Mapping[str, Any]) -> bytes:
    """Return the ``.zarray`` of what `decode_array_metadata` returns."""
    # What is said is written, without the defaults of arrays that are made.
    dtype, fill_value = np.dtype(meta["dtype"]), meta["fill_value"]
    compressor, separator = meta["compressor"], meta.get("dimension_separator")
    model = ArrayMetadata(
        shape=tuple(meta["shape"]),
        dtype=dtype,
        chunk_shape=tuple(meta["chunks"]),
        fill_value=fill_value if dtype.kind == "U" else normalize_fill_value(fill_value, dtype),
        order=meta["order"],
        filters=tuple(_codec(config) for config in meta["filters"] or ()),
        compressors=() if compressor is None else (_codec(compressor),),
        chunk_key_encoding=ChunkKeyEncoding("v2", separator or "."),
        dimension_separator=separator,
    )
    return render_array(model)


def _codec(obj: object) -> Codec:
    return stored_codec(obj) if isinstance(obj, Mapping) else as_codec(obj)


def decode_group_metadata(s: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
    """Return what a ``.zgroup`` says; `MetadataError` if it is none."""
    obj = parse_metadata(s)
    parse_group(obj, GROUP_KEY)
    return {"zarr_format": ZARR_FORMAT}


def encode_group_metadata(meta: object = None) -> bytes:
    """Return a ``.zgroup``. `meta` means nothing."""
    return render_group()


class Metadata2:
    """The functions of this module, and the version of the format, in one place."""

    ZARR_FORMAT = ZARR_FORMAT
    parse_metadata = staticmethod(parse_metadata)
    decode_array_metadata = staticmethod(decode_array_metadata)
    encode_array_metadata = staticmethod(encode_array_metadata)
    decode_group_metadata = staticmethod(decode_group_metadata)
    encode_group_metadata = staticmethod(encode_group_metadata)
