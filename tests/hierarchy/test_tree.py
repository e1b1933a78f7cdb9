"""Trees: the text that zarr 2.18 prints, and HTML."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.fixture
def g() -> zchunk.Group:
    g = zchunk.group()
    g.create_group("bar/qux/deep")
    g["bar/a"] = [1, 2]
    g["foo"] = 1
    g.create_group("z")
    return g


# Printed by zarr 2.18.7.
TEXT = """\
/
 ├── bar
 │   ├── a (2,) int64
 │   └── qux
 │       └── deep
 ├── foo () int64
 └── z"""
ASCII = b"""\
/
 +-- bar
 |   +-- a (2,) int64
 |   +-- qux
 |       +-- deep
 +-- foo () int64
 +-- z"""


def test_text(g: zchunk.Group) -> None:
    assert repr(g.tree()) == str(zchunk.tree(g)) == TEXT
    assert bytes(g.tree()) == ASCII


def test_levels(g: zchunk.Group) -> None:
    assert repr(g.tree(level=0)) == "/"
    assert repr(g.tree(level=1)) == "/\n ├── bar\n ├── foo () int64\n └── z"
    assert repr(zchunk.tree(g["bar"], level=2)) == "bar\n ├── a (2,) int64\n └── qux\n     └── deep"
    assert repr(g.tree(level=3)) == TEXT


def test_of_nothing_and_of_one() -> None:
    assert repr(zchunk.group().tree()) == "/"
    g = zchunk.group()
    g["a/b"] = [1, 2]
    assert repr(zchunk.tree(g["a/b"])) == "b (2,) int64"
    assert repr(zchunk.tree(zchunk.zeros(3))) == "/ (3,) float64"


def test_shown_anew(g: zchunk.Group) -> None:
    tree = g["z"].tree()
    assert repr(tree) == "z"
    g["z/new"] = [1.0]
    assert repr(tree) == "z\n └── new (1,) float64"


def test_html(g: zchunk.Group) -> None:
    html = g.tree()._repr_html_()
    assert html.count("<details open>") == 1
    assert html.count("<details") == 3
    assert html.count("<li>") == 6
    assert "<summary>/</summary><ul><li><details><summary>bar</summary>" in html
    assert "<li>foo () int64</li><li>z</li></ul></details></div>" in html
    assert g.tree(expand=True)._repr_html_().count("<details open>") == 3
    assert g.tree(expand=2)._repr_html_().count("<details open>") == 2
    assert "qux" not in g.tree(level=1)._repr_html_()


def test_html_of_names_that_are_html() -> None:
    g = zchunk.group()
    g.create_group("<script>")
    assert "<li>&lt;script&gt;</li>" in g.tree()._repr_html_()


def test_of_an_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["b/c"] = [1.5]
        file.create_group("d")
        assert repr(zchunk.tree(file)) == "/\n ├── b\n │   └── c (1,) float64\n └── d"


def test_a_member_called_shape() -> None:
    g = zchunk.group()
    g["g/shape"] = [1]
    assert repr(g["g"].tree()) == "g\n └── shape (1,) int64"


def test_names_that_are_not_printable() -> None:
    g = zchunk.group()
    for name in ("a\nb", "\x1b[31m", "é"):
        g.create_group(name)
    assert repr(g.tree()) == "/\n ├── \\x1b[31m\n ├── a\\nb\n └── é"
    assert "\x1b" not in g.tree()._repr_html_()


def test_expanding_nothing(g: zchunk.Group) -> None:
    assert zchunk.tree(g, expand=None)._repr_html_() == g.tree()._repr_html_()  # type: ignore[arg-type]


@pytest.mark.one_in(2)
def test_hierarchies_deeper_than_python_nests() -> None:
    g = zchunk.group()
    g.create_group("/".join("a" * 1050))
    assert repr(g.tree()).count("\n") == 1050
    assert len(bytes(g.tree()).splitlines()) == 1051
    assert g.tree()._repr_html_().count("<summary>") == 1050


def test_only_so_many_nodes(g: zchunk.Group) -> None:
    lines = TEXT.splitlines()
    assert repr(g.tree(max_nodes=6)) == repr(g.tree(plain=False)) == TEXT
    for count in range(6):
        found = repr(g.tree(max_nodes=count)).splitlines()
        assert found[:-1] == lines[: count + 1]
        assert found[-1].endswith(f"more than max_nodes={count}")
    html = g.tree(max_nodes=2, expand=True)._repr_html_()
    assert "qux" not in html
    assert html.count("<details") == html.count("</details>") == 2
    assert html.count("<li>") == html.count("</li>")


def test_a_group_shows_itself_as_a_tree_with_sizes() -> None:
    g = zchunk.group()
    g.zeros("a/<b>", shape=(1000, 1000), dtype="u1")
    html = g._repr_html_()
    assert html is not None
    assert html.count("<details") == 2
    assert "&lt;b&gt; (1000, 1000) uint8 <small>1000000 (976.6K)</small>" in html


def test_where_each_node_takes_a_request_a_group_shows_its_repr() -> None:
    store = zchunk.storage.KVStore({})
    g = zchunk.group(store)
    g.zeros("a", shape=3)
    assert g._repr_html_() is None
    consolidated = zchunk.consolidate_metadata(store)
    assert "a (3,) float64" in str(consolidated._repr_html_())
