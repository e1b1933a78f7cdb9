"""Consolidated metadata, from the user's side: making them, and opening hierarchies by them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from zchunk.convenience import opening
from zchunk.core.array import Array
from zchunk.errors import ConsolidatedMetadataNotFoundError, PathNotFoundError, StoreError
from zchunk.hierarchy.groups import Group
from zchunk.metadata import consolidated
from zchunk.metadata.formats import FORMAT2, FORMAT3, formats
from zchunk.metadata.v2 import parse_json
from zchunk.runtime.locks import metadata_lock
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import CONSOLIDATED_KEY, NODE_KEY, join, normalize_path
from zchunk.spec.versions import asked_format
from zchunk.storage import ConsolidatedMetadataStore, Store, open_store
from zchunk.storage.base import Mode

# About what the metadata of a node take.
_METADATA_BYTES = 4096


def consolidate_metadata(
    store: Any,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    path: str | None = "",
    zarr_format: int | None = None,
    progress: Any = None,
    storage_options: dict[str, Any] | None = None,
) -> Group | Array:
    """Collect the metadata of everything in a store under one key, so that opening it is one read.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`.
    metadata_key : str, optional
        The key, for format 2. In format 3 it is the ``zarr.json`` of the group at the root; or of that at
        `path` if there is none at the root, as in zarr 3.
    path : str, optional
        Of the node that is returned.
    zarr_format : {None, 2, 3}, optional
        Version of the format of the hierarchy; found by itself if not given, first format 2.
    progress : bool or callable, optional
        As for `copy`; counts nodes.
    storage_options : dict, optional
        Options of the store, for a URL.

    Returns
    -------
    Group or Array
        The node, opened through the consolidated metadata. They do not follow later changes.

    Raises
    ------
    PathNotFoundError
        Nothing is in the store, or at `path`.
    MetadataError
        Some of the metadata cannot be understood.
    """
    target, path = open_store(store, "r+", storage_options), normalize_path(path)
    base = None if metadata_key != CONSOLIDATED_KEY else _base_of_3(target, path, asked_format(zarr_format))
    keys = consolidated.keys_of(target, base or "", 2 if base is None else 3)
    if not keys:
        raise PathNotFoundError(f"no array or group is in {target!r}: nothing to consolidate")
    with reporting_progress(progress, lambda: len(keys), "nodes") as advance:
        documents = _read(target, keys, advance)
        if base is None:
            target[metadata_key] = consolidated.render(consolidated.build(keys, documents.__getitem__))
        else:
            metadata_key = join(base, NODE_KEY)
            nodes = consolidated.build3(keys, base, documents.__getitem__)
            with metadata_lock(target, metadata_key):
                target.modify(metadata_key, lambda raw: consolidated.render3(raw or b"", nodes, metadata_key))
    return open_consolidated(target, metadata_key, path=path)


def _read(store: Store, keys: list[str], advance: Callable[[int], None]) -> dict[str, dict[str, Any]]:
    """Return the JSON objects that are the values of `keys`."""
    documents: dict[str, dict[str, Any]] = {}
    rest = iter(keys)
    for values in store.batches(keys, _METADATA_BYTES):
        for key, raw in zip(islice(rest, len(values)), values, strict=True):
            if raw is None:
                raise StoreError(f"{key!r} was deleted from {store!r} while metadata were collected")
            documents[key] = parse_json(bytes(raw), key)
        advance(len(values))
    return documents


def _base_of_3(store: Store, path: str, version: int | None) -> str | None:
    """Return where the group is that holds the consolidated metadata, if that is of format 3."""
    for base in dict.fromkeys(("", path)):
        for fmt in formats(version):
            if fmt.node_type(store, base) is not None:
                return base if fmt is FORMAT3 and fmt.node_type(store, base) == "group" else None
    return None


def open_consolidated(
    store: Any,
    metadata_key: str = CONSOLIDATED_KEY,
    mode: Mode = "r+",
    *,
    zarr_format: int | None = None,
    **kwargs: Any,
) -> Group | Array:
    """Open a hierarchy by its consolidated metadata.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`.
    metadata_key : str, optional
        Where `consolidate_metadata` put them. Those of format 3 are found by themselves, in the group at the
        root or at `path`.
    mode : {"r", "r+"}, optional
        With ``r+`` chunks may be written; metadata and attributes are read-only either way.
    zarr_format : {None, 2, 3}, optional
        Version of the format; found by itself if not given, first format 2.
    **kwargs
        Parameters of `open`.

    Returns
    -------
    Array or Group

    Raises
    ------
    ConsolidatedMetadataNotFoundError
        There are no consolidated metadata.
    MetadataError
        They cannot be understood.
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}; consolidated metadata can be opened with 'r' or 'r+'")
    version = asked_format(kwargs.pop("zarr_version", None), zarr_format)
    target = open_store(store, mode, kwargs.get("storage_options"))
    if kwargs.get("chunk_store") is None:
        kwargs["chunk_store"] = target
    keys = [metadata_key] if FORMAT2 in formats(version) or metadata_key != CONSOLIDATED_KEY else []
    if FORMAT3 in formats(version) and metadata_key == CONSOLIDATED_KEY:
        keys += dict.fromkeys((NODE_KEY, join(normalize_path(kwargs.get("path")), NODE_KEY)))
    for key in keys:
        try:
            metadata = ConsolidatedMetadataStore(target, key)
        except KeyError:
            continue
        return opening.open(metadata, mode, zarr_format=version, **kwargs)
    raise ConsolidatedMetadataNotFoundError(
        f"no consolidated metadata at {' or '.join(map(repr, keys))} in {target!r}; make them with "
        "consolidate_metadata"
    )
