"""Consolidated metadata: all metadata of a hierarchy under one key.

In format 2 that is a key of its own, ``.zmetadata``, in format 3 the ``zarr.json`` of the group at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zchunk.errors import InvalidKeyError, MetadataError
from zchunk.metadata import rendering, v3
from zchunk.metadata.v2 import parse_json, render_document
from zchunk.spec.keys import ARRAY_KEY, ATTRS_KEY, CONSOLIDATED_KEY, GROUP_KEY, NODE_KEY, check_key, join

_FORMAT = 1


# Reads the JSON object under a key.
Read = Callable[[str], dict[str, Any]]


def keys_of(store: Mapping[str, bytes], base: str, zarr_format: int) -> list[str]:
    """Return the keys of all metadata below the path `base` that are consolidated for a format."""
    start = f"{base}/" if base else ""
    if zarr_format == 2:
        return [key for key in store if key.startswith(start) and _is_metadata_key(key)]
    return [key for key in store if key.startswith(start) and key.rpartition("/")[2] == NODE_KEY]


def build(keys: list[str], read: Read) -> dict[str, Any]:
    """Return the consolidated metadata of the nodes with `keys`, ready for `render`.

    Raises
    ------
    MetadataError
        If a metadata key holds no JSON object.
    """
    return {"zarr_consolidated_format": _FORMAT, "metadata": {key: read(key) for key in keys}}


def build3(keys: list[str], base: str, read: Read) -> dict[str, Any]:
    """Return the documents of the nodes of format 3 with `keys` by their paths below `base`.

    In the order that zarr 3 has: those that lie less deep first, then by path.
    """
    start = len(base) + 1 if base else 0
    paths = [key[start : -len(NODE_KEY) - 1] for key in keys if key != join(base, NODE_KEY)]
    found = {}
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        document = dict(read(join(base, join(path, NODE_KEY))))
        if v3.node_type(document, path) == "group":
            # What zarr 3 writes: nothing below the group that is not said above.
            document["consolidated_metadata"] = _inline({})
        found[path] = document
    return found


def _inline(nodes: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "inline", "must_understand": False, "metadata": nodes}


def render3(raw: bytes, nodes: dict[str, Any], where: str) -> bytes:
    """Return the ``zarr.json`` `raw` of a group with the consolidated metadata that `build3` made."""
    return render_document({**parse_json(raw, where), "consolidated_metadata": _inline(nodes)})


def render(consolidated: dict[str, Any]) -> bytes:
    """Return what `build` made as the ``.zmetadata`` that zarr 2.18 writes."""
    return rendering.render(consolidated, 4, sort_keys=True)


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
    # References in Parquet files have no version, but how many there are in a file.
    version = obj.get("zarr_consolidated_format", _FORMAT if "record_size" in obj else None)
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


def parse3(raw: bytes, base: str, where: str) -> dict[str, dict[str, Any]] | None:
    """Return the documents of a group at `base` and of what is below it by keys; None if there are none.

    Raises
    ------
    MetadataError
        If `raw` is no group, or an entry has a path that could leave the store or is no object.
    """
    nodes = v3.parse_consolidated(raw, where)
    if nodes is None:
        return None
    own = {name: value for name, value in parse_json(raw, where).items() if name != "consolidated_metadata"}
    below = {join(base, join(path, NODE_KEY)): document for path, document in nodes.items()}
    return {join(base, NODE_KEY): own, **below}


def _is_metadata_key(key: str) -> bool:
    return key.rpartition("/")[2] in (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)
