"""Modules that are absent on purpose."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from zchunk.runtime.absent_modules import AbsentModules


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> AbsentModules:
    found = AbsentModules({"abacus_of_old": "abacus_of_old is gone: use int", "json": "never asked for"})
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    found.install()
    return found


@pytest.mark.usefixtures("absent")
def test_an_import_says_why_there_is_no_module() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^abacus_of_old is gone: use int$"):
        import_module("abacus_of_old")


@pytest.mark.usefixtures("absent")
def test_other_modules_are_left_alone() -> None:
    assert hasattr(import_module("json"), "dumps")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'abacus_of_tomorrow'"):
        import_module("abacus_of_tomorrow")
