"""The container of an array: one file, a folder of files, or a bucket of objects."""

from __future__ import annotations

import os
import shutil

from benchmarks import objects


def remove(path: str) -> None:
    """Remove a file or a folder if it exists; of a bucket, remove its objects."""
    if path.startswith(objects.SCHEME):
        objects.clear(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def files_below(path: str) -> list[str]:
    """Return the files of an array: itself, or all in its folder."""
    if os.path.isfile(path):
        return [path]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def stored_bytes(path: str) -> int:
    """Return the size of all files of an array."""
    return sum(map(os.path.getsize, files_below(path)))


def drop_cache(path: str) -> None:
    """Ask the system to drop the cached contents of an array's files; names stay cached."""
    for file in files_below(path):
        fd = os.open(file, os.O_RDONLY)
        try:
            os.fsync(fd)  # only clean pages can be dropped
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
