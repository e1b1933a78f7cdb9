"""The metadata of a group."""

from __future__ import annotations

import zchunk
from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata


def test_members() -> None:
    found = GroupMetadata({"a": 1}, 2)
    assert (found.node_type, found.zarr_format, found.consolidated_metadata) == ("group", 2, None)
    assert found.to_dict() == {"attributes": {"a": 1}, "zarr_format": 2, "node_type": "group"}
    assert ConsolidatedMetadata({"a": found}).kind == "inline"


def test_of_a_group() -> None:
    g = zchunk.group(attributes={"a": 1}, zarr_format=3)
    assert g.metadata == GroupMetadata({"a": 1})
