"""The container of an array: one file, a folder of files, or a bucket of objects."""

from __future__ import annotations

import ctypes
import mmap
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


def cached_bytes(path: str) -> int:
    """Return how many bytes of an array's files the system has in memory, in whole pages."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    pages = 0
    for file in files_below(path):
        size = os.path.getsize(file)
        fd = os.open(file, os.O_RDONLY)
        try:
            # The mapping itself reads nothing.
            at = library.mmap(None, max(size, 1), mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        finally:
            os.close(fd)
        found = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE) or 1)
        failed = at == ctypes.c_void_p(-1).value or library.mincore(at, size, found)
        library.munmap(at, max(size, 1))
        if failed:
            raise OSError(ctypes.get_errno(), "mincore", file)
        pages += sum(page & 1 for page in found.raw) if size else 0
    return pages * mmap.PAGESIZE
