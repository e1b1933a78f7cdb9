from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from zchunk.wings import command_line
from zchunk.wings.command_line.commands import TABLE, find_command, parser_of


@pytest.mark.parametrize("name", TABLE)
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = find_command(name)
    assert callable(command.run)
    # Its examples can be parsed.
    for line in command.examples.strip().splitlines():
        assert f"zchunk {name}" in line


def test_abbreviations_are_not_options() -> None:
    # Programs that use them break when there are more options.
    with pytest.raises(Exception, match="--js"):
        parser_of("info").parse_args(["run.zarr", "--js"])


MODULES = sorted(path.stem for path in Path(str(command_line.__file__)).parent.glob("*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = import_module("zchunk.wings.command_line" + ("" if name == "__init__" else f".{name}"))
    assert doctest.testmod(module).failed == 0
