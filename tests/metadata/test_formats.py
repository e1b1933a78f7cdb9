"""Which format a node has: found with few accesses, told apart, inherited, never mixed."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import errors
from zchunk.storage import KVStore, MemoryStore, contains_array, contains_group, init_array, init_group


class Counting(MemoryStore):
    """Counts what is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.quick_lookups = False

    def __getitem__(self, key: str) -> bytes:
        self.asked[key] += 1
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked[str(key)] += 1
        return super().__contains__(key)


def asked_for(store: Counting, call: Any) -> dict[str, int]:
    store.asked.clear()
    call()
    return dict(store.asked)


def test_opening_asks_for_no_more_than_it_must() -> None:
    for version, key in ((2, ".zarray"), (3, "zarr.json")):
        store = Counting()
        zchunk.group(store, zarr_format=version).zeros("a", shape=2)
        found = asked_for(store, lambda s=store: zchunk.open(s, "r", path="a"))
        assert found == {"a/.zarray": 1, f"a/{key}": 1}
        only = asked_for(store, lambda s=store, v=version: zchunk.open(s, "r", path="a", zarr_format=v))
        assert only == {f"a/{key}": 1}
        g = zchunk.open_group(store)
        # What is in a group has its format.
        assert asked_for(store, lambda g=g: g["a"]) == {f"a/{key}": 1}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_found_when_opened_and_inherited_in_groups(version: int, name: str, tmp_path: Path) -> None:
    store = zchunk.storage.open_store(tmp_path / name)
    g = zchunk.open_group(store, zarr_format=version, attributes={"x": 1})
    g.create("a/b", shape=2, attributes={"y": [1, None]})
    g.require_group("c")
    zchunk.create(3, store=store, path="d/e")
    zchunk.open_array(store, path="f", shape=2)
    zchunk.group(store, path="h/i")
    init_array(store, 3, path="j")
    init_group(store, path="k")
    zchunk.array([1], store=store, path="l", attributes={"z": 2})
    assert {node.zarr_format for node in g.values()} == {version}
    assert [node.zarr_format for node in (g["a/b"], g["d/e"], g["h/i"])] == [version] * 3
    assert (g._version, g["f"]._version, g["f"].metadata.zarr_format) == (version,) * 3
    assert g.attrs.asdict() == {"x": 1}
    assert zchunk.open(store, path="a/b").attrs.asdict() == {"y": [1, None]}
    assert zchunk.open(store, path="l").attrs.asdict() == {"z": 2}
    keys = {key.rpartition("/")[2] for key in store}
    assert ("zarr.json" in keys, ".zgroup" in keys) == (version == 3, version == 2)
    for asked in ({"zarr_format": version}, {"zarr_version": version}):
        assert zchunk.open(store, path="a/b", **asked) == g["a/b"]
        assert zchunk.open_group(store, "r", **asked).zarr_format == version
    assert contains_array(store, "a/b")
    assert contains_group(store, "a")
    assert not contains_group(store, "a/b")
    assert not contains_array(store, "a", zarr_format=version)


@pytest.mark.parametrize(("there", "asked"), [(2, 3), (3, 2)])
def test_what_is_of_the_other_format(there: int, asked: int, tmp_path: Path) -> None:
    g = zchunk.group(tmp_path, zarr_format=there)
    g.zeros("a", shape=2)
    files = sorted(tmp_path.rglob("*"))
    for call in (
        lambda **k: zchunk.open(tmp_path, "r", **k),
        lambda **k: zchunk.open(tmp_path, "r", path="a", **k),
        lambda **k: zchunk.open_group(tmp_path, "r+", **k),
        lambda **k: zchunk.open_array(tmp_path, "r", path="a", **k),
        lambda **k: zchunk.Array(tmp_path_store(tmp_path), "a", **k),
        lambda **k: zchunk.Group(tmp_path_store(tmp_path), **k),
    ):
        with pytest.raises(errors.NodeNotFoundError):
            call(zarr_format=asked)
    for call in (
        lambda **k: zchunk.open_group(tmp_path, "a", **k),
        lambda **k: zchunk.group(tmp_path, **k),
        lambda **k: zchunk.create(3, store=tmp_path, path="a", **k),
        lambda **k: zchunk.open_array(tmp_path, path="a", shape=3, **k),
    ):
        with pytest.raises(errors.ContainsNodeError):
            call(zarr_format=asked)
    for call in (
        lambda **k: zchunk.create(3, store=tmp_path, path="b/c", **k),
        lambda **k: zchunk.create(3, store=tmp_path, path="a", overwrite=True, **k),
        lambda **k: zchunk.group(tmp_path, path="d", **k),
        lambda **k: g.create("e", shape=2, **k),
        lambda **k: zchunk.save(tmp_path, [1], path="f", **k),
    ):
        with pytest.raises(errors.MixedFormatsError, match=f"format {asked}.*is of format {there}"):
            call(zarr_format=asked)
    assert sorted(tmp_path.rglob("*")) == files
    # The root itself may be replaced.
    assert zchunk.group(tmp_path, overwrite=True, zarr_format=asked).zarr_format == asked
    assert list(zchunk.open(tmp_path)) == []


def tmp_path_store(path: Path) -> Any:
    return zchunk.DirectoryStore(path)


@pytest.mark.parametrize("kind", ["folder", "memory", "dict"])
def test_two_nodes_at_one_path(kind: str, tmp_path: Path) -> None:
    def store() -> Any:
        return {"folder": zchunk.DirectoryStore(tmp_path), "memory": MemoryStore()}.get(kind) or KVStore({})

    nodes = {
        "array": lambda **k: zchunk.zeros(3, **k), "group": lambda **k: zchunk.group(**k)
    }  # fmt: skip
    for first in nodes:
        for second in nodes:
            both, other = store(), MemoryStore()
            both.clear()
            old = nodes[first](store=both, zarr_format=2)
            nodes[second](store=other, zarr_format=3)
            both["zarr.json"] = other["zarr.json"]
            for mode in ("r", "r+", "a"):
                with pytest.raises(
                    errors.MixedFormatsError, match=r"zarr\.json.*zarr_format=2 or zarr_format=3"
                ):
                    zchunk.open(both, mode)
            for version, what in ((2, first), (3, second)):
                found = zchunk.open(both, zarr_format=version)
                assert (found.zarr_format, isinstance(found, zchunk.Array)) == (version, what == "array")
                if kind == "folder":
                    assert pickle.loads(pickle.dumps(found)).zarr_format == version
            assert old.zarr_format == 2


def test_versions_that_are_none() -> None:
    for wrong in ({"zarr_format": 1}, {"zarr_version": 4}, {"zarr_format": True}, {"zarr_format": "3"}):
        with pytest.raises(ValueError, match="zarr_format is"):
            zchunk.create(3, **wrong)
    with pytest.raises(ValueError, match="give one"):
        zchunk.group(zarr_version=2, zarr_format=3)
    assert zchunk.zeros(2, zarr_version=3, zarr_format=3).zarr_format == 3


def test_n5_is_of_format_2(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        zchunk.create(3, store=tmp_path / "a.n5", path="x", zarr_format=3)


def test_resizing_and_fill_values_keep_the_rest_of_the_document(tmp_path: Path) -> None:
    z = zchunk.zeros((4, 4), chunks=2, store=tmp_path, zarr_format=3, dimension_names=["a", None])
    other = zchunk.open(tmp_path)
    for n in range(3):
        z.attrs[f"k{n}"] = n
        other.append(np.ones((2, 4)))
        z.refresh()
        z.resize(None, 3)
        z.resize(None, 4)
    z.fill_value = 5
    z.attrs["last"] = 1
    again = zchunk.open(tmp_path)
    assert again.attrs.asdict() == {"k0": 0, "k1": 1, "k2": 2, "last": 1}
    assert (again.shape, again.fill_value, again.dimension_names) == ((10, 4), 5, ("a", None))
    with pytest.raises(ValueError, match="fill_value"):
        z.fill_value = None
    assert z.fill_value == zchunk.open(tmp_path).fill_value == 5


def test_listing_moving_and_deleting(tmp_path: Path) -> None:
    g = zchunk.group(tmp_path, zarr_format=3)
    g["a/b"] = np.arange(5)
    g.create_group("c/d")
    assert (list(g), list(g.array_keys(recurse=True)), list(g.group_keys())) == (
        ["a", "c"],
        ["b"],
        ["a", "c"],
    )
    assert repr(g.tree()) == "/\n ├── a\n │   └── b (5,) int64\n └── c\n     └── d"
    g.move("a/b", "c/e/f")
    assert g["c/e/f"][:].tolist() == [0, 1, 2, 3, 4]
    assert g["c/e"].zarr_format == 3
    zchunk.storage.rename(g.store, "c", "x")
    del g["a"]
    assert (list(g), "x/e/f" in g, "a" in g) == (["x"], True, False)
    # What cannot be read can be deleted.
    g.store["y/zarr.json"] = b"nonsense"
    with pytest.raises(errors.MetadataError):
        g["y"]
    del g["y"]
    assert list(g) == ["x"]
