from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line import completion
from zchunk.wings.command_line.commands import TABLE


def completed(here: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    (here / "script").write_text(completion.bash())
    quoted = " ".join(f"'{word}'" for word in words)
    code = f"source ./script; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _zchunk"
    done = subprocess.run(
        ["bash", "-c", f'{code}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True, text=True, timeout=60, check=True, cwd=here,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash(here: Path) -> None:
    assert completed(here, "zchunk", "ver") == ["verify", "versions"]
    assert completed(here, "zchunk", "info", "--s") == ["--stats"]
    assert completed(here, "zchunk", "copy", "--format", "") == ["2", "3"]
    assert completed(here, "zchunk", "completion", "") == ["bash", "zsh"]
    # Paths are left to the shell.
    assert completed(here, "zchunk", "info", "run") == []


def test_both_scripts_have_all_commands_and_options(run: Run) -> None:
    for shell in ("bash", "zsh"):
        script = run("completion", shell).out
        for name in TABLE:
            assert name in script
            assert all(option.names[-1] in script for option in completion.options_of(name))


def test_descriptions_in_zsh_are_those_of_the_help() -> None:
    script = completion.zsh()
    assert "--compressor[codec with its level\\: zstd\\:5, blosc-lz4, gzip, or none]:value:" in script
    assert "--format[Zarr format of the new arrays]:value:(2 3)" in script
    assert "--no-deep[the opposite of --deep]'" in script
    assert "--no-attrs[leave out the attributes]'" in script


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_can_read_it(here: Path) -> None:
    (here / "script").write_text(completion.zsh())
    subprocess.run(["zsh", "-n", "script"], timeout=60, check=True, cwd=here)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_loads_it_from_a_folder_and_by_eval(here: Path) -> None:
    (here / "_zchunk").write_text(completion.zsh())
    # What a completion calls, saying what it is called with.
    there = '_describe() { print $1 ${(P)#2} }; _arguments() { print -l -- "$@" }; words=(zchunk'
    loaded = f"fpath=(. $fpath); autoload -Uz _zchunk; {there} versions -); CURRENT=3; _zchunk"
    evaluated = f"compdef() {{ print $@ }}; eval \"$(<_zchunk)\"; {there} ver); CURRENT=2; _zchunk"
    for code, expected in ((loaded, "--json[print JSON, for programs]"), (evaluated, "_zchunk zchunk")):
        done = subprocess.run(
            ["zsh", "-f", "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=here
        )
        assert done.stderr == ""
        assert expected in done.stdout.splitlines()
