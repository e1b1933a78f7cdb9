"""SIGKILL at every file-system call of what deletes, replaces, moves and makes nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises.kill_cases import CHANGES, KINDS

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler by the name of cc")
    made = tmp_path_factory.mktemp("kills") / "kills.so"
    source = Path(__file__).with_name("kills.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.one_in(3)
@pytest.mark.each_value
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_leaves_whole_nodes(tmp_path: Path, library: Path, kind: str, change: str) -> None:
    if kind == "fsspec":
        pytest.importorskip("fsspec")
        if not change.startswith(("delete", "rmdir", "clear")):
            pytest.skip("fsspec writes local files in place")
    if kind == "n5" and change == "replace_array_above":
        pytest.skip("N5 has attributes and members in the same folder")
    if change == "rechunk" and kind != "n5":
        pytest.skip("killed in the tests of rechunking")
    preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), str(library)]))
    done = subprocess.run(
        [sys.executable, "-m", "tests.promises.kill_cases", library, tmp_path, kind, change],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": preload},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
