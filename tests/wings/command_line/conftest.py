"""A small hierarchy in the working directory, and a function that runs commands there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import zchunk
from zchunk.wings.command_line import main


class Done(NamedTuple):
    """What a command has done."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*argv: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in argv])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `run.zarr`: an array `u` of three axes, half of it stored, and `sub/v`."""
    monkeypatch.chdir(tmp_path)
    group = zchunk.open_group("run.zarr", mode="w", attributes={"title": "a run"})
    attributes = {"units": "m s-1", "_ARRAY_DIMENSIONS": ["time", "lat", "lon"]}
    u = group.create("u", shape=(4, 6, 8), chunks=(1, 3, 8), dtype="f4", attributes=attributes)
    u[:2] = np.arange(96, dtype="f4").reshape(2, 6, 8)
    group["sub/v"] = np.arange(10)
    return tmp_path
