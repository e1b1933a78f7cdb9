"""The page of the command line: what it shows is what the commands print."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from tests import ROOT
from tests.promises.test_documents import FENCE
from zchunk.wings.command_line import main
from zchunk.wings.command_line.commands import TABLE, parser_of

# Commands that talk to services on the internet are parsed only.
REMOTE = ("s3://", "https://")
PAGE = ROOT / "docs" / "command_line.md"
_COMMAND = re.compile(r"^\$ zchunk (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """The blocks of the page in a language."""
    text = PAGE.read_text(encoding="utf-8")
    return [match[2] for match in FENCE.finditer(text) if match[1] == language]


def commands() -> list[tuple[list[str], str]]:
    """The commands of the page with what they print."""
    found = [command for console in blocks("console") for command in _COMMAND.findall(console)]
    return [(shlex.split(line), shown) for line, shown in found]


def test_what_commands_print_is_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("h5py", "h5netcdf"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), {})
    checker = doctest.OutputChecker()
    for argv, shown in commands():
        if any(argument.startswith(REMOTE) for argument in argv):
            parser_of(argv[0]).parse_args(argv[1:])
            continue
        assert main(argv) == 0, argv
        found = capsys.readouterr().out
        # Sizes of what is compressed are of other lengths with other versions.
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert checker.check_output(shown, found, flags), f"{argv}:\n{found}"


def test_every_command_is_on_the_page() -> None:
    named = {argv[0] for argv, _ in commands()}
    assert named | {"completion"} == set(TABLE)
