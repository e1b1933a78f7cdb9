"""Releases: what is checked before one, and that GitHub calls the verbs of the Makefile and no others."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

from tests import ROOT

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
FILES = (
    "pyproject.toml", "zchunk/__init__.py", "CITATION.cff", "CHANGELOG.md", "packaging/conda/recipe.yaml",
)  # fmt: skip


def problems(tag: str, root: Path) -> list[str]:
    found: list[str] = runpy.run_path(str(ROOT / ".ci" / "release_check.py"))["problems"](tag, root)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that are looked at, as they are to be for a release."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, old, new in (
        ("pyproject.toml", "OWNER", "somebody"),
        ("pyproject.toml", "published = false", "published = true"),
        ("CHANGELOG.md", "## [Unreleased]", "## [Unreleased]\n\n## [0.1.0] - 2026-12-24"),
    ):
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path


def test_a_tree_that_is_ready(tree: Path) -> None:
    assert problems("v0.1.0", tree) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pyproject.toml", "somebody", "OWNER"),
        ("zchunk/__init__.py", '__version__ = "0.1.0"', '__version__ = "0.2.0"'),
        ("pyproject.toml", "published = true", "published = false"),
        ("CITATION.cff", "version: 0.1.0", "version: 0.2.0"),
        ("packaging/conda/recipe.yaml", 'version: "0.1.0"', 'version: "0.2.0"'),
        ("CHANGELOG.md", "## [0.1.0] - 2026-12-24", "## [0.1.0]"),
    ],
)
def test_what_is_not_ready(tree: Path, name: str, old: str, new: str) -> None:
    text = (tree / name).read_text(encoding="utf-8")
    assert old in text
    (tree / name).write_text(text.replace(old, new), encoding="utf-8")
    found = problems("v0.1.0", tree)
    assert found
    assert all(name in line for line in found)


def test_a_tag_of_another_version(tree: Path) -> None:
    (line,) = problems("v9.9.9", tree)
    assert "v9.9.9" in line


@pytest.mark.skipif(not WORKFLOWS, reason="a tree without .github, such as an sdist")
def test_workflows_call_verbs_of_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set()
    for path in WORKFLOWS:
        for line in re.findall(r"run: (.*)", path.read_text()):
            name = re.match(r"make ([a-z-]+)", line)
            assert name or line.startswith("python -m pip install"), f"{path.name}: {line}"
            called |= {name[1]} if name else set()
    assert called <= verbs
    assert {"test", "lint", "types", "wheels", "dist", "docs", "release-check"} <= called


# ---- the commands that install zchunk in the documents

commands = runpy.run_path(str(ROOT / ".ci" / "install_commands.py"))


def test_documents_name_commands_that_work() -> None:
    for path in commands["documents"]():
        text = path.read_text(encoding="utf-8")
        wanted = commands["converted"](text, commands["is_published"]())
        assert text == wanted, f"{path.name}: make install-commands"


def test_one_variable_changes_the_commands() -> None:
    clone = "`pip install -e '.[dask,xarray]'` in a clone, or\n    pip install -e '.[cloud]'\n"
    published = "`pip install 'zchunk[dask,xarray]'`, or\n    pip install 'zchunk[cloud]'\n"
    assert commands["converted"](clone, True) == published
    assert commands["converted"](published, False) == clone
    assert commands["converted"](clone, False) == clone
    assert commands["converted"](published, True) == published
