"""What `DirectoryStore` asks of the file system."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from operator import lt

from zchunk._ext.io.descriptor import Descriptor
from zchunk._ext.io.listing import Listing
from zchunk.errors import StoreError
from zchunk.spec.keys import ChunkKeyEncoding, is_key
from zchunk.storage.local.leftovers import is_hidden, remove_leftovers
from zchunk.storage.local.trees import is_absence

if sys.platform == "darwin":
    from fcntl import F_FULLFSYNC, fcntl

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CLOEXEC | getattr(os, "O_BINARY", 0)

# Linux moves at most 2 GiB - 4 KiB per call, macOS refuses 2 GiB and more.
_CALL_MAX = 1 << 30
# More than the largest coordinate in a name
_NUMBER_MAX = 10**19


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


def write_new(path: str, content: bytes, sync: bool = False) -> None:
    """Write a file that is not there, in a folder that is; durably if asked."""
    with Descriptor(os.fsencode(path), _WRITE) as file:
        left = memoryview(content)
        while left:
            left = left[os.write(file.fd, left) :]
        if sync:
            sync_file(file.fd)


def sync_file(fd: int) -> None:
    """Wait until a file, or the names in a folder, is on the disk."""
    if sys.platform == "darwin":
        # There fsync ends before the disk has written what it took. Not every file system has the other.
        with suppress(OSError):
            fcntl(fd, F_FULLFSYNC)
            return
    os.fsync(fd)


def sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk."""
    try:
        opened = Descriptor(os.fsencode(folder), os.O_RDONLY | _CLOEXEC)
    except FileNotFoundError:
        # It was erased meanwhile, with what was in it.
        return
    with opened:
        sync_file(opened.fd)


def scan(folder: str) -> list[os.DirEntry[str]]:
    """Return what belongs to a store in a folder; nothing if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if _is_name(entry.name) and not is_hidden(entry)]
    except OSError as err:
        if not is_absence(err):
            raise
        return []


def names(folder: str) -> list[str]:
    """Return the names of what belongs to a store in a folder, files and folders."""
    found = _listing(folder)
    if found is None:
        return []
    return [*found.keys(""), *found.folders, *(entry.name for entry in _others(folder, found))]


def count_chunks(folder: str, prefix: str, separator: str, limits: Sequence[int]) -> int:
    """Return how many of the `names` are a prefix, then coordinates below the limits."""
    found = _listing(folder)
    if found is None:
        return 0
    decode = ChunkKeyEncoding("v2", separator).decoder(len(limits))
    # Folders, too: a store lists them.
    rest = [*found.folders, *(entry.name for entry in _others(folder, found))]
    places = [decode(name[len(prefix) :]) for name in rest if name.startswith(prefix)]
    more = sum(place is not None and all(map(lt, place, limits)) for place in places)
    return found.count(prefix.encode(), separator, [min(n, _NUMBER_MAX) for n in limits]) + more


def _listing(folder: str) -> Listing | None:
    """Return what is in a folder; None if it does not exist."""
    try:
        return Listing(os.fsencode(folder))
    except OSError as err:
        if not is_absence(err):
            raise
        return None


def _others(folder: str, found: Listing) -> list[os.DirEntry[str]]:
    """Return what belongs to a store of that in a folder which takes a second look."""
    if not found.others:
        return []
    others = set(found.others)
    return [entry for entry in scan(folder) if entry.name in others]


def _is_name(name: str) -> bool:
    """Whether a name that the system gives can be in a key."""
    return (name.isascii() and "\\" not in name) or is_key(name)


def is_cycle(link: str) -> bool:
    """Whether a symbolic link leads to a folder that it is in."""
    target = os.path.join(os.path.realpath(link), "")
    return os.path.join(os.path.realpath(os.path.dirname(link)), "").startswith(target)


class Files:
    """Names of the files in a folder that belong to a store: packed, for there may be a million."""

    __slots__ = ("_found", "_others")

    def __init__(self, found: Listing | None, others: list[str]) -> None:
        self._found, self._others = found, others

    def __len__(self) -> int:
        return len(self._others) + (self._found.files if self._found is not None else 0)

    def __iter__(self) -> Iterator[str]:
        return self.keys("")

    def keys(self, above: str) -> Iterator[str]:
        """Return the names with `above` before each."""
        others = (above + name for name in self._others)
        return others if self._found is None else chain(self._found.keys(above), others)


def walk(folder: str) -> Iterator[tuple[str, list[str], Files]]:
    """Yield a folder and all below it: path, names of folders and of files in it that belong to a store.

    Links are followed, but not round in circles.
    """
    # No recursion: there may be more levels than Python has.
    left = [folder.rstrip("/")]
    while left:
        level = left.pop()
        found = _listing(level or "/")
        folders, files = list[str](), list[str]()
        if found is not None:
            folders += found.folders
            for entry in _others(level or "/", found):
                if entry.is_file():
                    files.append(entry.name)
                elif entry.is_dir() and not (entry.is_symlink() and is_cycle(entry.path)):
                    folders.append(entry.name)
        yield level, folders, Files(found, files)
        left += [f"{level}/{name}" for name in folders]


def above(path: str, top: str) -> Iterator[str]:
    """Yield the folders above `path` that are below `top`."""
    while len(path := os.path.dirname(path)) > len(top):
        yield path


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
