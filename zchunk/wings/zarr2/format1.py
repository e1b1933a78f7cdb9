"""Arrays of Zarr format 1, which had no groups: their metadata, and how they become format 2.

Names of zarr 2's module ``meta_v1``; `migrate_1to2` is in its ``storage``, and so in `zchunk.storage`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from zchunk.errors import MetadataError
from zchunk.metadata.v2 import parse_json, render_json
from zchunk.spec.dtypes import decode_dtype, encode_dtype
from zchunk.spec.keys import ARRAY_KEY, ATTRS_KEY
from zchunk.wings.zarr2.metadata import encode_array_metadata

_META_KEY = "meta"
_ATTRS_KEY = "attrs"
_MEMBERS = ("shape", "chunks", "dtype", "compression", "compression_opts", "fill_value", "order")


def decode_metadata(b: bytes) -> dict[str, Any]:
    """Return what the ``meta`` of a format 1 array says, with tuples and a `numpy.dtype`.

    Raises
    ------
    MetadataError
        If they are those of no format 1 array.
    """
    obj = parse_json(b, _META_KEY)
    if obj.get("zarr_format") != 1:
        raise MetadataError(f"{_META_KEY!r}: zarr_format is {obj.get('zarr_format')!r:.80}, not 1")
    missing = [name for name in _MEMBERS if name not in obj]
    if missing:
        raise MetadataError(f"{_META_KEY!r} lacks {', '.join(missing)}")
    try:
        shapes = {name: tuple(map(int, obj[name])) for name in ("shape", "chunks")}
    except (TypeError, ValueError) as error:
        raise MetadataError(f"{_META_KEY!r}: shape and chunks are lists of integers: {error}") from error
    members = {name: obj[name] for name in ("zarr_format", *_MEMBERS)}
    return members | shapes | {"dtype": decode_dtype(obj["dtype"])}


def encode_metadata(meta: Mapping[str, Any]) -> bytes:
    """Return the ``meta`` of what `decode_metadata` returns."""
    members = {name: meta[name] for name in _MEMBERS}
    return render_json(members | {"zarr_format": 1, "dtype": encode_dtype(np.dtype(meta["dtype"]))})


def migrate_1to2(store: MutableMapping[str, Any]) -> None:
    """Turn the format 1 array in a store into one of format 2. Chunks stay as they are.

    The new metadata are written before the old ones are deleted, so that one that was interrupted can be done
    again.

    Raises
    ------
    KeyError
        If no such array is in the store.
    MetadataError
        If its metadata cannot be read.
    """
    meta = decode_metadata(store[_META_KEY])
    attrs = store.get(_ATTRS_KEY)
    config = _compressor(meta.pop("compression"), meta.pop("compression_opts"))
    store[ARRAY_KEY] = encode_array_metadata(meta | {"compressor": config, "filters": None})
    if attrs is not None:
        store[ATTRS_KEY] = attrs
        del store[_ATTRS_KEY]
    del store[_META_KEY]


def _compressor(name: str | None, options: object) -> dict[str, Any] | None:
    """Return the configuration of a format 1 compressor."""
    if name in (None, "none"):
        return None
    # A number is the level.
    parameters = options if isinstance(options, Mapping) else {} if options is None else {"level": options}
    return {"id": name, **parameters}
