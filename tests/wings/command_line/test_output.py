from __future__ import annotations

import io
import json

import numpy as np
import pytest

from zchunk.wings.command_line import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_whose_users_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.coloured("x", "red", Terminal()) == "\033[31mx\033[0m"
    assert output.coloured("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.coloured("x", "red", Terminal()) == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert output.coloured("x", "red", Terminal()) == "x"


def test_what_a_terminal_would_obey_is_visible() -> None:
    assert output.one_line("a\x1b[31mb") == "a\\x1b[31mb"


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_json({"a": np.array([np.nan, -np.inf, 1.5]), "b": 1 + 2j, "c": np.bool_(True), "d": None})
    assert json.loads(capsys.readouterr().out) == {
        "a": ["NaN", "-Infinity", 1.5], "b": "(1+2j)", "c": True, "d": None,
    }  # fmt: skip


def test_text_that_the_terminal_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", file)
    output.say(" ├── ü")
    file.flush()
    assert file.buffer.getvalue() == b" \\u251c\\u2500\\u2500 \\xfc\n"  # type: ignore[attr-defined]


def test_sizes() -> None:
    assert [output.size(n) for n in (0, 1023, 1024, 5 << 40)] == ["0 B", "1023 B", "1.0 KiB", "5.0 TiB"]
