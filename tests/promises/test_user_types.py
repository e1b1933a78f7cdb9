"""What a user's type checker says of a program that uses zchunk.

The checkers see zchunk as they see any installed package: through ``py.typed``, in the site-packages of an
environment. Expected findings are comments in the programs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import zchunk

PROGRAMS = Path(__file__).parent / "user_types"
MARK = "# reported: "

# What a checker reports: program, line, message.
Findings = list[tuple[str, int, str]]


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment that has zchunk and NumPy, however zchunk is installed here."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "zchunk").symlink_to(Path(zchunk.__file__).parent, target_is_directory=True)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "zchunk.pth").write_text(f"{site}\n{Path(np.__file__).parent.parent}\n")
    return environment / "bin" / "python"


def run(module: str, folder: Path, *args: str | Path) -> str:
    programs = sorted(path.name for path in folder.glob("*.py"))
    command = [sys.executable, "-P", "-m", module, *args, *programs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(folder: Path, python: Path) -> Findings:
    # An empty configuration: that of zchunk itself is no user's.
    (folder / "mypy.ini").write_text("[mypy]\n")
    output = run("mypy", folder, "--strict", "--python-executable", python, "--cache-dir", os.devnull)
    found = re.findall(r"^(\w+\.py):(\d+): error: (.*)$", output, re.MULTILINE)
    return [(program, int(line), message) for program, line, message in found]


def pyright(folder: Path, python: Path) -> Findings:
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    report = json.loads(run("pyright", folder, "--outputjson", "--pythonpath", python))
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"])
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def marked(folder: Path) -> dict[tuple[str, int], str]:
    """Return what the message about a line must have in it, by program and line."""
    return {
        (program.name, number): line.rpartition(MARK)[2]
        for program in folder.glob("*.py")
        for number, line in enumerate(program.read_text().splitlines(), 1)
        if MARK in line
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_reports_mistakes_and_nothing_else(
    checker: Callable[[Path, Path], Findings], python: Path, tmp_path: Path
) -> None:
    pytest.importorskip(checker.__name__)
    folder = tmp_path / "programs"
    shutil.copytree(PROGRAMS, folder)
    expected = marked(folder)
    assert {program for program, _ in expected} == {"wrong.py"}
    found = checker(folder, python)
    assert [finding for finding in found if finding[:2] not in expected] == []
    reported = {(program, line) for program, line, message in found if expected[program, line] in message}
    assert set(expected) - reported == set()
