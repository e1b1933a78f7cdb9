from __future__ import annotations

from pathlib import Path

import pytest

from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line import measuring


def test_bench_measures_and_leaves_nothing(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    small = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda length, folder: small(10, folder, 1))
    before = sorted(here.iterdir())
    rows = run("bench", ".", "--json").json
    assert {row["codec"] for row in rows} == {"blosc-lz4", "zstd:3", "none"}
    assert all(row["seconds"] > 0 for row in rows)
    assert run("bench", "--quick").out.splitlines()[0].split() == ["codec", "what", "ms", "MB/s"]
    assert sorted(here.iterdir()) == before
