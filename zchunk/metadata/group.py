"""The metadata of a group, as `zchunk.Group.metadata` and zarr 3 have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from zchunk.errors import MetadataError

if TYPE_CHECKING:
    from zchunk.metadata.array import ArrayMetadata
    from zchunk.typing import ZarrFormat


class ConsolidatedMetadata(NamedTuple):
    """The metadata of all that is in a group, as they were when they were collected.

    Parameters
    ----------
    metadata : mapping
        Of the arrays and groups in the group, by their names; a group has those of its members.
    kind : {"inline"}
        Where they are stored.
    must_understand : bool
        Always false: a reader may leave them alone.
    """

    metadata: Mapping[str, ArrayMetadata | GroupMetadata]
    kind: Literal["inline"] = "inline"
    must_understand: bool = False

    @property
    def flattened_metadata(self) -> dict[str, ArrayMetadata | GroupMetadata]:
        """Those of all that is in the group, by their paths below it.

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
                inner = getattr(metadata, "consolidated_metadata", None)
                if inner is not None:
                    todo.append((f"{start}{name}/", inner))
        return found


class GroupMetadata(NamedTuple):
    """The metadata of a group.

    Parameters
    ----------
    attributes : mapping
        User attributes.
    zarr_format : {2, 3}
        Version of the format.
    consolidated_metadata : ConsolidatedMetadata or None
        Those of its members, if they were collected.

    Examples
    --------
    >>> from zchunk.metadata.group import GroupMetadata
    >>> GroupMetadata({"title": "tides"}).to_dict()
    {'attributes': {'title': 'tides'}, 'zarr_format': 3, 'node_type': 'group'}
    """

    attributes: Mapping[str, Any] = {}
    zarr_format: ZarrFormat = 3
    consolidated_metadata: ConsolidatedMetadata | None = None

    @property
    def node_type(self) -> Literal["group"]:
        """What it is the metadata of."""
        return "group"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GroupMetadata:
        """Return the metadata that JSON says, without those of the members.

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
        if data.get("node_type", "group") != "group" or data.get("zarr_format") not in (2, 3):
            raise MetadataError(f"{data!r:.80} are not the metadata of a group of format 2 or 3")
        return cls(dict(data.get("attributes") or {}), data["zarr_format"])

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON, without those of the members.

        Examples
        --------
        >>> from zchunk.metadata.group import GroupMetadata
        >>> GroupMetadata().to_dict()["node_type"]
        'group'
        """
        return {"attributes": dict(self.attributes), "zarr_format": self.zarr_format, "node_type": "group"}
