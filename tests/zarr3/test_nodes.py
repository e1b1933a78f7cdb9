"""Arrays and groups of zarr 3: their classes, names, texts, and what groups take a name for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.core.array_config import ArrayConfig, NewNodes
from zchunk.errors import MetadataError
from zchunk.zarr3.defaults import COMPRESSOR
from zchunk.zarr3.nodes import Array, Group, configuration, own_kind, without_consolidated
from zchunk.zarr3.storage import LocalStore, MemoryStore, ZipStore


def test_configuration() -> None:
    new = NewNodes(3, COMPRESSOR, own_kind)
    assert configuration() == ArrayConfig("C", False, True, new, strings=True)
    config = zarr.zeros(4, config={"order": "F"}).config
    assert configuration(config) is config
    assert configuration(ArrayConfig("F", True)).new_nodes == new
    assert zarr.zeros(4, config={"write_empty_chunks": True}).config.write_empty_chunks
    assert zarr.zeros(4, write_empty_chunks=True).config.write_empty_chunks


def test_classes(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path)
    z = group.create_array("a/b", shape=3, dtype="i4")
    found: list[Any] = [z, group["a/b"], zarr.open(f"{tmp_path}/a/b"), z.view()]
    found.append(z.with_config({"order": "F"}))
    assert {type(node) for node in found} == {zarr.Array} == {Array}
    groups: list[Any] = [group, group["a"], group["a"].parent, zarr.open(tmp_path), zarr.group()]
    assert {type(node) for node in groups} == {zarr.Group} == {Group}
    assert isinstance(z, zchunk.Array)
    assert isinstance(group, zchunk.Group)
    # What zchunk itself opens is its own, and equal, whichever comes first.
    own = zchunk.open(f"{tmp_path}/a/b")
    assert type(own) is zchunk.Array
    assert own == found[2]
    assert found[2] == own
    assert type(zchunk.open_group(tmp_path)["a"]) is zchunk.Group


def test_annotations() -> None:
    annotated: Any = zarr.Array
    assert annotated[Any] is zarr.Array


def test_derived_classes() -> None:
    class Own(zchunk.Group):
        pass

    group = zarr.group()
    assert type(Own._of(group._access)) is Own


def test_pickles(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path)
    z = group.create_array("a", shape=3, dtype="i4")
    for node in (group, z):
        again = pickle.loads(pickle.dumps(node))
        assert type(again) is type(node)
        assert again == node
        assert repr(again) == repr(node)


def test_names() -> None:
    z = zarr.zeros(3)
    assert (z.path, z.name, z.basename) == ("", "/", "")
    z = zarr.zeros(3, path="a/b")
    assert (z.name, z.basename) == ("/a/b", "b")
    assert zchunk.zeros(3).name is None


def test_texts(tmp_path: Path) -> None:
    memory = MemoryStore({})
    stores: list[tuple[Any, str]] = [
        (memory, f"memory://{id(memory._mutable_mapping)}"),
        (LocalStore(tmp_path), f"file://{tmp_path}"),
        (ZipStore(tmp_path / "a.zip", mode="w"), f"zip://{tmp_path}/a.zip"),
    ]
    for store, where in stores:
        assert str(store) == where
        group = zarr.group(store)
        assert repr(group) == f"<Group {where}>"
        z = group.create_array("a", shape=(2, 3), dtype="u1")
        assert repr(z) == str(z) == f"<Array {where}/a shape=(2, 3) dtype=uint8>"


def test_paths_are_below_the_group() -> None:
    group = zarr.group({}, path="a")
    assert group.create_group("/b/c").path == "a/b/c"
    assert group["/b"] == group["b"]
    assert "/b/c" in group
    assert "/a/b" not in group
    with pytest.raises(KeyError, match="did you mean 'b/c'"):
        group["/b/cc"]
    del group["/b"]
    assert list(group) == []
    with pytest.raises(TypeError, match="has members by name"):
        group[0:3]


def test_empty() -> None:
    group = zarr.group()
    assert group.empty("a", shape=2, dtype="i4").fill_value == 0
    assert group.empty_like("b", zarr.full(2, 5, dtype="i4"))[:].tolist() == [5, 5]
    assert group.empty_like("c", np.ones(2, "i4"))[:].tolist() == [0, 0]
    assert zarr.empty_like(zarr.full(2, 5, dtype="i4"))[:].tolist() == [5, 5]
    assert zarr.empty_like(np.ones(2, "i4"))[:].tolist() == [0, 0]


def test_class_methods(tmp_path: Path) -> None:
    group = zarr.Group.from_store(tmp_path, attributes={"x": 1})
    assert (type(group), group.zarr_format, dict(group.attrs)) == (Group, 3, {"x": 1})
    assert zarr.Group.from_store({}, zarr_format=2).zarr_format == 2
    assert zchunk.Group.from_store({}).zarr_format == 2
    assert zarr.Group.open(tmp_path) == group
    z = group.create_array("a", shape=3, dtype="i4")
    assert type(zarr.Array.open(z.store_path)) is Array
    with pytest.raises(NotImplementedError, match="give level for less"):
        group.tree(expand=True)


@pytest.mark.parametrize("version", [2, 3])
def test_array_of_a_document(version: int) -> None:
    z = zarr.create_array({}, name="a", data=[1, 2, 3], zarr_format=version, attributes={"x": 1})
    again = zarr.Array.from_dict(z.store_path, z.metadata.to_dict())
    assert type(again) is Array
    assert again[:].tolist() == [1, 2, 3]
    assert again.metadata == z.metadata
    own = zchunk.Array.from_dict(z.store_path, z.metadata.to_dict())
    assert type(own) is zchunk.Array
    for wrong in ({"zarr_format": 4}, {"shape": [-1]}):
        with pytest.raises(MetadataError):
            zarr.Array.from_dict(z.store_path, {**z.metadata.to_dict(), **wrong})


def test_consolidated_metadata_that_are_left_alone(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path)
    group.create_array("a", shape=3, dtype="i4")
    found = zarr.consolidate_metadata(tmp_path)
    for used in (found, zarr.open_group(tmp_path), zarr.open_consolidated(tmp_path)):
        members = used.metadata.consolidated_metadata
        assert members is not None
        assert list(members.metadata) == ["a"]
    assert zarr.open_group(tmp_path, use_consolidated=False).metadata.consolidated_metadata is None
    assert without_consolidated(found).metadata.consolidated_metadata is None


def test_order() -> None:
    z = zarr.zeros((4, 6), config={"order": "F"})
    assert (z.order, z[...].flags.f_contiguous) == ("F", True)
    # It is of this program alone: an array that is like it stores the same.
    again = zarr.from_array({}, data=z)
    assert again.metadata.to_dict()["codecs"] == z.metadata.to_dict()["codecs"]
    assert zarr.zeros((4, 6), order="F", zarr_format=2).order == "F"
