"""`python -m zchunk`, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import zchunk


def test_the_program_runs(tmp_path: Path) -> None:
    zchunk.save_array(str(tmp_path / "a.zarr"), [1, 2, 3])

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "zchunk", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert run("head", "a.zarr", "[:2]").stdout == "[1, 2]\n"
    failed = run("head", "b.zarr")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert len(failed.stderr.splitlines()) == 1
