"""The guard of the hot path: both source trees run every case, and what became slower is a failure."""

from __future__ import annotations

import pytest

from benchmarks import guard
from tests import ROOT


def test_both_source_trees_run_every_case() -> None:
    best = guard.measure((ROOT, ROOT), 1, "tiny")
    assert list(best) == list(guard.WATCHED)
    assert all(now > 0 and before > 0 for now, before in best.values())


@pytest.mark.parametrize(("now", "status"), [(1.1, 0), (1.2, 1)])
def test_what_became_slower_fails(now: float, status: int, monkeypatch, capsys) -> None:
    monkeypatch.setattr(guard, "built", lambda commit: ROOT)
    monkeypatch.setattr(guard, "git", lambda *arguments: "abc")
    monkeypatch.setattr(guard, "measure", lambda *arguments: {"point": (now, 1.0), "tiny-read": (1.0, 1.0)})
    monkeypatch.setattr("sys.argv", ["guard"])
    assert guard.main() == status
    assert ("SLOWER" in capsys.readouterr().out) == bool(status)
