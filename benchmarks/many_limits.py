"""What the machine takes for many small files: the system's calls alone, in as many threads as pay."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Bytes of memory that zchunk promises to take per chunk, and beside them
PER_CHUNK = 24
BESIDE = 8 << 20


def parts(action: str, folder: Path, count: int, threads: int) -> dict[str, Callable[[], float]]:
    """Return how the limit of an operation on so many files is measured."""
    if action.endswith("memory"):
        return {f"{PER_CHUNK} bytes per chunk + 8 MiB": lambda: float(BESIDE + PER_CHUNK * count)}
    work: dict[str, Callable[[str, str], None]] = {"delete": _delete, "copy": _copy}
    other = folder.with_name(f"{folder.name}-copy")

    def one() -> float:
        _make(folder, count)
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        paths = [(f"{folder}/{number}", f"{other}/{number}") for number in range(count)]
        start = time.perf_counter()
        if action in work:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda first: _each(work[action], paths[first::threads]), range(threads)))
        else:
            os.listdir(folder)
        seconds = time.perf_counter() - start
        for path in (folder, other):
            shutil.rmtree(path)
        return seconds

    return {"files": one}


def _make(folder: Path, count: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        fd = os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"1")
        os.close(fd)


def _each(work: Callable[[str, str], None], paths: list[tuple[str, str]]) -> None:
    for path, other in paths:
        work(path, other)


def _delete(path: str, _: str) -> None:
    os.unlink(path)


def _copy(path: str, other: str) -> None:
    source = os.open(path, os.O_RDONLY)
    target = os.open(f"{other}.partial", os.O_CREAT | os.O_WRONLY | os.O_EXCL)
    os.write(target, os.read(source, 4096))
    os.close(source)
    os.close(target)
    os.rename(f"{other}.partial", other)
