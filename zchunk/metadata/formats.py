"""The versions of the format: where each keeps its nodes, and what is at a path.

A caller that opens or makes a node gets its `Format` here, once; no code behind it asks for the version.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from zchunk.errors import ContainsArrayError, MetadataError, MixedFormatsError, StoreError
from zchunk.metadata import v2, v3
from zchunk.metadata.array import ArrayMetadata
from zchunk.spec.keys import ARRAY_KEY, ATTRS_KEY, GROUP_KEY, NODE_KEY, join

if TYPE_CHECKING:
    from zchunk.typing import ZarrFormat

NodeType: TypeAlias = Literal["array", "group"]


class Format:
    """How the nodes of one version of the format are kept. There is one instance for each version."""

    version: ClassVar[ZarrFormat]
    # Names below the path of a node, of what holds its metadata and attributes.
    array_key: ClassVar[str]
    group_key: ClassVar[str]
    attrs_key: ClassVar[str]
    # Member of the JSON object there that the attributes are, None if they are all of it.
    attrs_member: ClassVar[str | None]

    def node_type(self, store: Any, path: str) -> NodeType | None:
        """Return what kind of node is at `path`; None if there is none of this format."""
        raise NotImplementedError

    def contains(self, store: Any, path: str) -> bool:
        """Whether a node of this format is at `path`, readable or not."""
        raise NotImplementedError

    def read_array(self, store: Any, path: str, trusted: frozenset[str]) -> ArrayMetadata:
        """Return the metadata of the array at `path`, `KeyError` if none of this format is there."""
        raise NotImplementedError

    def check_group(self, store: Any, path: str) -> None:
        """Raise `KeyError` unless a node of this format is at `path`, another error unless it is a group."""
        raise NotImplementedError

    def array_items(
        self, metadata: ArrayMetadata, attributes: dict[str, Any] | None = None
    ) -> dict[str, bytes]:
        """Return keys below its path, and values, that make an array. The one that is last shows it."""
        raise NotImplementedError

    def group_items(
        self, attributes: dict[str, Any] | None = None, more: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        """Return the same for a group. `more` are members of its document that need no understanding."""
        raise NotImplementedError

    def group_extensions(self, store: Any, path: str) -> dict[str, Any]:
        """Return the members of a group's document that need no understanding; format 2 has none."""
        return {}

    def parse_array(self, raw: bytes, where: str, separator: str, trusted: frozenset[str]) -> ArrayMetadata:
        """Return the metadata that are stored under `array_key`."""
        raise NotImplementedError

    def changed(self, raw: bytes | None, old: ArrayMetadata, new: ArrayMetadata) -> bytes:
        """Return what to store under `array_key`, where `raw` is, for the metadata to become `new`."""
        raise NotImplementedError

    def __reduce__(self) -> str:
        return f"FORMAT{self.version}"


class _Format2(Format):
    """A key for each: ``.zarray`` or ``.zgroup``, and ``.zattrs``."""

    version: ClassVar[ZarrFormat] = 2
    array_key, group_key, attrs_key, attrs_member = ARRAY_KEY, GROUP_KEY, ATTRS_KEY, None

    def node_type(self, store: Any, path: str) -> NodeType | None:
        if join(path, ARRAY_KEY) in store:
            return "array"
        return "group" if join(path, GROUP_KEY) in store else None

    def contains(self, store: Any, path: str) -> bool:
        return self.node_type(store, path) is not None

    def read_array(self, store: Any, path: str, trusted: frozenset[str]) -> ArrayMetadata:
        key = join(path, ARRAY_KEY)
        raw, separator = store.metadata(key), store._dimension_separator or "."
        # Asked for first: to say what store it is, for messages, takes longer.
        found = v2.known_array(raw, separator) if type(raw) in (bytes, dict) else None
        return found or v2.parse_array(raw, f"{key!r} in {store!r}", separator, trusted)

    def check_group(self, store: Any, path: str) -> None:
        if join(path, ARRAY_KEY) in store:
            raise _no_group(store, path)
        key = join(path, GROUP_KEY)
        v2.parse_group(store.metadata(key), f"{key!r} in {store!r}")

    def array_items(
        self, metadata: ArrayMetadata, attributes: dict[str, Any] | None = None
    ) -> dict[str, bytes]:
        return _with_attrs(attributes) | {ARRAY_KEY: v2.render_array(metadata)}

    def group_items(
        self, attributes: dict[str, Any] | None = None, more: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        return _with_attrs(attributes) | {GROUP_KEY: v2.render_group()}

    def parse_array(self, raw: bytes, where: str, separator: str, trusted: frozenset[str]) -> ArrayMetadata:
        return v2.parse_array(raw, where, separator, trusted)

    def changed(self, raw: bytes | None, old: ArrayMetadata, new: ArrayMetadata) -> bytes:
        if raw is not None:
            _check_same(v2.parse_json(raw, ARRAY_KEY), old)
        return v2.render_array(new)


def _check_same(document: dict[str, Any], old: ArrayMetadata) -> None:
    shape = document.get("shape")
    if shape != list(old.shape):
        raise StoreError(
            f"the shape was changed from {old.shape} to {shape!r:.80} by another process at the same time; "
            "processes that change shapes need a synchronizer"
        )


def _no_group(store: Any, path: str) -> ContainsArrayError:
    return ContainsArrayError(f"an array, not a group, is at {'/' + path!r} in {store!r}")


def _with_attrs(attributes: dict[str, Any] | None) -> dict[str, bytes]:
    return {ATTRS_KEY: v2.render_attrs(attributes)} if attributes else {}


class _Format3(Format):
    """One key, ``zarr.json``, which says what it is the metadata of."""

    version: ClassVar[ZarrFormat] = 3
    array_key = group_key = attrs_key = NODE_KEY
    attrs_member = "attributes"

    def node_type(self, store: Any, path: str) -> NodeType | None:
        key = join(path, NODE_KEY)
        try:
            raw = store.metadata(key)
        except KeyError:
            return None
        return "array" if v3.node_type(raw, f"{key!r} in {store!r}") == "array" else "group"

    def contains(self, store: Any, path: str) -> bool:
        return join(path, NODE_KEY) in store

    def read_array(self, store: Any, path: str, trusted: frozenset[str]) -> ArrayMetadata:
        key = join(path, NODE_KEY)
        raw = store.metadata(key)
        found: ArrayMetadata | None = v3.known_array(raw) if type(raw) in (bytes, dict) else None
        if found is not None:
            return found
        where = f"{key!r} in {store!r}"
        try:
            return v3.parse_array(raw, where, trusted)
        except MetadataError:
            if v3.node_type(raw, where) != "array":
                raise KeyError(key) from None
            raise

    def check_group(self, store: Any, path: str) -> None:
        key = join(path, NODE_KEY)
        raw, where = store.metadata(key), f"{key!r} in {store!r}"
        if v3.node_type(raw, where) != "group":
            raise _no_group(store, path)
        v3.parse_group(raw, where)

    def array_items(
        self, metadata: ArrayMetadata, attributes: dict[str, Any] | None = None
    ) -> dict[str, bytes]:
        v3.check_attributes(attributes)
        return {NODE_KEY: v3.render_array(metadata, attributes)}

    def group_items(
        self, attributes: dict[str, Any] | None = None, more: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        v3.check_attributes(attributes)
        return {NODE_KEY: v3.render_group(attributes, more=more)}

    def group_extensions(self, store: Any, path: str) -> dict[str, Any]:
        key = join(path, NODE_KEY)
        return v3.group_extensions(v3.parse_group(store.metadata(key), f"{key!r} in {store!r}"))

    def parse_array(self, raw: bytes, where: str, separator: str, trusted: frozenset[str]) -> ArrayMetadata:
        return v3.parse_array(raw, where, trusted)

    def changed(self, raw: bytes | None, old: ArrayMetadata, new: ArrayMetadata) -> bytes:
        if raw is None:
            raise KeyError(NODE_KEY)
        document = v2.parse_json(raw, NODE_KEY)
        _check_same(document, old)
        # What else is there stays.
        if new.fill_value is old.fill_value and document.get("fill_value") is not None:
            return v3.resized(raw, new.shape, edges=None if new.edges == old.edges else new.edges)
        return v3.render_array(new, document.get("attributes"))


def as_json(value: Any) -> Any:
    """Return JSON for what zarr 3 has as an object: a codec, a grid, or how chunks are named.

    Examples
    --------
    >>> from zchunk.spec.keys import ChunkKeyEncoding
    >>> as_json(ChunkKeyEncoding("default", "."))
    {'name': 'default', 'configuration': {'separator': '.'}}
    """
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "separator"):
        return {"name": value.name, "configuration": {"separator": value.separator}}
    return value


def given_array(data: Mapping[str, Any]) -> ArrayMetadata:
    """Return the metadata of an array that a caller gives as JSON of its format, without user attributes.

    Raises
    ------
    MetadataError
        No array can be so.

    Examples
    --------
    >>> import zchunk
    >>> found = zchunk.zeros(4, chunks=2).metadata
    >>> given_array(found.to_dict()) == found
    True
    """
    document = json.loads(json.dumps(dict(data), default=as_json))
    version = document.get("zarr_format")
    if version not in (2, 3):
        raise MetadataError(f"the metadata given are of format {version!r:.80}, not 2 or 3")
    document.pop("attributes", None)
    if version == 2:
        # Here, as in zarr 3, what says that there is nothing may be left out.
        document = {"compressor": None, "filters": None, **document}
    raw = json.dumps(document).encode()
    return get_format(version).parse_array(raw, "the metadata given", ".", frozenset())


FORMAT2, FORMAT3 = _Format2(), _Format3()
# What a path without a format is looked for in, one after the other.
FORMATS: tuple[Format, ...] = (FORMAT2, FORMAT3)


def get_format(version: int) -> Format:
    """Return the format of a version."""
    return FORMATS[version - 2]


def formats(version: int | None) -> tuple[Format, ...]:
    """Return the formats that a node may have, where a user says `version`."""
    return FORMATS if version is None else (get_format(version),)


def serializer_of(metadata: ArrayMetadata) -> dict[str, Any] | None:
    """Return the codec from items to bytes as JSON of format 3, None where there is no such codec."""
    if metadata.zarr_format == 2:
        return None
    found: dict[str, Any] = v2.parse_json(v3.render_array(metadata.innermost), NODE_KEY)["codecs"][
        -1 - len(metadata.innermost.compressors)
    ]
    return found


def find(store: Any, path: str, version: int | None = None) -> tuple[Format, NodeType] | None:
    """Return format and kind of the node at `path`, None if there is none."""
    for fmt in formats(version):
        kind = fmt.node_type(store, path)
        if kind is not None:
            return fmt, kind
    return None


def read_array(
    store: Any, path: str, version: int | None, trusted: frozenset[str]
) -> tuple[Format, ArrayMetadata]:
    """Return format and metadata of the array at `path`.

    Raises
    ------
    KeyError
        No array is there.
    MixedFormatsError
        Nodes of both formats are there, and no version is given.
    """
    if version is not None:
        fmt = get_format(version)
        return fmt, fmt.read_array(store, path, trusted)
    try:
        metadata = FORMAT2.read_array(store, path, trusted)
    except KeyError:
        metadata = FORMAT3.read_array(store, path, trusted)
        check_alone(store, path, GROUP_KEY, NODE_KEY)
        return FORMAT3, metadata
    check_alone(store, path, NODE_KEY, ARRAY_KEY)
    return FORMAT2, metadata


def check_group(store: Any, path: str, version: int | None) -> Format:
    """Return the format of the group at `path`. Raises as `read_array`, and `ContainsArrayError`."""
    if version is not None:
        fmt = get_format(version)
        fmt.check_group(store, path)
        return fmt
    try:
        FORMAT2.check_group(store, path)
    except KeyError:
        FORMAT3.check_group(store, path)
        check_alone(store, path, ARRAY_KEY, NODE_KEY)
        return FORMAT3
    check_alone(store, path, NODE_KEY, GROUP_KEY)
    return FORMAT2


def check_alone(store: Any, path: str, other: str, found: str) -> None:
    """Raise `MixedFormatsError` if beside the key `found` of a node there is `other`, of another format.

    Only where that takes no time, in a local folder and in memory: elsewhere it is an access more.
    """
    root = store.root
    if root is not None:
        # No exception, unlike `in`: half the time. A folder of this name is rare enough to look again.
        if not os.access(f"{root}/{path}/{other}", os.F_OK):
            return
    elif not getattr(store, "quick_lookups", False):
        return
    if join(path, other) in store:
        raise MixedFormatsError(
            f"two nodes are at {'/' + path!r} in {store!r}: one of format 2 and one of format 3 ({found!r} "
            f"and {other!r}); choose one with zarr_format=2 or zarr_format=3, and delete the other's key"
        )
