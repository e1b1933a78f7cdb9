"""What copies report: lines, counts, and where they go."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from zchunk.convenience.copy_report import reporting

LINES = ["copy a", "skip b", "all done: 1 copied, 1 skipped, 1,234 bytes copied"]


def report(log: Any, dry_run: bool = False) -> tuple[int, int, int]:
    with reporting(log, dry_run) as found:
        found.copy("a")
        found.nbytes += 1234
        found.skip("b")
    return found.counts()


def test_counts_without_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(None) == (1, 1, 1234)
    assert capsys.readouterr() == ("", "")


def test_everything_that_takes_lines(tmp_path: Path) -> None:
    lines: list[str] = []
    report(lines.append)
    assert lines == LINES
    for path in (tmp_path / "log", str(tmp_path / "log")):
        report(path)
        assert Path(path).read_text().splitlines() == LINES
    file = io.StringIO()
    report(file)
    assert file.getvalue().splitlines() == LINES


def test_a_dry_run_copies_no_bytes() -> None:
    lines: list[str] = []
    report(lines.append, dry_run=True)
    assert lines[-1] == "dry run: 1 copied, 1 skipped"


def test_a_copy_that_fails_has_no_summary() -> None:
    lines: list[str] = []

    def failing() -> None:
        with reporting(lines.append, False) as found:
            found.copy("a")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        failing()
    assert lines == ["copy a"]


def test_what_is_no_log() -> None:
    with pytest.raises(TypeError, match="log is 5"):
        report(5)
