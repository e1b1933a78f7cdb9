"""Stores that are imported when they are first asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from zchunk.storage import registry


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, zchunk.storage.registry as registry\n"
        "before = 'zchunk.storage.lru' in sys.modules\n"
        "registry.LRUStoreCache\n"
        "print(before, 'zchunk.storage.lru' in sys.modules, 'zchunk.storage.n5' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize("name", sorted({"TempStore", "LRUStoreCache", "ZipStore", "SQLiteStore", "N5Store"}))
def test_stores_are_those_of_their_modules(name: str) -> None:
    store = getattr(registry, name)
    assert getattr(import_module(store.__module__), name) is store
    assert name in dir(registry)


def test_names_that_zarr_2_has_among_the_stores() -> None:
    for name in registry.ZARR_NAMES:
        assert getattr(registry, name) is not None
    with pytest.raises(AttributeError, match="NoSuchStore"):
        _ = registry.NoSuchStore


@pytest.mark.parametrize("name", ["FsspecStore", "LocalStore", "LoggingStore", "WrapperStore"])
def test_zarr_3s_names_that_are_nobody_elses(name: str) -> None:
    from zchunk import storage
    from zchunk.zarr3 import storage as zarr3

    assert getattr(storage, name) is getattr(zarr3, name)
