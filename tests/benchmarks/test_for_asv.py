"""The benchmarks for suites of others: each method runs, on the parameters that asv would give it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks.for_asv import Bulk, Small, timed


@pytest.mark.parametrize("parameters", [*product(*Bulk.params)])
def test_bulk(parameters: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bulk, "shape", (64, 64, 128))
    run(Bulk(), *parameters)


def test_small() -> None:
    assert len([*timed(Small)]) == 3
    run(Small())


def run(case: Any, *parameters: str) -> None:
    case.setup(*parameters)
    for name in timed(case):
        getattr(case, name)(*parameters)
    folder = Path(case.folder.name)
    assert (folder / "written").is_dir()
    case.teardown(*parameters)
    assert not folder.exists()
