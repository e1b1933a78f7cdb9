"""Pickles that were made before the modules moved open, and what they are about is what it was."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import GOLDEN
from tests.promises.golden import make_pickles
from zchunk.metadata import v3

PICKLES = GOLDEN / "pickles"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_pickles.make_data()
    return tmp_path


def stored(name: str, folder: Path) -> bytes:
    return (PICKLES / f"{name}.pickle").read_bytes().replace(make_pickles.FOLDER, str(folder).encode())


def test_there_is_one_of_each() -> None:
    assert {path.stem for path in PICKLES.glob("*.pickle")} == set(make_pickles.OBJECTS)


@pytest.mark.parametrize("name", make_pickles.OBJECTS)
def test_a_pickle_made_before_opens(name: str, data: Path) -> None:
    found, wanted = pickle.loads(stored(name, data)), make_pickles.OBJECTS[name]()
    assert type(found) is type(wanted)
    if isinstance(found, zchunk.Array):
        np.testing.assert_array_equal(found[...], wanted[...])
        assert (found.read_only, found.dtype, found.is_view) == (
            wanted.read_only,
            wanted.dtype,
            wanted.is_view,
        )
    elif isinstance(found, zchunk.Group):
        assert (found, dict(found.attrs)) == (wanted, dict(wanted.attrs))
    elif isinstance(found, zchunk.storage.Store):
        assert dict(found) == dict(wanted)
    elif name == "processes":
        assert found.path == str(data / wanted.path)
    elif name == "metadata":
        assert v3.render_array(found) == v3.render_array(wanted)
    else:
        assert found == wanted


@pytest.mark.parametrize("name", ["array-v2", "view", "zip", "metadata"])
def test_a_pickle_opens_in_a_process_that_has_imported_nothing(name: str, data: Path) -> None:
    code = "import pickle, sys; print(type(pickle.load(sys.stdin.buffer)).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], input=stored(name, data), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().strip() == type(make_pickles.OBJECTS[name]()).__name__


def test_a_pickle_made_now_names_what_it_named_before(data: Path) -> None:
    def names(value: Any) -> set[str]:
        text = pickle.dumps(value, protocol=0).decode()
        return {line.lstrip("(c") for line in text.splitlines() if "zchunk." in line}

    array = zchunk.open("v2.zarr/a", mode="r")
    assert "zchunk.core" in names(array)
    assert "zchunk.storage.directory" in names(zchunk.DirectoryStore("v2.zarr"))
