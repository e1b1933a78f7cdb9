"""The metadata of a group, as `zchunk.Group.metadata` and zarr 3 have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from zchunk.errors import MetadataError
from zchunk.metadata import v3
from zchunk.metadata.formats import given_array

if TYPE_CHECKING:
    from zchunk.metadata.array import ArrayMetadata
    from zchunk.typing import ZarrFormat


# No dataclasses, as `ArrayMetadata` is none: importing what makes these takes longer than all of this.
class _Record:
    """Base of both: equal if they say the same in JSON, and shown as the call that makes them."""

    _fields: ClassVar[tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Record) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({said})"


class ConsolidatedMetadata(_Record):
    """The metadata of all that is in a group, as they were when they were collected.

    Parameters
    ----------
    metadata : mapping
        Of the arrays and groups in the group, by their names; a group has those of its members.
    kind : {"inline"}
        Where they are stored.
    must_understand : bool
        Always false: a reader may leave them alone.

    Examples
    --------
    >>> from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata
    >>> ConsolidatedMetadata({"a": GroupMetadata()}).to_dict()["metadata"]["a"]["node_type"]
    'group'
    """

    _fields = ("metadata", "kind", "must_understand")

    def __init__(
        self,
        metadata: Mapping[str, ArrayMetadata | GroupMetadata],
        kind: Literal["inline"] = "inline",
        must_understand: bool = False,
    ) -> None:
        self.metadata = metadata
        self.kind = kind
        self.must_understand = must_understand

    @property
    def flattened_metadata(self) -> dict[str, ArrayMetadata | GroupMetadata]:
        """Those of all that is in the group, by their paths below it; those of groups without their members'.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> z = zarr.open_group("a.zarr").create_array("b/c", shape=3, dtype="i4")
        >>> list(zarr.consolidate_metadata("a.zarr").metadata.consolidated_metadata.flattened_metadata)
        ['b', 'b/c']
        """
        found: dict[str, ArrayMetadata | GroupMetadata] = {}
        todo = [("", self)]
        for start, one in todo:
            for name, metadata in one.metadata.items():
                found[start + name] = metadata
                if isinstance(metadata, GroupMetadata) and metadata.consolidated_metadata is not None:
                    found[start + name] = metadata._with_members(ConsolidatedMetadata({}))
                    todo.append((f"{start}{name}/", metadata.consolidated_metadata))
        return found

    @classmethod
    def of_paths(cls, found: Mapping[str, ArrayMetadata | GroupMetadata]) -> Self:
        """Return the metadata of nodes by their paths: those of members, with those of their own members.

        Examples
        --------
        >>> from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata
        >>> list(ConsolidatedMetadata.of_paths({"a": GroupMetadata(), "a/b": GroupMetadata()}).metadata)
        ['a']
        """
        below: dict[str, dict[str, Any]] = {}
        own: dict[str, ArrayMetadata | GroupMetadata] = {}
        for path, metadata in found.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = metadata
            else:
                own[name] = metadata
        for name, metadata in own.items():
            if isinstance(metadata, GroupMetadata):
                own[name] = metadata._with_members(cls.of_paths(below.get(name, {})))
        return cls(own)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the metadata that JSON says, as `to_dict` returns it.

        Raises
        ------
        MetadataError
            They are not consolidated metadata.
        TypeError
            They are not mappings.

        Examples
        --------
        >>> from zchunk.metadata.group import ConsolidatedMetadata
        >>> ConsolidatedMetadata.from_dict({"kind": "inline", "metadata": {}}).metadata
        {}
        """
        documents = data.get("metadata")
        if data.get("kind") != "inline":
            raise MetadataError(f"{data!r:.80} are no consolidated metadata of the kind 'inline'")
        if not isinstance(documents, Mapping):
            raise TypeError(f"metadata of consolidated metadata is a mapping of paths, not {documents!r:.80}")
        for path, document in documents.items():
            if not isinstance(document, Mapping):
                raise TypeError(f"consolidated metadata of {path!r} are a mapping, not {document!r:.80}")
        return cls.of_paths({path: _node(document) for path, document in documents.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, those of all nodes by their paths.

        Examples
        --------
        >>> from zchunk.metadata.group import ConsolidatedMetadata
        >>> ConsolidatedMetadata({}).to_dict()
        {'kind': 'inline', 'must_understand': False, 'metadata': {}}
        """
        found = {path: node.to_dict() for path, node in self.flattened_metadata.items()}
        return {"kind": self.kind, "must_understand": self.must_understand, "metadata": found}


class GroupMetadata(_Record):
    """The metadata of a group.

    Parameters
    ----------
    attributes : mapping, optional
        User attributes.
    zarr_format : {2, 3}, optional
        Version of the format.
    consolidated_metadata : ConsolidatedMetadata, optional
        Those of its members, if they were collected.
    extra_fields : mapping, optional
        Further members of the document, in format 3: objects that say ``"must_understand": false``.

    Raises
    ------
    MetadataError
        No group can be so.

    Examples
    --------
    >>> from zchunk.metadata.group import GroupMetadata
    >>> GroupMetadata({"title": "tides"}).to_dict()
    {'attributes': {'title': 'tides'}, 'zarr_format': 3, 'node_type': 'group'}
    """

    _fields = ("attributes", "zarr_format", "consolidated_metadata", "extra_fields")
    # What it is the metadata of.
    node_type: ClassVar[Literal["group"]] = "group"

    def __init__(
        self,
        attributes: Mapping[str, Any] | None = None,
        zarr_format: ZarrFormat = 3,
        consolidated_metadata: ConsolidatedMetadata | None = None,
        extra_fields: Mapping[str, Any] | None = None,
    ) -> None:
        if zarr_format not in (2, 3):
            raise MetadataError(f"zarr_format of a group is 2 or 3, not {zarr_format!r:.80}")
        if extra_fields:
            _check_extra(extra_fields, zarr_format)
        self.attributes: Mapping[str, Any] = {} if attributes is None else attributes
        self.zarr_format = zarr_format
        self.consolidated_metadata = consolidated_metadata
        self.extra_fields: Mapping[str, Any] = {} if extra_fields is None else extra_fields

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the metadata that JSON says, and those of its members if it has them.

        Raises
        ------
        MetadataError
            They are not those of a group.

        Examples
        --------
        >>> from zchunk.metadata.group import GroupMetadata
        >>> GroupMetadata.from_dict({"zarr_format": 3, "node_type": "group"}).attributes
        {}
        """
        version = data.get("zarr_format")
        if data.get("node_type", "group") != "group" or version not in (2, 3):
            raise MetadataError(f"{data!r:.80} are not the metadata of a group of format 2 or 3")
        members = data.get("consolidated_metadata")
        return cls(
            dict(data.get("attributes") or {}),
            version,
            None if members is None else ConsolidatedMetadata.from_dict(members),
            # Readers of format 2 leave alone what they do not know.
            v3.group_extensions(data) if version == 3 else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, with those of the members if it has them.

        Examples
        --------
        >>> from zchunk.metadata.group import GroupMetadata
        >>> GroupMetadata().to_dict()["node_type"]
        'group'
        """
        own = {"attributes": dict(self.attributes), "zarr_format": self.zarr_format, "node_type": "group"}
        members = self.consolidated_metadata
        more = {} if members is None else {"consolidated_metadata": members.to_dict()}
        return {**own, **self.extra_fields, **more}

    def _with_members(self, members: ConsolidatedMetadata) -> Self:
        return type(self)(self.attributes, self.zarr_format, members, self.extra_fields)


def _check_extra(extra_fields: Mapping[str, Any], zarr_format: ZarrFormat) -> None:
    """Raise `MetadataError` if a document of a group cannot have these members."""
    if zarr_format == 2:
        raise MetadataError(f"groups of format 2 have no extra_fields such as {min(extra_fields)!r:.80}")
    if twice := extra_fields.keys() & v3.GROUP_MEMBERS:
        raise MetadataError(f"extra_fields has {min(twice)!r}, a member of every group's metadata")
    v3.group_extensions(extra_fields)


def _node(document: Mapping[str, Any]) -> ArrayMetadata | GroupMetadata:
    """Return the metadata of an array or a group that JSON says."""
    is_array = document.get("node_type") == "array" or "shape" in document
    return given_array(document) if is_array else GroupMetadata.from_dict(document)
