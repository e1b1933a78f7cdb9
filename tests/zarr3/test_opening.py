"""Opening arrays and groups with zarr 3's signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.errors import (
    ArrayNotFoundError,
    ConsolidatedMetadataNotFoundError,
    NodeNotFoundError,
    PathNotFoundError,
    ReadOnlyError,
)
from zchunk.storage import ConsolidatedMetadataStore


def test_open(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(NodeNotFoundError):
        zarr.open(path, mode="r")
    assert isinstance(zarr.open(path), zarr.Group)
    z = zarr.open(path, path="x", shape=4, dtype="i4")
    assert isinstance(z, zarr.Array)
    assert (z.zarr_format, z.write_empty_chunks) == (3, False)
    again: Any = zarr.open(path, path="x", config={"read_missing_chunks": False})
    assert again.config.read_missing_chunks is False
    assert zarr.open(path, path="x", mode="r").read_only


def test_open_array_makes_none_without_a_mode_or_shape(tmp_path: Path) -> None:
    with pytest.raises(ArrayNotFoundError):
        zarr.open_array(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    z = zarr.open_array(tmp_path / "a", mode="w", shape=4, dtype="i4")
    z[:] = 5
    assert zarr.open_array(tmp_path / "a")[:].tolist() == [5] * 4
    assert zarr.open_like(z, tmp_path / "b").dtype == z.dtype


def test_groups(tmp_path: Path) -> None:
    g = zarr.open_group(tmp_path / "a", attributes={"x": 1})
    assert (g.zarr_format, g.attrs["x"]) == (3, 1)
    assert zarr.group(tmp_path / "a") == g
    assert "x" not in zarr.group(tmp_path / "a", overwrite=True).attrs
    old = zarr.open_group(tmp_path / "b", zarr_format=2, cache_attrs=None)
    assert (old.zarr_format, zarr.open_group(tmp_path / "b").zarr_format) == (2, 2)


def test_places_in_stores() -> None:
    g = zarr.group({})
    g.create_array("a/b", shape=3, dtype="i4")
    place = zarr.storage.StorePath(g.store, "a")
    assert sorted(zarr.open_group(place)) == ["b"]
    assert zarr.open_array(place / "b").path == "a/b"
    assert zarr.open_array(place, path="b").path == "a/b"
    assert zarr.create_array(place / "c", shape=2).path == "a/c"
    assert zarr.create_array(place, name="d", shape=2).path == "a/d"
    assert g["a"].store_path == place


def test_stores_that_are_read_only(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=3, dtype="i4")
    store = zarr.storage.LocalStore(tmp_path / "a", read_only=True)
    for z in (zarr.open(store), zarr.open_array(store), zarr.open_array(store, mode="r")):
        assert z.read_only
        with pytest.raises(ReadOnlyError):
            z[:] = 1
    with pytest.raises(ReadOnlyError):
        zarr.create_array(store, shape=3, overwrite=True)


@pytest.mark.parametrize("version", [2, 3])
def test_consolidated(version: Any) -> None:
    store: dict[str, Any] = {}
    g = zarr.group(store, zarr_format=version)
    g.create_array("a", shape=3, dtype="i4")
    g.create_group("b", attributes={"x": 1}).create_array("c", shape=2)
    with pytest.raises(ConsolidatedMetadataNotFoundError):
        zarr.open_group(store, use_consolidated=True)
    assert zarr.open_group(store).metadata.consolidated_metadata is None
    done = zarr.consolidate_metadata(store)
    assert not done.read_only
    found = done.metadata.consolidated_metadata
    assert found is not None
    assert list(found.flattened_metadata) == ["a", "b", "b/c"]
    assert found.metadata["b"].attributes == {"x": 1}  # type: ignore[union-attr]
    for how in ({"mode": "r"}, {"use_consolidated": True}, {"use_consolidated": True, "mode": "r+"}):
        opened = zarr.open_group(store, **how)  # type: ignore[arg-type]
        assert isinstance(opened.store, ConsolidatedMetadataStore)
        assert opened["b/c"].shape == (2,)
        assert opened["b"].metadata.consolidated_metadata is not None
    for how in ({}, {"mode": "r", "use_consolidated": False}):
        assert not isinstance(zarr.open_group(store, **how).store, ConsolidatedMetadataStore)  # type: ignore[arg-type]
    assert sorted(zarr.open_consolidated(store)) == ["a", "b"]
    with pytest.raises(TypeError, match="open_group"):
        zarr.open_consolidated(store, use_consolidated=False)
    if version == 2:
        assert sorted(zarr.open_group(store, use_consolidated=".zmetadata")) == ["a", "b"]


def test_consolidating_an_array() -> None:
    z = zarr.create_array({}, shape=3)
    with pytest.raises(PathNotFoundError, match="nothing to consolidate"):
        zarr.consolidate_metadata(z.store)


def test_load_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(NodeNotFoundError):
        zarr.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["AsyncArray", "AsyncGroup"])
def test_what_belongs_to_coroutines_says_what_to_use(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"Use {name.removeprefix('Async')}.*asyncio\.to_thread"):
        getattr(zarr, name)


def test_all_names_are_there() -> None:
    for name in zarr.__all__:
        assert getattr(zarr, name) is not None
    assert dir(zarr) == zarr.__all__
    assert issubclass(zarr.Array, zchunk.Array)
    with pytest.raises(AttributeError, match="no_such"):
        zarr.no_such  # noqa: B018


def test_open_uses_consolidated_metadata_as_open_group_does(tmp_path: Path) -> None:
    g = zarr.group(tmp_path / "a")
    g.create_array("x", shape=3, dtype="i4")
    with pytest.raises(ConsolidatedMetadataNotFoundError):
        zarr.open(tmp_path / "a", use_consolidated=True)
    zarr.consolidate_metadata(tmp_path / "a")
    g.create_array("y", shape=3, dtype="i4")
    names = {}
    for use in (None, True, False):
        for mode in ("r", "a"):
            found: Any = zarr.open(tmp_path / "a", mode=mode, use_consolidated=use)  # type: ignore[arg-type]
            names[use, mode] = sorted(found)
    assert [names[use, "r"] for use in (None, True, False)] == [["x"], ["x"], ["x", "y"]]
    assert [names[use, "a"] for use in (None, True, False)] == [["x", "y"], ["x"], ["x", "y"]]
    z: Any = zarr.open(tmp_path / "a", path="x", use_consolidated=False)
    assert z.shape == (3,)


@pytest.mark.parametrize("version", [2, 3])
def test_open_a_group_of_a_format(version: Any, tmp_path: Path) -> None:
    zarr.create_group(tmp_path, zarr_format=version)
    assert isinstance(zarr.open(tmp_path, zarr_format=version), zarr.Group)
    assert isinstance(zarr.open(tmp_path, mode="r", zarr_format=version), zarr.Group)
    with pytest.raises(NodeNotFoundError):
        zarr.open(tmp_path / "no", mode="r", zarr_format=version)
    z: Any = zarr.open(tmp_path / "a", shape=(4, 6), config={"order": "F"}, zarr_format=version)
    assert z[...].flags.f_contiguous


@pytest.mark.parametrize("mode", ["a", "w", "w-", "r+"])
@pytest.mark.parametrize("exists", [True, False])
def test_open_takes_a_config_for_arrays_only(mode: Any, exists: bool) -> None:
    store = zarr.storage.MemoryStore({})
    if exists:
        zarr.create_group(store, attributes={"x": 1})
    before = dict(store)
    with pytest.raises(NodeNotFoundError if mode == "r+" and not exists else TypeError):
        zarr.open(store, mode=mode, config={"order": "F"})
    assert dict(store) == before
    z: Any = zarr.open(store, mode="w", shape=3, config={"order": "F"})
    again: Any = zarr.open(store, mode="a", config={"order": "F"})
    assert (z.config.order, again.config.order) == ("F", "F")


@pytest.mark.parametrize("source", [2, 3])
@pytest.mark.parametrize("target", [None, 2, 3])
def test_open_like_has_no_format_of_the_source(source: Any, target: Any) -> None:
    a = zarr.zeros(4, dtype="i4", zarr_format=source)
    store = zarr.storage.MemoryStore({})
    if target is not None:
        zarr.create_array(store, name="x", shape=4, dtype="i4", zarr_format=target)
    assert zarr.open_like(a, path="x", store=store).zarr_format == (target or 3)
    # Without a store it is the place.
    place = zarr.storage.MemoryStore({})
    assert zarr.open_like(a, place).path == ""
    with pytest.raises(NodeNotFoundError):
        zarr.open_like(a, path="y", store=store, mode="r")
