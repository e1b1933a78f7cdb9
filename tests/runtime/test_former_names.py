"""Modules by names that they had before."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

import zchunk
from zchunk.runtime.former_names import FormerNames


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FormerNames:
    found = FormerNames({"zchunk_of_old": "zchunk.spec.keys", "json": "zchunk.spec.keys"})
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.delitem(sys.modules, "zchunk_of_old", raising=False)
    found.install()
    return found


@pytest.mark.usefixtures("names")
def test_what_is_imported_has_the_names_of_the_module() -> None:
    old, new = import_module("zchunk_of_old"), import_module("zchunk.spec.keys")
    assert old.check_key is new.check_key
    with pytest.raises(AttributeError):
        _ = old.no_such_name


@pytest.mark.usefixtures("names")
def test_modules_that_python_finds_are_left_alone() -> None:
    assert hasattr(import_module("json"), "dumps")
    with pytest.raises(ModuleNotFoundError):
        import_module("zchunk_of_another_time")


def test_every_former_name_is_found() -> None:
    (names,) = [finder for finder in sys.meta_path if isinstance(finder, FormerNames)]
    for former in names._homes:
        assert import_module(former) is not None
    assert import_module("zchunk.rechunking").rechunk is zchunk.rechunk
