"""zarr 3's methods of groups."""

from __future__ import annotations

from typing import Any

import pytest

import zchunk
from tests.variants import only_v2
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    InvalidKeyError,
)
from zchunk.metadata.group import GroupMetadata

pytestmark = only_v2("the format is of no account, or named")


@pytest.fixture(params=[2, 3])
def group(request: pytest.FixtureRequest) -> zchunk.Group:
    g = zchunk.group(zarr_format=request.param, attributes={"x": 1})
    g.zeros("a", shape=3)
    g.zeros("b/c/d", shape=3)
    return g


def test_members(group: zchunk.Group) -> None:
    assert [path for path, _ in group.members()] == ["a", "b"]
    assert [path for path, _ in group.members(1)] == ["a", "b", "b/c"]
    paths = [path for path, _ in group.members(max_depth=None)]
    assert paths == ["a", "b", "b/c", "b/c/d"]
    assert dict(group.members(None))["b/c/d"] == group["b/c/d"]
    assert [group.nmembers(), group.nmembers(1), group.nmembers(None)] == [2, 3, 4]
    with pytest.raises(ValueError, match="max_depth"):
        group.members(-1)
    assert list(group.array_values()) == [group["a"]]
    assert list(group.group_values()) == [group["b"]]


def test_get(group: zchunk.Group) -> None:
    assert group.get_array("b/c/d") == group["b/c/d"]
    assert group.get_group("b/c") == group["b/c"]
    with pytest.raises(ContainsGroupError):
        group.get_array("b")
    with pytest.raises(ContainsArrayError):
        group.get_group("a")
    with pytest.raises(ArrayNotFoundError):
        group.get_array("no")
    with pytest.raises(GroupNotFoundError):
        group.get_group("no")


def test_require_array(group: zchunk.Group) -> None:
    assert group.require_array("a", shape=3) == group["a"]
    with pytest.raises(TypeError):
        group.require_array("a", shape=4)
    assert group.require_array("e", shape=4, dtype="i4", chunks=(2,)).chunks == (2,)


def test_metadata(group: zchunk.Group) -> None:
    assert group.metadata == GroupMetadata({"x": 1}, group.zarr_format)
    assert group["b"].metadata == GroupMetadata({}, group.zarr_format)
    done = zchunk.consolidate_metadata(group.store)
    for found in (done, zchunk.open_group(group.store)):
        members = found.metadata.consolidated_metadata
        assert members is not None
        assert list(members.flattened_metadata) == ["a", "b", "b/c", "b/c/d"]
        assert members.metadata["a"] is group["a"].metadata or members.metadata["a"].shape == (3,)
    below = done["b"].metadata.consolidated_metadata
    assert (list(below.metadata), list(below.flattened_metadata)) == (["c"], ["c", "c/d"])


def test_attributes_and_info(group: zchunk.Group) -> None:
    assert group.update_attributes({"y": 2}) is group
    assert group.attrs.asdict() == {"x": 1, "y": 2}
    assert repr(group.info_complete()) == repr(group.info)
    assert group["b"].store_path.path == "b"


def test_opening(group: zchunk.Group) -> None:
    assert zchunk.Group.open(group.store) == group
    with pytest.raises(ContainsGroupError):
        zchunk.Group.from_store(group.store)
    new = zchunk.Group.from_store({}, attributes={"z": 1}, zarr_format=3)
    assert (new.attrs["z"], new.zarr_format) == (1, 3)
    assert list(zchunk.Group.from_store(group.store, zarr_format=3, overwrite=True)) == []


def test_create_hierarchy(group: zchunk.Group) -> None:
    version: Any = group.zarr_format
    nodes = {"e/f": GroupMetadata({"k": 1}, version), "g": group["a"]}
    made = dict(group.create_hierarchy(nodes))
    assert list(made) == ["e", "g", "e/f"]
    assert made["e/f"].attrs["k"] == 1
    assert group["g"].metadata.to_dict() == group["a"].metadata.to_dict()
    with pytest.raises(ContainsArrayError):
        group.create_hierarchy({"h": group["a"], "g": group["a"]})
    assert "h" not in group
    assert list(dict(group["b"].create_hierarchy({"c": GroupMetadata({}, version)}, overwrite=True))) == ["c"]
    assert list(group["b/c"]) == []


def test_a_hierarchy_does_not_replace_its_group(group: zchunk.Group) -> None:
    before = group.nmembers(None)
    for overwrite in (True, False):
        with pytest.raises(InvalidKeyError, match="the group itself"):
            group.create_hierarchy({"": GroupMetadata(zarr_format=group.zarr_format)}, overwrite=overwrite)
    assert group.nmembers(None) == before > 0
