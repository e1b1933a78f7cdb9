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

# Ways to make an array, without the closing bracket.
CALLS = [
    "zchunk.create(3, ", "zchunk.zeros(3, ", "zchunk.ones(3, ", "zchunk.empty(3, ", "zchunk.full(3, 4, ",
    "zchunk.array([1], ", "zchunk.zeros_like(z, ", "zchunk.ones_like(z, ", "zchunk.empty_like(z, ",
    "zchunk.full_like(z, ", "zchunk.create_array(shape=3, ", "zchunk.open_array('a', shape=3, ",
    "zchunk.open_like(z, 'a', ", "zchunk.open('a', shape=3, ", "zchunk.open('a', 'r', ",
    "g.create('a', shape=3, ", "g.zeros('a', shape=3, ", "g.ones('a', shape=3, ", "g.empty('a', shape=3, ",
    "g.full('a', 4, shape=3, ", "g.array('a', [1], ", "g.zeros_like('a', z, ", "g.full_like('a', z, ",
    "g.create_array('a', shape=3, ", "g.create_dataset('a', shape=3, ", "g.require_dataset('a', shape=3, ",
    "zarr3.create(3, ", "zarr3.zeros(3, ", "zarr3.full(3, 4, ", "zarr3.array([1], ", "zarr3.zeros_like(z, ",
    "zarr3.full_like(z, ", "zarr3.from_array(data=z, ",
]  # fmt: skip
MISTAKES = ["chnks=2", "dtpye='f4'", "chunks=2.5", "zarr_format=5", "compressor=3", "order='A'"]
OTHERS = [
    "zchunk.zerso(3)", "g.zerso('a', shape=3)", "z.resise(3)", "z.shpae", "g.create(5)", "z[1.5]",
    "zchunk.group(zarr_format=5)", "zchunk.open_group('a', 'rw')", "zchunk.open_group('a', chunks=3)",
    "zchunk.open('a', mode='rw')", "zchunk.create(2.5)", "zchunk.create()",
    "z.view(shpae=3)", "zchunk.Array({}, chnks=3)", "zchunk.Group({}, read_onyl=True)",
]  # fmt: skip

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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
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


def every_call() -> str:
    """Return a program in which every way to make an array has every mistake."""
    lines = [f"{call}{mistake})" for call in CALLS for mistake in MISTAKES] + OTHERS
    header = "import zchunk\nfrom zchunk import zarr3\n\ng = zchunk.group()\nz = zchunk.zeros((4, 4))\n"
    return header + "".join(f"{line}  {MARK}\n" for line in lines)


def check(checker: Callable[[Path, Path], Findings], python: Path, folder: Path) -> None:
    """Have a checker look at the programs in a folder: it reports the marked lines and no others."""
    expected = marked(folder)
    found = checker(folder, python)
    assert [finding for finding in found if finding[:2] not in expected] == []
    reported = {(program, line) for program, line, message in found if expected[program, line] in message}
    assert set(expected) - reported == set()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_reports_mistakes_and_nothing_else(
    checker: Callable[[Path, Path], Findings], python: Path, tmp_path: Path
) -> None:
    pytest.importorskip(checker.__name__)
    folder = tmp_path / "programs"
    shutil.copytree(PROGRAMS, folder, ignore=shutil.ignore_patterns("wings.py"))
    (folder / "every_call.py").write_text(every_call())
    assert {program for program, _ in marked(folder)} == {"every_call.py", "wrong.py"}
    check(checker, python, folder)


# dask and xarray take long.
@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_reports_mistakes_beside_dask_and_xarray(
    checker: Callable[[Path, Path], Findings], python: Path, tmp_path: Path
) -> None:
    for package in (checker.__name__, "dask", "xarray"):
        pytest.importorskip(package)
    folder = tmp_path / "programs"
    folder.mkdir()
    shutil.copy(PROGRAMS / "wings.py", folder)
    check(checker, python, folder)
