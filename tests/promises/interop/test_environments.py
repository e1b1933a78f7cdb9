"""Programs of implementations are started where they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promises.interop import environments
from tests.promises.interop.implementations import IMPLEMENTATIONS


def test_what_is_not_installed_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environments.version_of.cache_clear()
    assert {environments.version_of(implementation) for implementation in IMPLEMENTATIONS} == {None}
    environments.version_of.cache_clear()


def test_programs_in_javascript_lie_beside_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environments.version_of.cache_clear()
    environments._beside_modules.cache_clear()
    package = tmp_path / "interop-node" / "node_modules" / "zarrita" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "0.7.5"}')
    zarrita = next(i for i in IMPLEMENTATIONS if i.adapter == "zarrita")
    assert environments.version_of(zarrita) == "0.7.5"
    program, name = environments.command_of(zarrita)[1:]
    assert Path(program).with_name("adapters").joinpath(f"{name}.mjs").exists()
    environments.version_of.cache_clear()
    environments._beside_modules.cache_clear()
