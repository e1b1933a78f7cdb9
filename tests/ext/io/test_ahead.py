"""Small files that are read ahead."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from benchmarks.files import cached_bytes, drop_cache
from zchunk._ext.io.ahead import read_ahead


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
@pytest.mark.parametrize("count", [1, 100])
def test_files_are_in_memory_afterwards(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / f"{number}").write_bytes(b"x" * 500)
    drop_cache(str(tmp_path))
    if cached_bytes(str(tmp_path)):
        pytest.skip("a file system in memory")
    read_ahead([os.fsencode(tmp_path / f"{number}") for number in range(count)])
    assert cached_bytes(str(tmp_path)) == count * mmap.PAGESIZE


def test_what_cannot_be_read_is_left_to_the_caller(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    before = os.listdir("/proc/self/fd") if sys.platform == "linux" else []
    read_ahead([os.fsencode(tmp_path / name) for name in ("gone", "pipe", ".", "file", "file/below")])
    read_ahead([])
    assert before == (os.listdir("/proc/self/fd") if sys.platform == "linux" else [])


def test_paths_are_bytes() -> None:
    with pytest.raises(TypeError):
        read_ahead(["text"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        read_ahead(None)  # type: ignore[arg-type]
