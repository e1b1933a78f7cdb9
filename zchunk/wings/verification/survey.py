"""What is in a store: its keys, each with the node that it belongs to, and whether the metadata are in order.

All keys are listed once. What lies under a key is read here only if it is metadata, or the mark of a process.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from operator import lt
from typing import Any, NamedTuple

from zchunk.engine.array import ChunkedArray
from zchunk.errors import CodecError, MetadataError, ZchunkError
from zchunk.metadata import consolidated, v2, v3
from zchunk.metadata.array import ArrayMetadata
from zchunk.runtime import requests
from zchunk.runtime.owners import owner
from zchunk.spec.keys import (
    ARRAY_KEY,
    ATTRS_KEY,
    CONSOLIDATED_KEY,
    ERASING_KEY,
    GROUP_KEY,
    METADATA_KEYS,
    MOVING_KEY,
    N5_KEY,
    NODE_KEY,
    UNFINISHED_KEY,
    is_chunk_name,
    join,
    parents,
)
from zchunk.storage.base import Store
from zchunk.storage.marks import is_marked
from zchunk.wings.verification.decoding import Stored
from zchunk.wings.verification.places import QUARANTINE, Place
from zchunk.wings.verification.report import Report

_MARKS = frozenset({UNFINISHED_KEY, ERASING_KEY, MOVING_KEY})
# About what the metadata of a node take.
_METADATA_BYTES = 4096
# As they are written in keys.
_COORDINATE = re.compile("0|[1-9][0-9]*")
# Keys that a message names.
_NAMED = 3


class _Node(NamedTuple):
    """A node that is there: an array, a group, or unknown, if its metadata cannot be understood.

    `array` is None if it is no array, or one whose metadata are not valid.
    """

    version: int
    kind: str
    array: ChunkedArray | None = None
    decode: Callable[[str], tuple[int, ...] | None] | None = None


class Survey:
    """Looks through a store, below a path, and reports what is not in order.

    Parameters
    ----------
    report : Report
        Gets findings and counts.
    place : Place
        The stores, and the path of the node.

    Attributes
    ----------
    keys : list of str
        All that belong to the node, but for what was set aside.
    arrays : list of Stored
        The arrays whose metadata are valid.
    """

    def __init__(self, report: Report, place: Place) -> None:
        self._report = report
        self._place = place
        self._store, self._chunks, self._path = place
        self._documents: dict[str, bytes] = {}
        self._nodes: dict[str, _Node] = {}
        # The path of the node that the keys in a folder belong to, None if they belong to none.
        self._owners: dict[str, str | None] = {}
        self._stored: dict[str, Stored] = {}
        # Paths beside which something says that an array was to be there.
        self._signs: set[str] = set()
        # Keys of invalid metadata that are not Zarr's.
        self._invalid: set[str] = set()
        # Whether a process is making an array at a path.
        self._making: dict[str, bool] = {}
        self.keys: list[str] = []

    @property
    def arrays(self) -> list[Stored]:
        return list(self._stored.values())

    def run(self) -> None:
        """Look through all of it. Nothing that is found raises."""
        keys = set[str]().union(*map(self._list, self._place.stores))
        self.keys = sorted(key for key in keys if not key.startswith(f"{QUARANTINE}/"))
        signs = (key.rpartition("/") for key in self.keys)
        self._signs = {folder for folder, _, name in signs if name in (UNFINISHED_KEY, ATTRS_KEY)}
        self._report.counts["keys"] = len(self.keys)
        self._report.counts["quarantined"] = len(keys) - len(self.keys)
        metadata = [key for key in self.keys if key.rpartition("/")[2] in METADATA_KEYS]
        self._load(metadata)
        self._find_invalid_n5()
        self._find_nodes(metadata)
        self._find_consolidated(metadata)
        self._find_keys()
        self._find_temporary()
        if not self._nodes and not self.keys:
            self._report.add(self._path, "nothing-there", "no array, no group and no key is there")

    # ---- listing and reading

    def _list(self, store: Store) -> set[str]:
        try:
            return set(store._keys_below(self._path))
        except Exception as err:
            self._report.add(self._path, "unreadable", f"the store cannot be listed: {err}")
            return set()

    def _load(self, keys: list[str]) -> None:
        def load(key: str) -> None:
            try:
                self._documents[key] = bytes(self._store[key])
            except KeyError:
                # It was deleted meanwhile; or it is in the store of the chunks.
                return
            except MetadataError as err:
                # Of a store that makes Zarr's metadata of others.
                self._report.add(key, "metadata-invalid", err)
            except Exception as err:
                self._report.add(key, "unreadable", err)

        if self._store.concurrency > 1:
            requests.each(load, keys, self._store.batch_size(_METADATA_BYTES))
        elif self._store.root is None:
            for key in keys:
                load(key)
        else:
            deque(requests.at_its_pace(load, keys, self._store.read_ahead), maxlen=0)

    # ---- metadata

    def _find_nodes(self, keys: list[str]) -> None:
        names: dict[str, set[str]] = {}
        for key in keys:
            path, _, name = key.rpartition("/")
            names.setdefault(path, set()).add(name)
        # From the top, so that what is above a node is known.
        for path in sorted(names, key=lambda path: path.count("/")):
            self._find_node(path, names[path])

    def _find_invalid_n5(self) -> None:
        """Report metadata of N5, which a store of N5 shows as Zarr's unless they are invalid."""
        for key in self.keys:
            path, _, name = key.rpartition("/")
            if name != N5_KEY:
                continue
            try:
                self._store[join(path, GROUP_KEY)]
            except MetadataError as err:
                self._report.add(key, "metadata-invalid", err)
                self._nodes[path] = _Node(2, "unknown")
                self._invalid.add(key)
            except Exception:
                # It is no store of N5, or the key is found unreadable below.
                continue

    def _find_node(self, path: str, names: set[str]) -> None:
        report = self._report
        if ATTRS_KEY in names:
            self._parse(join(path, ATTRS_KEY), "attributes-invalid", v2.parse_json)
        of_2 = names & {ARRAY_KEY, GROUP_KEY}
        if len(of_2) == 2:
            report.add(join(path, GROUP_KEY), "mixed-nodes", f"{ARRAY_KEY} is beside it")
        if of_2 and NODE_KEY in names:
            report.add(join(path, NODE_KEY), "mixed-formats", f"{', '.join(sorted(of_2))} is beside it")
        if not of_2 and NODE_KEY not in names:
            if ATTRS_KEY in names:
                report.add(join(path, ATTRS_KEY), "attributes-alone", "no array or group is there")
            return
        name = ARRAY_KEY if ARRAY_KEY in names else GROUP_KEY if of_2 else NODE_KEY
        node = self._node_at(path, join(path, name), name)
        self._nodes[path] = node
        if node.kind != "unknown":
            report.counts[f"{node.kind}s"] += 1
        above = next((found for up in reversed(parents(path)) if (found := self._nodes.get(up))), None)
        if above is not None and above.kind == "array":
            report.add(join(path, name), "node-in-array", "an array is above it")
        elif above is not None and above.version != node.version:
            what = f"a node of format {node.version} below one of format {above.version}"
            report.add(join(path, name), "mixed-formats", what)

    def _node_at(self, path: str, key: str, name: str) -> _Node:
        if name == GROUP_KEY:
            self._parse(key, "metadata-invalid", v2.parse_group)
            return _Node(2, "group")
        if name == ARRAY_KEY:
            separator = self._store._dimension_separator or "."
            metadata = self._parse(
                key, "metadata-invalid", lambda raw, key: v2.parse_array(raw, key, separator)
            )
            return self._array_at(path, key, 2, metadata)
        kind = self._parse(key, "metadata-invalid", v3.node_type)
        if kind == "array":
            return self._array_at(path, key, 3, self._parse(key, "metadata-invalid", v3.parse_array))
        if kind is not None:
            self._parse(key, "metadata-invalid", v3.parse_group)
        # Of an unreadable one it is not known what the keys below it are.
        return _Node(3, "group" if kind is not None else "unknown")

    def _array_at(self, path: str, key: str, version: int, metadata: ArrayMetadata | None) -> _Node:
        if metadata is None:
            return _Node(version, "array")
        try:
            array = ChunkedArray(metadata, self._chunks, path)
            if metadata.shards is not None:
                # Raises if a shard has too large an index.
                _ = array.index
        except Exception as err:
            self._report.add(key, _kind_of(err), err)
            return _Node(version, "array")
        self._stored[path] = Stored(array, [])
        return _Node(version, "array", array, metadata.chunk_key_encoding.decoder(metadata.ndim))

    def _parse(self, key: str, kind: str, parse: Callable[[bytes, str], Any]) -> Any:
        """Return what `parse` makes of a document, None if it is not there or cannot be understood."""
        raw = self._documents.get(key)
        if raw is None:
            return None
        try:
            return parse(raw, key)
        except Exception as err:
            self._report.add(key, _kind_of(err) if kind == "metadata-invalid" else kind, err)
            return None

    # ---- consolidated metadata

    def _find_consolidated(self, keys: list[str]) -> None:
        for key in keys:
            path, _, name = key.rpartition("/")
            raw = self._documents.get(key)
            if raw is None or name not in (CONSOLIDATED_KEY, NODE_KEY):
                continue
            if name == NODE_KEY and b"consolidated_metadata" not in raw:
                continue
            try:
                entries = _entries(raw, path, key)
            except ZchunkError as err:
                self._report.add(key, "consolidated-invalid", err)
                continue
            if entries is not None:
                self._compare(key, path, entries)

    def _compare(self, key: str, path: str, entries: dict[str, dict[str, Any]]) -> None:
        """Compare consolidated metadata with those that they were made of."""
        real: dict[str, str] = {}
        invalid = set()
        version = 2 if key.rpartition("/")[2] == CONSOLIDATED_KEY else 3
        for other in consolidated.keys_of(self._documents, path, version):
            try:
                real[other] = _canonical(v2.parse_json(self._documents[other], other))
            except MetadataError:
                # That is a finding already.
                invalid.add(other)
        said = {name: _canonical(entry) for name, entry in entries.items() if name not in invalid}
        differences = {
            "lacks": real.keys() - said.keys(),
            "has, though it is not there,": said.keys() - real.keys(),
            "has another": {name for name in said.keys() & real.keys() if said[name] != real[name]},
        }
        texts = [f"{what} {_named(sorted(names))}" for what, names in differences.items() if names]
        if texts:
            self._report.add(key, "consolidated-stale", "; ".join(texts))

    # ---- keys

    def _find_keys(self) -> None:
        for key in self.keys:
            folder, _, name = key.rpartition("/")
            if name in METADATA_KEYS or key in self._invalid:
                continue
            if name in _MARKS:
                self._find_mark(key, folder, name)
                continue
            path = self._owner_of(folder)
            node = None if path is None else self._nodes[path]
            if node is not None and node.kind != "group":
                self._find_chunk(key, path or "", node)
            else:
                self._find_stray(key, path)

    def _owner_of(self, folder: str) -> str | None:
        if folder in self._nodes:
            return folder
        if folder not in self._owners:
            above = folder.rpartition("/")[0] if folder else None
            self._owners[folder] = None if above is None else self._owner_of(above)
        return self._owners[folder]

    def _find_chunk(self, key: str, path: str, node: _Node) -> None:
        if node.array is None or node.decode is None:
            self._report.counts["not judged"] += 1
            return
        name = key[len(path) + 1 :] if path else key
        coords = node.decode(name)
        if coords is None:
            kind = "orphan-chunk" if _is_chunk(name) else "foreign-key"
            self._report.add(key, kind, "it is no key of the array that it lies in")
        elif all(map(lt, coords, node.array.metadata.grid.cdata_shape)):
            self._stored[path].coords.append(coords)
            self._report.counts["chunks"] += 1
        else:
            what = f"the array has a grid of {node.array.metadata.grid.cdata_shape} chunks"
            self._report.add(key, "outside-grid", what)

    def _find_stray(self, key: str, path: str | None) -> None:
        """Report a key that lies in no array."""
        name = key[len(path) + 1 :] if path else key
        found = _chunk_folder(name)
        if found is not None:
            folder, chunk = found
            at = join(path or "", folder) if folder else path or ""
            if self._is_made_now(at):
                return
            # One number may be anything, unless something says that an array was here.
            if len(chunk) > 1 or "." in chunk[0] or self._was_array(at):
                self._report.add(key, "orphan-chunk", "no array is there")
                return
        self._report.add(key, "foreign-key", "it is no chunk, and no metadata")

    def _is_made_now(self, path: str) -> bool:
        """Whether a process is at work that puts chunks there before the metadata."""
        if path not in self._making:
            try:
                self._making[path] = path not in self._nodes and is_marked(self._chunks, path)
            except Exception:
                # It is found unreadable below.
                self._making[path] = True
        return self._making[path]

    def _was_array(self, path: str) -> bool:
        return path not in self._nodes and path in self._signs

    # ---- what processes have left

    def _find_mark(self, key: str, folder: str, name: str) -> None:
        try:
            if name == UNFINISHED_KEY:
                lives = is_marked(self._chunks, folder)
                what = "the mark of an array that is being made"
            else:
                raw = self._chunks.get(key, b"")
                by = json.loads(raw)["by"].encode() if name == MOVING_KEY else raw
                lives = owner(by) in ("lives", "unknown")
                what = "the trace of a node that is being " + ("moved" if name == MOVING_KEY else "erased")
        except Exception as err:
            self._report.add(key, "unreadable", err)
            return
        gone = {UNFINISHED_KEY: "unfinished", ERASING_KEY: "erasing", MOVING_KEY: "moving"}[name]
        self._report.add(key, "in-progress" if lives else gone, what)

    def _find_temporary(self) -> None:
        """Report temporary files, which are no keys, and what of an archive is not shown."""
        for store in self._place.stores:
            for path, kind, what in store._left_behind(self._path):
                self._report.add(path, kind, what)


def _kind_of(err: Exception) -> str:
    return "codec-unknown" if isinstance(err, CodecError) else "metadata-invalid"


def _entries(raw: bytes, path: str, key: str) -> dict[str, dict[str, Any]] | None:
    """Return the documents in consolidated metadata by their keys; None if there are none."""
    if key.rpartition("/")[2] == NODE_KEY:
        return consolidated.parse3(raw, path, key)
    return {join(path, name): entry for name, entry in consolidated.parse(raw, key).items()}


def _canonical(document: dict[str, Any]) -> str:
    """Return the text of a document that equal ones share. NaN is not equal to itself."""
    own = {name: value for name, value in document.items() if name != "consolidated_metadata"}
    return json.dumps(own, sort_keys=True)


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(map(repr, keys[:_NAMED])) + more


def _is_chunk(name: str) -> bool:
    found = _chunk_folder(name)
    return found is not None and not found[0]


def _chunk_folder(name: str) -> tuple[str, list[str]] | None:
    """Return the folder, and the segments below it, of a key that may be that of a chunk; else None."""
    segments = name.split("/")
    start = len(segments)
    while start and _COORDINATE.fullmatch(segments[start - 1]):
        start -= 1
    if start == len(segments):
        # Coordinates with periods between them.
        start -= 1
        if not is_chunk_name(segments[start]):
            return None
    elif start and segments[start - 1] == "c":
        start -= 1
    return "/".join(segments[:start]), segments[start:]
