"""What is counted, and that a wrong answer of either side is noticed: with the zarr 3 of this environment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.promises.interop import cases, environments, implementations, run

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("zarr", minversion="3")

ZARR3 = next(i for i in implementations.IMPLEMENTATIONS if i.adapter == "zarr3")


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[run.Peer]:
    serve = Path(run.__file__).with_name("serve.py")
    monkeypatch.setattr(
        run, "command_of", lambda implementation: [sys.executable, str(serve), implementation.adapter]
    )
    with run.Peer(ZARR3, tmp_path) as started:
        yield started


def _plain() -> cases.Case:
    return next(
        case
        for case in map(cases.draw, range(1000))
        if case.data_type == "int32"
        and case.layout == "plain"
        and case.path == "a"
        and len(case.shape) == 2
        and 0 not in case.shape
    )


def test_a_program_answers_refuses_and_is_started_again(peer: run.Peer, tmp_path: Path) -> None:
    case, store = _plain(), str(tmp_path / "theirs.zarr")
    items = case.items(0)
    with pytest.raises(run.Refusal, match="NotFound"):
        peer.read(store, case)
    peer.write(store, case, items)
    found, attributes, group = peer.read(store, case)
    assert cases.same_items(found, items)
    assert (attributes, group) == (case.attributes, case.group)
    box = (slice(0, 1), slice(1, 2))
    peer.change(store, case, box, items[box] + 1)
    assert peer.read(store, case, box)[0] == items[box] + 1
    assert peer.process is not None
    peer.process.kill()
    peer.process.wait()
    assert cases.same_items(peer.read(store, case)[0][1:], items[1:])


def test_a_program_that_does_not_answer_is_killed(
    peer: run.Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, store = _plain(), str(tmp_path / "theirs.zarr")
    peer.write(store, case, case.items(0))
    assert peer.process is not None
    monkeypatch.setattr(run, "PATIENCE", 0.2)
    os.kill(peer.process.pid, signal.SIGSTOP)
    with pytest.raises(run.Refusal, match="its program ends, code -9"):
        peer.read(store, case)


def test_what_differs_is_told() -> None:
    items = np.array([[1.0, 2.0]])
    with pytest.raises(run.Wrong, match=r"all: 1 of 2, at \(0, 1\): .*3\.0.*, not .*2\.0"):
        run._same(np.array([[1.0, 3.0]]), items, "all")
    with pytest.raises(run.Wrong, match=r"shape \(2,\), not \(1, 2\)"):
        run._same(items[0], items, "all")
    with pytest.raises(run.Wrong, match="attributes"):
        run._has({"a": 1}, {"a": 2})
    run._has({"a": 1, "_of_theirs": 3}, {"a": 1})


def test_failures_of_a_kind_are_one_line() -> None:
    failures = [
        f"zarr 3: {direction}: {what}\n    number={number}"
        for number, (direction, what) in enumerate(
            [
                ("there", "refused: no 1"),
                ("there", "refused: no 22"),
                ("back", "refused: no 1"),
                ("back", "wrong: y"),
            ]
        )
    ]
    assert run.different(failures) == [f"2 x {failures[0]}", f"1 x {failures[2]}", f"1 x {failures[3]}"]


def test_what_is_not_installed_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environments.version_of.cache_clear()
    monkeypatch.setattr(sys, "argv", ["run", "z5py", "zarrita"])
    assert run.main() == 1
    assert (
        "not installed: z5, zarrita.js, zarrita.js over HTTP\n0 passed, 3 failed" in capsys.readouterr().out
    )
    # Where there is no Python for it, that is no failure of the others; but something has to run.
    environments.version_of.cache_clear()
    monkeypatch.setattr(sys, "argv", ["run", "z5py", "--install"])
    assert run.main() == 1
    assert "without z5: it needs an environment" in capsys.readouterr().out
    environments.version_of.cache_clear()
