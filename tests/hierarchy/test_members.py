"""Members of groups: visiting them, completing and looking up their names."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zchunk
from zchunk.errors import MemberNotFoundError

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.fixture
def g() -> zchunk.Group:
    g = zchunk.group(path="top")
    for name in ("b", "a/y", "a/x/z"):
        g.create(name, shape=1)
    g.create_group("c")
    return g


PATHS = ["a", "a/x", "a/x/z", "a/y", "b", "c"]


def test_visiting(g: zchunk.Group) -> None:
    for visit in (g.visit, g.visitkeys):
        seen: list[Any] = []
        assert visit(seen.append) is None
        assert seen == PATHS
    seen = []
    assert g.visitvalues(seen.append) is None
    assert seen == [g[path] for path in PATHS]
    seen = []
    assert g.visititems(lambda path, node: seen.append((path, node))) is None
    assert seen == [(path, g[path]) for path in PATHS]
    seen = []
    g["a"].visit(seen.append)
    assert seen == ["x", "x/z", "y"]
    seen = []
    zchunk.open_group(g.store).visit(seen.append)
    assert seen == ["top", *(f"top/{path}" for path in PATHS)]


@pytest.mark.parametrize("result", [True, False, 0, "found"])
def test_visiting_ends_with_what_is_not_none(g: zchunk.Group, result: Any) -> None:
    seen = []

    def visitor(path: str, *node: Any) -> Any:
        seen.append(path)
        return result if path == "a/x" else None

    for visit in (g.visit, g.visititems):
        seen.clear()
        assert visit(visitor) is result
        assert seen == ["a", "a/x"]
    assert g.visitvalues(lambda node: result if node.path == "top/a/x" else None) is result


def test_names_to_complete(g: zchunk.Group) -> None:
    g.create_groups("123", "class", "asdf;", "fine", "_own")
    assert {"123", "class", "asdf;", "fine", "a", "_own"} <= set(g._ipython_key_completions_())
    assert {"fine", "a", "_own", "create_dataset"} <= set(dir(g))
    assert {"123", "class", "asdf;"}.isdisjoint(dir(g))


def test_members_whose_names_begin_with_an_underscore(g: zchunk.Group) -> None:
    own = g.create_group("_own")
    assert g._own == own
    assert not hasattr(g, "_other")


REPRS = ["html", "json", "javascript", "markdown", "svg", "png", "jpeg", "latex", "pdf", "mimebundle"]


class Counting(dict[str, bytes]):
    """A store that counts how often it is asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return super().__contains__(key)

    def __getitem__(self, key: str) -> bytes:
        self.asked += 1
        return super().__getitem__(key)


def test_what_ipython_and_numpy_ask_for_is_not_looked_up() -> None:
    store = Counting()
    g = zchunk.group(store)
    store.asked = 0
    for name in REPRS:
        assert getattr(g, f"_repr_{name}_")() is None
    for name in ("_ipython_display_", "_ipython_canary_method_should_not_exist_", "__array_interface__"):
        assert not hasattr(g, name)
    assert store.asked == 0
    assert not hasattr(g, "member")
    assert store.asked > 0


@pytest.mark.format2
def test_the_methods_of_a_mapping(g: zchunk.Group) -> None:
    g.update({"new/one": [1], "b": [2.5]}, two=[3])
    assert (g["new/one"][0], g["b"][0], g["two"][0]) == (1, 2.5, 3)
    assert g.setdefault("two", [4])[0] == 3
    g.setdefault("three", [4])
    assert g["three"][0] == 4
    with pytest.raises(KeyError):
        g.pop("nope")
    assert g.pop("nope", 5) == 5
    assert [name for name, _ in g.items()] == list(g.keys()) == ["a", "b", "c", "new", "three", "two"]
    assert list(g.values()) == [g[name] for name in g]
    g.clear()
    assert len(g) == 0
    assert g.store.list_dir("top") == [".zgroup"]


def test_a_subclass_has_members_of_its_kind() -> None:
    class Mine(zchunk.Group):
        pass

    store = zchunk.group().store
    g = Mine(store)
    made: list[Callable[[], zchunk.Group]] = [
        lambda: g.create_group("a"), lambda: g["a"], lambda: g.require_group("a"), lambda: next(g.groups())[1]
    ]  # fmt: skip
    assert all(type(make()) is Mine for make in made)


@pytest.mark.one_in(2)
def test_hierarchies_deeper_than_python_nests() -> None:
    g = zchunk.group()
    path = "/".join("a" * 1050)
    g.create(f"{path}/z", shape=1)
    seen: list[str] = []
    g.visit(seen.append)
    assert len(seen) == 1051
    assert seen[-2:] == [path, f"{path}/z"]
    assert list(g.array_keys(recurse=True)) == ["z"] == [name for name, _ in g.arrays(recurse=True)]


def test_names_longer_than_files_have(tmp_path: Path) -> None:
    g = zchunk.open_group(tmp_path)
    for name in ("a" * 300, "b/" + "a" * 300, "a/" * 5000):
        assert name not in g
        assert g.get(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bb", "; did you mean 'b'?"),
        ("a/yy", "; did you mean 'a/y'?"),
        ("/tap", "; did you mean '/top'?"),
        ("aa/y", "; did you mean 'a'?"),
        ("nothing", ""),
        ("b/u", "; '/top/b' is an array, which has items and no members"),
        ("zarr.jso", ""),
    ],
)
def test_what_is_there_instead_of_a_missing_member(name: str, told: str, g: zchunk.Group) -> None:
    for look in (lambda: g[name], lambda: g.__delitem__(name)):
        with pytest.raises(MemberNotFoundError) as caught:
            look()
        assert str(caught.value) == f"no member {name!r} in group '/top'{told}"
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_missing_member_is_not_looked_for_until_the_message_is_read(g: zchunk.Group) -> None:
    class Listed(zchunk.MemoryStore):
        def list_dir(self, path: str = "") -> list[str]:
            raise AssertionError("listed")

    group = zchunk.group(Listed())
    assert group.get("a") is None
    with pytest.raises(MemberNotFoundError, match=r"^no member 'a' in group '/'$"):
        group["a"]


@pytest.mark.parametrize("selection", [slice(0, 3), ..., (), ("b", 0)])
def test_groups_have_no_items(selection: Any, g: zchunk.Group) -> None:
    with pytest.raises(TypeError, match=r"members by name, not items: .* selects in an array"):
        g[selection]
    with pytest.raises(TypeError, match="members by name"):
        g[selection] = [1]
    assert sorted(g) == ["a", "b", "c"]


def test_python_knows_what_to_suggest_for_attributes(g: zchunk.Group) -> None:
    with pytest.raises(AttributeError) as caught:
        g.bb  # noqa: B018
    # Python compares with the names in `dir`.
    assert caught.value.name == "bb"
    assert caught.value.obj is g
    assert "b" in dir(g)


def test_create_takes_data(g: zchunk.Group) -> None:
    assert g.create("n", data=[1, 2]) == g["n"]
    assert g["n"][:].tolist() == [1, 2]
