"""What `DirectoryStore` asks of the file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

from zchunk._ext.io.descriptor import Descriptor
from zchunk.errors import StoreError
from zchunk.runtime import threads
from zchunk.spec.keys import is_key
from zchunk.storage.local.leftovers import PARTIAL, remove_leftovers

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)

# Attempts at what others in the folder can make fail.
RETRIES = 100

# Linux moves at most 2 GiB - 4 KiB per call, macOS refuses 2 GiB and more.
_CALL_MAX = 1 << 30

# Files that a thread deletes before it takes more.
_BATCH = 64


def read_fd(fd: int, size: int) -> bytes:
    """Return `size` bytes from where `fd` is, fewer at the end of the file."""
    data = os.read(fd, min(size, _CALL_MAX))
    if len(data) == size:
        return data
    parts = [data]
    size -= len(data)
    while size and parts[-1]:
        parts.append(os.read(fd, min(size, _CALL_MAX)))
        size -= len(parts[-1])
    return b"".join(parts)


def read_at(fd: int, start: int, size: int) -> bytes:
    """Return `size` bytes from `start`, fewer at the end of the file."""
    parts = []
    while size > 0:
        part = os.pread(fd, min(size, _CALL_MAX), start)
        if not part:
            break
        parts.append(part)
        start += len(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk."""
    try:
        opened = Descriptor(os.fsencode(folder), os.O_RDONLY | _CLOEXEC)
    except FileNotFoundError:
        # It was erased meanwhile, with what was in it.
        return
    with opened:
        os.fsync(opened.fd)


def scan(folder: str) -> list[os.DirEntry[str]]:
    """Return what belongs to a store in a folder; nothing if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if _is_name(e.name) and not (e.name.endswith(PARTIAL) and e.is_file())]
    except OSError as err:
        if not is_absence(err):
            raise
        return []


def _is_name(name: str) -> bool:
    """Whether a name that the system gives can be in a key."""
    return (name.isascii() and "\\" not in name) or is_key(name)


def is_absence(err: OSError) -> bool:
    """Whether an error of the system says that there is no such file, or can be none by this name."""
    return err.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def is_cycle(link: str) -> bool:
    """Whether a symbolic link leads to a folder that it is in."""
    target = os.path.join(os.path.realpath(link), "")
    return os.path.join(os.path.realpath(os.path.dirname(link)), "").startswith(target)


def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield a folder and all below it: path, names of folders and of files in it that belong to a store.

    Links are followed, but not round in circles.
    """
    # No recursion: there may be more levels than Python has.
    left = [folder.rstrip("/")]
    while left:
        level = left.pop()
        folders, files = [], []
        for entry in scan(level or "/"):
            if entry.is_file():
                files.append(entry.name)
            elif entry.is_dir() and not (entry.is_symlink() and is_cycle(entry.path)):
                folders.append(entry.name)
        yield level, folders, files
        left += [f"{level}/{name}" for name in folders]


def each_file(work: Callable[[str], Any], names: list[str]) -> None:
    """Call `work`, which deletes a file, for every name: in several threads if there are many.

    The system lets others at the folder while it gives back what a file took, the greater part of the work.
    """

    def some(first: int) -> None:
        for name in names[first : first + _BATCH]:
            work(name)

    firsts = range(0, len(names), _BATCH)
    threads.each(iter(firsts), len(firsts), some)


def remove_tree(folder: str) -> None:
    """Delete a folder in which other processes may delete, or write, at the same time."""
    for attempt in range(RETRIES):
        try:
            return _remove_tree(folder)
        except FileNotFoundError:
            if not os.path.lexists(folder):
                return None
        except OSError as error:
            # ENOTEMPTY: a file was added behind the deleting.
            if attempt == RETRIES - 1 or isinstance(error, (PermissionError, NotADirectoryError)):
                raise
    raise StoreError(f"cannot erase {folder!r}: other processes delete in it all the time; try again")


def _remove_tree(folder: str) -> None:
    # What `shutil.rmtree` does, whose module imports much. By descriptors, so that no other process can put a
    # link to a folder elsewhere in the way.
    for _, folders, files, fd in os.fwalk(folder, topdown=False, onerror=_fail):
        each_file(_Folder(fd).unlink, files)
        for name in folders:
            try:
                os.rmdir(name, dir_fd=fd)
            except NotADirectoryError:
                # A link to one.
                os.unlink(name, dir_fd=fd)
    os.rmdir(folder)


class _Folder:
    """A folder that stays open as long as a thread deletes in it: a helper perhaps, after Ctrl-C."""

    def __init__(self, fd: int) -> None:
        self._opened = Descriptor.duplicate(fd)

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._opened.fd)


def _fail(error: OSError) -> None:
    raise error


def remove_empty(folder: str) -> None:
    """Delete the folders without files that deleted keys, and killed writers, left at `folder`, if any."""
    remove_leftovers(folder)
    for level, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(level)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{level!r} is a folder and holds files; erase them first") from error
