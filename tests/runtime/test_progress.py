"""How far something is: functions, bars, lines, and what is none of these."""

from __future__ import annotations

import sys

import pytest

from zchunk.runtime import progress as progress_module
from zchunk.runtime.progress import reporting_progress


def never() -> int:
    raise AssertionError("nobody wants to know")


@pytest.mark.parametrize("progress", [None, False])
def test_the_total_is_not_counted_for_nobody(progress: object) -> None:
    with reporting_progress(progress, never, "items") as advance:
        advance(5)


def test_a_function_hears_the_beginning_every_step_and_the_end() -> None:
    seen: list[tuple[int, int]] = []
    with reporting_progress(lambda *numbers: seen.append(numbers), lambda: 10, "items") as advance:
        advance(4)
        advance(6)
    assert seen == [(0, 10), (4, 10), (10, 10)]


def test_a_line_without_tqdm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress_module, "_INTERVAL", 1e9)
    with reporting_progress(True, lambda: 2000, "items") as advance:
        advance(500)
        advance(1500)
    lines = capsys.readouterr().err.split("\r")
    assert lines[1] == "  0 % of 2,000 items"
    assert lines[-1] == "100 % of 2,000 items\n"
    # The one between comes too soon after the first.
    assert len(lines) == 3


def test_nothing_of_nothing_is_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with reporting_progress(True, lambda: 0, "items"):
        pass
    assert "100 % of 0 items" in capsys.readouterr().err


def test_a_bar_with_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with reporting_progress(True, lambda: 2000, "items") as advance:
        advance(2000)
    assert "2.00k/2.00k" in capsys.readouterr().err


@pytest.mark.parametrize("progress", [1, "yes", [print]])
def test_what_is_no_progress(progress: object) -> None:
    with pytest.raises(TypeError, match="not a bool or a function"), reporting_progress(progress, never, ""):
        pass
