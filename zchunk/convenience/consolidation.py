"""Consolidated metadata, from the caller's side: making them, and opening hierarchies by them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Unpack

from zchunk.convenience import opening
from zchunk.core.array import Array
from zchunk.errors import ConsolidatedMetadataNotFoundError, PathNotFoundError, StoreError
from zchunk.hierarchy.groups import Group
from zchunk.metadata import consolidated
from zchunk.metadata.formats import FORMAT2, FORMAT3, formats
from zchunk.metadata.v2 import parse_json
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import CONSOLIDATED_KEY, NODE_KEY, join, normalize_path
from zchunk.spec.versions import asked_format
from zchunk.storage import ConsolidatedMetadataStore, Store, open_store
from zchunk.sync import outer_lock

if TYPE_CHECKING:
    from zchunk.creation.keywords import OpenedConsolidated
    from zchunk.typing import ProgressLike, StorageOptions, StoreLike, Synchronizer, ZarrFormat

# About what the metadata of a node take.
_METADATA_BYTES = 4096


def _opened_from(
    store: StoreLike | Group, mode: Literal["r", "r+"], options: dict[str, Any]
) -> tuple[Store, dict[str, Any]]:
    """Return a store, and parameters of `open` with what is not given of them taken from a group."""
    if not isinstance(store, Group):
        return open_store(store, mode, options.get("storage_options")), options
    target = store.store
    if isinstance(target, ConsolidatedMetadataStore):
        # Opened by older ones, in which nothing can be changed.
        target = open_store(target.store)
    chunks = None if store.chunk_store is target else store.chunk_store
    found = {"chunk_store": chunks, "synchronizer": store.synchronizer}
    given = {name: value for name, value in options.items() if value is not None}
    path = normalize_path(options.get("path"))
    return target, found | given | {"path": join(store.path, path) if path else store.path}


@says_near_names
def consolidate_metadata(
    store: StoreLike | Group,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    path: str | None = "",
    zarr_format: ZarrFormat | None = None,
    progress: ProgressLike = None,
    storage_options: StorageOptions | None = None,
    synchronizer: Synchronizer | None = None,
) -> Group | Array:
    """Collect the metadata of everything in a store under one key, so that opening it is one read.

    Parameters
    ----------
    store : path, MutableMapping or Group
        As for `create`; or a group, which stands for its store and path.
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
    synchronizer : mapping of keys to locks, optional
        The one that other processes set attributes with: in format 3 they lie under the same key. By default
        that of the group.

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

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> group = zchunk.open_group(store)
    >>> group["run/field"] = [1, 2, 3]
    >>> zchunk.consolidate_metadata(store)["run/field"][:]
    array([1, 2, 3])
    >>> ".zmetadata" in store
    True
    """
    wanted = {"path": path, "storage_options": storage_options, "synchronizer": synchronizer}
    target, options = _opened_from(store, "r+", wanted)
    path, synchronizer = normalize_path(options["path"]), options["synchronizer"]
    base = None if metadata_key != CONSOLIDATED_KEY else _base_of_3(target, path, asked_format(zarr_format))
    if base is None:
        write_consolidated(target, "", metadata_key, 2, progress)
    else:
        metadata_key = join(base, NODE_KEY)
        write_consolidated(target, base, metadata_key, 3, progress, synchronizer)
    return open_consolidated(target, metadata_key, **options)


def write_consolidated(
    target: Store,
    base: str,
    metadata_key: str,
    zarr_format: ZarrFormat,
    progress: ProgressLike = None,
    synchronizer: Synchronizer | None = None,
) -> None:
    """Collect the metadata of all that is below the path `base` under `metadata_key`.

    Raises
    ------
    PathNotFoundError
        Nothing is there.
    MetadataError
        Some of the metadata cannot be understood.
    """
    keys = consolidated.keys_of(target, base, zarr_format)
    if not keys:
        raise PathNotFoundError(f"no array or group is in {target!r}: nothing to consolidate")
    with reporting_progress(progress, lambda: len(keys), "nodes") as advance:
        documents = _read(target, keys, advance)
        if zarr_format == 2:
            start = len(base) + 1 if base else 0
            found = consolidated.build([key[start:] for key in keys], lambda key: documents[join(base, key)])
            target[metadata_key] = consolidated.render(found)
            return
        nodes = consolidated.build3(keys, base, documents.__getitem__)
        # Attributes of the group, which others may be setting, lie under the same key.
        outer: AbstractContextManager[Any] = (
            nullcontext() if synchronizer is None else outer_lock(synchronizer, metadata_key)
        )
        with outer, metadata_lock(target, metadata_key):
            target.modify(metadata_key, lambda raw: consolidated.render3(raw or b"", nodes, metadata_key))


def _read(store: Store, keys: list[str], advance: Callable[[int], None]) -> dict[str, dict[str, Any]]:
    """Return the JSON objects that are the values of `keys`; equal values are one object."""
    documents: dict[str, dict[str, Any]] = {}
    parsed: dict[bytes, dict[str, Any]] = {}
    rest = iter(keys)
    for values in store.batches(keys, _METADATA_BYTES):
        for key, raw in zip(islice(rest, len(values)), values, strict=True):
            if raw is None:
                raise StoreError(f"{key!r} was deleted from {store!r} while metadata were collected")
            value = bytes(raw)
            if value not in parsed:
                parsed[value] = parse_json(value, key)
            documents[key] = parsed[value]
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
    store: StoreLike | Group,
    metadata_key: str = CONSOLIDATED_KEY,
    mode: Literal["r", "r+"] = "r+",
    *,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Unpack[OpenedConsolidated],
) -> Group | Array:
    """Open a hierarchy by its consolidated metadata.

    Parameters
    ----------
    store : path, MutableMapping or Group
        As for `create`; or a group, which stands for its store and path.
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

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save(store, a=[1, 2], b=[3])
    >>> _ = zchunk.consolidate_metadata(store)
    >>> sorted(zchunk.open_consolidated(store, mode="r"))
    ['a', 'b']
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}; consolidated metadata can be opened with 'r' or 'r+'")
    given: dict[str, Any] = {**kwargs}
    version = asked_format(given.pop("zarr_version", None), zarr_format)
    target, given = _opened_from(store, mode, given)
    if given.get("chunk_store") is None:
        given["chunk_store"] = target
    keys = [metadata_key] if FORMAT2 in formats(version) or metadata_key != CONSOLIDATED_KEY else []
    if FORMAT3 in formats(version) and metadata_key == CONSOLIDATED_KEY:
        keys += dict.fromkeys((NODE_KEY, join(normalize_path(given.get("path")), NODE_KEY)))
    for key in keys:
        try:
            metadata = ConsolidatedMetadataStore(target, key)
        except KeyError:
            continue
        return opening.open(metadata, mode, zarr_format=version, **given)
    raise ConsolidatedMetadataNotFoundError(
        f"no consolidated metadata at {' or '.join(map(repr, keys))} in {target!r}; make them with "
        "consolidate_metadata"
    )
