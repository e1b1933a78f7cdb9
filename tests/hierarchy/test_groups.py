"""Groups: members by path, making and deleting them, listing, pickling."""

from __future__ import annotations

import pickle
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import Variant, only_v2
from zchunk.errors import (
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    InvalidKeyError,
    MetadataError,
    ReadOnlyError,
)

pytestmark = pytest.mark.usefixtures("variant")


@pytest.fixture(params=["memory", "folder", "dict", "zip"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    kinds = {
        "memory": zchunk.MemoryStore,
        "folder": lambda: tmp_path / "g",
        "dict": dict,
        "zip": lambda: zchunk.ZipStore(tmp_path / "g.zip"),
    }
    return kinds[request.param]()


def test_members(store: Any) -> None:
    g = zchunk.group(store)
    b = g.create("a/b", shape=3, dtype="i2")
    g.create_group("c/d")
    assert g["a/b"] == b == g["a"]["b"] == g["/a/b"] == g.a.b == g["c/d"]["/a/b"] == g["a//b/"]
    assert (g["a"].path, g["a"].name, g["a"].basename, g.name, g.basename, g.path) == (
        "a",
        "/a",
        "a",
        "/",
        "",
        "",
    )
    assert g["c"]["/"] == g
    assert (sorted(g), len(g), sorted(g["c"])) == (["a", "c"], 2, ["d"])
    assert "a" in g
    assert "a/b" in g
    assert "b" not in g
    assert "/a/b" in g["c"]
    assert 3 not in g
    assert list(g.array_keys()) == []
    assert sorted(g.group_keys()) == ["a", "c"]
    assert list(g["a"].arrays()) == [("b", b)]
    assert [name for name, _ in g.groups()] == sorted(g.group_keys())
    assert isinstance(g, Mapping)
    assert dict(g["a"].items()) == {"b": b}
    assert g.get("nope", 7) == 7
    assert {"a", "c", "create", "attrs"} <= set(dir(g))


@pytest.mark.parametrize("name", ["nope", "a/nope", "a/b/c", "/nope"])
def test_no_member(name: str) -> None:
    g = zchunk.group()
    g.create("a/b", shape=3)
    with pytest.raises(KeyError, match=r"nope|a/b/c"):
        g[name]
    with pytest.raises(KeyError):
        del g[name]
    with pytest.raises(AttributeError, match="nope"):
        _ = g.nope
    assert not hasattr(g, "..")
    assert not hasattr(g, "_nope")


@pytest.mark.parametrize("name", ["..", "a/../b", "./a", "a\0b", "/../x"])
def test_paths_that_escape(name: str, variant: Variant, tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path / "g")
    for call in (
        g.__getitem__,
        g.create_group,
        g.require_group,
        g.__delitem__,
        lambda n: g.create(n, shape=1),
    ):
        with pytest.raises(InvalidKeyError):
            call(name)
    with pytest.raises(InvalidKeyError):
        zchunk.open_group(tmp_path / "g", path=name)
    assert [p.name for p in tmp_path.iterdir()] == ["g"]
    assert [p.name for p in (tmp_path / "g").iterdir()] == [variant.group_key]
    # The fixture wants to see one.
    g.create("a", shape=1)


def test_making_and_replacing(store: Any) -> None:
    g = zchunk.group(store)
    a = g.create_group("a")
    a.create("x", shape=1)
    with pytest.raises(ContainsGroupError):
        g.create_group("a")
    with pytest.raises(ContainsGroupError):
        g.create("a", shape=1)
    with pytest.raises(ContainsArrayError):
        g.create_group("a/x")
    with pytest.raises(ContainsArrayError):
        g.require_group("a/x")
    with pytest.raises(ContainsArrayError):
        g.create("a/x/below", shape=1)
    with pytest.raises(ContainsGroupError):
        g.create_group("")
    assert g.require_group("a") == a
    # As in zarr 2, `overwrite` is about an array in the way; a group that is there stays.
    assert list(g.require_group("a", overwrite=True)) == ["x"]
    assert isinstance(g.require_group("a/x", overwrite=True), zchunk.Group)
    assert len(g.create_group("a", overwrite=True)) == 0


def test_assigning_and_deleting(store: Any) -> None:
    g = zchunk.group(store)
    g["a/b"] = np.arange(3)
    g["a/b"] = [1.5]
    assert g["a/b"][...].tolist() == [1.5]
    del g["a/b"]
    assert "a/b" not in g
    assert "a" in g
    g["c"] = 1
    del g["/a"]
    assert list(g) == ["c"]
    for name in ("", "/"):
        with pytest.raises((ValueError, KeyError)):
            del g[name]
    assert list(g) == ["c"]


def test_assigning_what_is_replaced(store: Any) -> None:
    g = zchunk.group(store)
    g["x"] = zchunk.array(np.arange(6), chunks=2)
    g["x"] = g["x"]
    assert (g["x"][...].tolist(), g["x"].chunks) == ([0, 1, 2, 3, 4, 5], (2,))
    g.array("y/z", g["x"])
    g["y"] = g["y/z"]
    assert g["y"][...].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError):
        g.array("x", ["a"], dtype="i4", overwrite=True)
    assert g["x"].shape == (6,)


@pytest.mark.parametrize(
    "name",
    [
        ".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json", "a/zarr.json/b", "a/.zattrs/b",
        "/.zgroup", "x.partial", "x.partial/a",
    ],
)  # fmt: skip
def test_names_that_are_the_stores_own(name: str, variant: Variant, store: Any) -> None:
    g = zchunk.group(store)
    for call in (
        lambda: g.create_group(name), lambda: g.require_group(name), lambda: g.create(name, shape=1),
        lambda: g.__setitem__(name, [1]), lambda: zchunk.group(g.store, path=name),
    ):  # fmt: skip
        with pytest.raises(InvalidKeyError, match="own use"):
            call()
    assert list(g.store) == [variant.group_key]
    assert name not in g
    assert list(g.create_group("partial")) == []
    g.create("partial/a", shape=1)


def test_listing_the_groups_below_too(store: Any) -> None:
    g = zchunk.group(store)
    for name in ("b", "c/a", "c/d/e", "f/a"):
        g.create(name, shape=1)
    assert list(g.array_keys()) == list(g.array_keys(recurse=False)) == ["b"]
    assert list(g.array_keys(recurse=True)) == ["b", "a", "e", "a"]
    found = list(g.arrays(recurse=True))
    assert [(name, z.path) for name, z in found] == [("b", "b"), ("a", "c/a"), ("e", "c/d/e"), ("a", "f/a")]


def test_create_takes_the_parameters_of_create(variant: Variant) -> None:
    locks: dict[str, Any] = defaultdict(threading.Lock)
    g = zchunk.group({}, chunk_store={}, synchronizer=locks, cache_attrs=False)
    a = g.create(
        "a", shape=4, chunks=2, dtype="i2", fill_value=3, order="F", compressor=None, write_empty_chunks=False
    )
    assert (a.chunks, a.fill_value, a.order, a.compressor, a.write_empty_chunks) == (
        (2,),
        3,
        # With one axis, format 3 knows of none.
        "F" if variant.kind == "v2" else "C",
        None,
        False,
    )
    assert (a.chunk_store, a.synchronizer, a.attrs.cache) == (g.chunk_store, locks, False)
    b = g.array("b", a, chunks=None)
    assert (b.chunks, b.chunk_store) == ((2,), g.chunk_store)
    assert g["a"].synchronizer is locks
    with pytest.raises(TypeError):
        g.create("c", shape=1, nope=1)


def test_members_in_a_chunk_store(variant: Variant) -> None:
    meta: dict[str, bytes] = {}
    chunks: dict[str, bytes] = {}
    g = zchunk.group(meta, chunk_store=chunks)
    g["a"] = [1, 2]
    assert set(meta) == {variant.group_key, f"a/{variant.array_key}"}
    assert set(chunks) == {f"a/{variant.chunk(0)}"}
    assert g["a"][...].tolist() == [1, 2]
    del g["a"]
    assert chunks == {}


def test_read_only(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path)["a/b"] = [1]
    g = zchunk.open_group(tmp_path, "r")
    for call in (
        lambda: g.create("x", shape=1), lambda: g.create_group("x"), lambda: g.require_group("x"),
        lambda: g.__setitem__("x", 1), lambda: g.__delitem__("a"), lambda: g.attrs.put({"x": 1}),
        lambda: g["a/b"].__setitem__(0, 1), lambda: g["a"].create("x", shape=1), lambda: g.array("x", [1]),
        lambda: g.create_group("a", overwrite=True), lambda: g.clear(),
    ):  # fmt: skip
        with pytest.raises(ReadOnlyError):
            call()
    assert g.require_group("a").read_only
    assert "read-only" in repr(g)
    assert g["a/b"][...].tolist() == [1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int, tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path, path="x/y")
    g["a"] = [1, 2]
    copied = pickle.loads(pickle.dumps(g, protocol))
    assert copied == g
    assert copied["a"][...].tolist() == [1, 2]
    assert copied != zchunk.open_group(tmp_path, "r", path="x/y")
    assert repr(copied) == "<zchunk.hierarchy.Group '/x/y'>"


@only_v2("metadata of format 2")
def test_what_is_no_group() -> None:
    with pytest.raises(GroupNotFoundError):
        zchunk.Group({})
    with pytest.raises(ContainsArrayError):
        zchunk.Group(zchunk.zeros(3).store)
    for raw in (b"", b"{}", b'{"zarr_format": 3}', b"[]"):
        with pytest.raises(MetadataError, match="zgroup"):
            zchunk.open_group({".zgroup": raw}, "r")


def test_foreign_files_are_no_members(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path)
    g["a"] = [1]
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    assert list(g) == ["a"]


def test_parents() -> None:
    root = zchunk.group()
    root.zeros("a/b/x", shape=3)
    member = root["a/b"]
    assert member.parent == root["a"]
    assert member.parent.parent == root
    assert root.parent == root


def test_flush_and_close(tmp_path) -> None:
    g = zchunk.open_group(tmp_path / "a.zip", mode="w")
    g.create("x", data=[1, 2])
    g.flush()
    assert zchunk.open(tmp_path / "a.zip", "r")["x"][:].tolist() == [1, 2]
    g.close()
    with pytest.raises(zchunk.errors.StoreError):
        g["x"]
