"""Programs of implementations are started where they are installed."""

from __future__ import annotations

import sys
import zipfile
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


def test_what_npm_is_missing_for_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    environments.version_of.cache_clear()
    with pytest.raises(RuntimeError, match=r"no npm here to install zarr@.*, zarrita@.*: `make servers`"):
        environments.install()
    environments.version_of.cache_clear()


def test_where_no_python_is_new_enough_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environments.version_of.cache_clear()
    python = [i for i in IMPLEMENTATIONS if i.language == "python"]
    left_out = environments.install(python)
    assert left_out.keys() == {i.name for i in python}
    assert left_out["z5"] == "it needs an environment build/zarr3, for which there is no Python here"
    environments.version_of.cache_clear()


@pytest.mark.slow
def test_a_missing_wheel_is_told_from_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _wheel(tmp_path, "here", ">=3")
    _wheel(tmp_path, "elsewhere", ">=99")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    for package in ("here==1", "nowhere==1"):
        with pytest.raises(RuntimeError, match=f"{package} was not installed"):
            environments.why_not(sys.executable, package)
    assert "no wheel of elsewhere==1 for Python 3" in environments.why_not(sys.executable, "elsewhere==1")


def _wheel(folder: Path, name: str, python: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        said = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\nRequires-Python: {python}\n"
        wheel.writestr(f"{name}-1.dist-info/METADATA", said)
        said = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}-1.dist-info/WHEEL", said)
        wheel.writestr(f"{name}-1.dist-info/RECORD", "")
