"""Storage that lets its callers wait: `slow.c`, built and loaded, makes every open, read and fsync longer."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("slow.c")
VARIABLE = "ZCHUNK_BENCHMARK_SLOW"


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process in which the library is loaded, none if it cannot be built here."""
    library = folder / "slow.so"
    if not library.exists():
        if not sys.platform.startswith("linux") or shutil.which("cc") is None:
            return {}
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", os.fspath(library), os.fspath(SOURCE), "-ldl"]
        if subprocess.run(command, check=False).returncode:
            return {}
    preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), os.fspath(library)]))
    return {"LD_PRELOAD": preload, VARIABLE: os.fspath(library)}


def given() -> bool:
    """Return whether the library is loaded."""
    return VARIABLE in os.environ


@cache
def _library() -> Any:
    library = ctypes.CDLL(os.environ[VARIABLE])
    library.slow_calls.argtypes = [ctypes.c_char_p, ctypes.c_long]
    library.slow_most.restype = ctypes.c_long
    return library


@contextmanager
def calls(folder: str, seconds: float) -> Iterator[None]:
    """Let every open, read and fsync of files below a folder take so much longer within the block."""
    _library().slow_calls(os.fsencode(folder), int(seconds * 1e9))
    try:
        yield
    finally:
        _library().slow_calls(os.fsencode(folder), 0)


def most() -> int:
    """Return how many calls have waited at the same time, at most, since a block of `calls` began."""
    return int(_library().slow_most())
