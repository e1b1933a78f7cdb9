"""Reads by many at a time: values are checked, and a reader that fails is not waited for."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks.actions import Bench
from benchmarks.adapters import load_adapter
from benchmarks.adapters.base import Unsupported
from benchmarks.cases import CASES
from benchmarks.datasets import STORED
from benchmarks.together import ReadTogether, Share


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    values: dict[str, np.ndarray] = {}

    def source(name: str) -> np.ndarray:
        if name not in values:
            layout = next(stored for stored in STORED.values() if stored.source == name).layout("tiny")
            values[name] = np.arange(np.prod(layout.shape)).reshape(layout.shape).astype(layout.dtype)
        return values[name]

    return Bench("zchunk", load_adapter("zchunk", 2), "tiny", tmp_path, 2, tmp_path, source)


SPAWNED = pytest.param("crops-shards-spawn", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["crops-chunks-threads", "crowd-fork-8", SPAWNED])
def test_all_read_what_is_stored(bench: Bench, name: str) -> None:
    action = ReadTogether(CASES[name], bench)
    assert action.prepare() == {}
    assert action.run() > 0


@pytest.mark.parametrize("name", ["crowd-threads-2", "crowd-fork-2"])
def test_wrong_values_end_it(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    action = ReadTogether(CASES[name], bench)
    action.prepare()
    read = Share.read

    def wrong(share: Share, adapter: object, barrier: threading.Barrier) -> None:
        assert share.want is not None
        read(share._replace(want=share.want + 1), adapter, barrier)  # type: ignore[arg-type]

    monkeypatch.setattr(Share, "read", wrong)
    with pytest.raises(Unsupported, match="fail"):
        action.prepare()
