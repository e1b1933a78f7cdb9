"""Consolidated metadata: all ``.zarray``, ``.zgroup`` and ``.zattrs`` of a hierarchy under one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zchunk.errors import InvalidKeyError, MetadataError
from zchunk.keys import ARRAY_KEY, ATTRS_KEY, CONSOLIDATED_KEY, GROUP_KEY, check_key
from zchunk.metadata.v2 import parse_json, render_json

_FORMAT = 1


def build(store: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the consolidated metadata of all nodes in `store`, ready for `render`.

    Raises
    ------
    MetadataError
        If a metadata key holds no JSON object.
    """
    keys = [key for key in store if _is_metadata_key(key)]
    return {
        "zarr_consolidated_format": _FORMAT,
        "metadata": {key: parse_json(store[key], key) for key in keys},
    }


def render(consolidated: dict[str, Any]) -> bytes:
    """Return what `build` made as the ``.zmetadata`` that zarr 2.18 writes."""
    return render_json(consolidated)


def parse(raw: bytes, where: str = CONSOLIDATED_KEY) -> dict[str, dict[str, Any]]:
    """Return the JSON objects in the ``.zmetadata`` `raw` by their keys; `where` is for messages.

    Keys that name no metadata are left out.

    Raises
    ------
    MetadataError
        If `raw` is no consolidated metadata, or an entry has a key that could leave the store or is no
        object.
    """
    obj = parse_json(raw, where)
    version = obj.get("zarr_consolidated_format")
    if type(version) is not int or version != _FORMAT:
        raise MetadataError(f"{where}: zarr_consolidated_format is {version!r:.80}, not {_FORMAT}")
    entries = obj.get("metadata")
    if not isinstance(entries, dict):
        raise MetadataError(f"{where}: metadata is {entries!r:.80}, not an object")
    for key, entry in entries.items():
        try:
            check_key(key)
        except InvalidKeyError as err:
            raise MetadataError(f"{where}: {err}") from err
        if not isinstance(entry, dict):
            raise MetadataError(f"{where}: the entry {key!r:.80} is {entry!r:.80}, not an object")
    return {key: entry for key, entry in entries.items() if _is_metadata_key(key)}


def _is_metadata_key(key: str) -> bool:
    return key.rpartition("/")[2] in (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)
