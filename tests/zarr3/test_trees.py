"""The tree of a hierarchy as zarr 3 shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk.zarr3 as zarr
from zchunk.zarr3.trees import Tree


@pytest.fixture
def group() -> zarr.Group:
    group = zarr.group(path="top")
    group.create_array("b/x", shape=(2, 3), dtype="f8")
    group.create_array("a", shape=0, dtype="i1")
    group.create_group("b/c<d>")
    return group


WHOLE = """\
/top
├── a (0,) int8
└── b
    ├── c<d>
    └── x (2, 3) float64
"""


def test_text(group: zarr.Group, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(group.tree()) == WHOLE
    assert repr(group.tree(level=0)) == "/top\n├── a (0,) int8\n└── b\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bold = "\x1b[1m{}\x1b[0m".format
    assert repr(group.tree(level=0)) == f"{bold('/top')}\n├── {bold('a')} (0,) int8\n└── {bold('b')}\n"
    assert repr(group.tree(plain=True)) == WHOLE


def test_html(group: zarr.Group) -> None:
    bundle = Tree(group)._repr_mimebundle_()
    assert bundle["text/plain"] == WHOLE
    assert bundle["text/html"].startswith("<pre style=")
    assert "├── <b>c&lt;d&gt;</b>\n" in bundle["text/html"]
    assert "<b>" not in Tree(group, plain=True)._repr_html_()


def test_truncation(group: zarr.Group) -> None:
    lines = repr(group.tree(max_nodes=2)).splitlines()
    assert lines[0] == "Truncated at max_nodes=2, some nodes and their children may be missing"
    assert len(lines) == 4
    assert "Truncated" not in repr(group.tree(max_nodes=4))


def test_names_that_a_terminal_would_obey() -> None:
    group = zarr.group()
    group.create_group("\x1b[2J")
    assert "\x1b" not in repr(group.tree())


def test_of_a_store(tmp_path: Path) -> None:
    zarr.open_group(tmp_path).create_group("a")
    assert repr(zarr.tree(tmp_path)) == "/\n└── a\n"
    assert repr(zarr.tree(zarr.open_group(tmp_path))) == "/\n└── a\n"
