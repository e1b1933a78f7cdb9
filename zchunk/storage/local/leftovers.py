"""Temporary files, and marks, that killed writers have left: whether their writers live, and removing them.

The name says which process on which machine writes the file. So nothing is removed under a writer that lives:
where the machine cannot be told for sure, only what nobody has written to for some time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING

from zchunk._ext.io.files import temp_number
from zchunk.runtime import owners
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import UNFINISHED_KEY
from zchunk.storage.local.trees import remove_tree

if TYPE_CHECKING:
    from zchunk.storage.local import mark_files
else:
    # There is a mark in few folders.
    mark_files = LazyModule("zchunk.storage.local.mark_files")

# Ends the name of a file that is being written, after 24 hexadecimal digits.
PARTIAL = ".partial"

# Begins the name of a folder that was moved aside, to be deleted.
ERASED = "erased"
# Begins the name of one that is there while what is beside it is deleted.
ERASING = "erasing"
# Begins the name of one that is to be put in its place, with what is in it.
MAKING = "making"

# Names of 16 digits were made by versions before; they have 18 bits of the machine, which two may share.
# Before the digits there is always a period, with no name before it if that would be too long. Downloads of
# other programs may be digits alone.
_NAME = re.compile(r"(.*)\.([0-9a-f]{24}|[0-9a-f]{16})\.partial", re.DOTALL)
_OLD_DIGITS = 16
# The first write of a process in a folder looks at so many names, which takes a millisecond; the tenth looks
# at ten times as many, and so on.
_LOOKED_AT = 2000
_MORE = 10


def partial_path(path: str) -> str:
    """Return the path of a temporary file that is to replace the one at `path`."""
    return f"{path}.{temp_number():024x}{PARTIAL}"


def abandon(path: str) -> None:
    """Give a temporary folder that could not be deleted a name of no process: whoever can may delete it."""
    found = _NAME.fullmatch(path)
    assert found is not None, path
    with suppress(OSError):
        os.rename(path, f"{found[1]}.{owners.without_process(int(found[2], 16)):024x}{PARTIAL}")
    # The next write beside it looks again.
    tidy.folders.discard(os.path.dirname(path))


def discard(folder: str) -> None:
    """Delete a temporary folder of this process; what cannot be deleted is left to others."""
    try:
        remove_tree(folder)
    except OSError:
        abandon(folder)


def is_hidden(entry: os.DirEntry[str]) -> bool:
    """Whether a file or folder is a temporary one, and so not part of a store."""
    if not entry.name.endswith(PARTIAL):
        return False
    return entry.is_file() or _prefix(entry.name) in (ERASED, ERASING, MAKING)


def is_leftover(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a temporary one, or a folder is aside, and the process that made it so is gone."""
    found = _NAME.fullmatch(entry.name) if entry.name.endswith(PARTIAL) else None
    if found is None or not (found[1] in (ERASED, MAKING) or entry.is_file(follow_symlinks=False)):
        return False
    return is_abandoned(found[2], entry)


def unfinished(folder: str) -> bool:
    """Whether a process that is gone has begun to delete what is in a folder."""
    try:
        with os.scandir(folder) as entries:
            return any(map(is_abandoned_trace, entries))
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_abandoned_trace(entry: os.DirEntry[str]) -> bool:
    """Whether a process that is gone has left this while it deleted what is beside it."""
    found = _NAME.fullmatch(entry.name) if entry.name.startswith(f"{ERASING}.") else None
    return found is not None and found[1] == ERASING and is_abandoned(found[2], entry)


def _prefix(name: str) -> str | None:
    """Return what is before the number in the name of a temporary file; None for other names."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]


def is_abandoned(digits: str, entry: os.DirEntry[str]) -> bool:
    """Whether the process is gone that made a file or folder with these digits in its name."""
    number, own, old = int(digits, 16), temp_number(), len(digits) == _OLD_DIGITS
    if owners.machine_of(number) != owners.machine_of(own & 2**64 - 1 if old else own):
        limit = owners.ABANDONED
    elif owners.lives(owners.process_of(number)):
        return False
    elif not old and all(map(os.path.exists, owners.IDENTITY)):
        return True
    else:
        limit = owners.PERHAPS_ABANDONED
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > limit


def temporary(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the paths of temporary files and folders in a folder and below, and what each is.

    That is ``"leftover"`` or ``"erasing"`` if the process is gone that has left it, else ``"in-progress"``.
    """
    with closing(_below(folder)) as entries:
        yield from _temporary(entries)


def temporary_beside(path: str) -> Iterator[tuple[str, str]]:
    """Yield the paths of files that were to replace the one at `path`, and what each is, as `temporary`."""
    folder, name = os.path.split(path)
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from _temporary(entry for entry in entries if _prefix(entry.name) == name)


def _temporary(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        # A writer may come to its end at the same time.
        with suppress(FileNotFoundError):
            if is_leftover(entry):
                yield entry.path, "leftover"
            elif is_abandoned_trace(entry):
                yield entry.path, "erasing"
            elif is_hidden(entry):
                yield entry.path, "in-progress"


def remove_leftover(path: str) -> bool:
    """Delete one temporary file or folder, if the process that has left it is gone; return whether it was."""
    folder, name = os.path.split(path)
    with os.scandir(folder) as entries:
        return bool(_removed(entry for entry in entries if entry.name == name))


def remove_leftovers(folder: str) -> list[str]:
    """Delete what writers that are gone have left in a folder and below; return the paths.

    Links in the folder are not followed.
    """
    with closing(_below(folder)) as entries:
        return _removed(entries)


def _removed(entries: Iterable[os.DirEntry[str]]) -> list[str]:
    removed = []
    for entry in entries:
        if entry.name == UNFINISHED_KEY:
            if mark_files.remove_left_mark(entry.path):
                removed.append(entry.path)
        elif is_leftover(entry):
            # Another writer may delete it at the same time.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    os.unlink(entry.path)
                removed.append(entry.path)
    return removed


def tidy_beside(path: str) -> None:
    """Delete what writers that are gone have left of a file that was to replace the one at `path`."""
    folder, name = os.path.split(path)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(f"{name}.") and is_leftover(entry):
                os.unlink(entry.path)


def _below(folder: str) -> Generator[os.DirEntry[str]]:
    left = [folder]
    while left:
        try:
            entries = os.scandir(left.pop())
        except OSError:
            # It is gone, or not for this user to see.
            continue
        with entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False) and not is_hidden(entry):
                    left.append(entry.path)


class Tidied:
    """Where this process has looked for what killed writers left: in a folder it does so once.

    It does not look at all of a large folder at once, so that writing a little takes little. Where much is
    written, it has looked at all of it in the end.
    """

    _MOST_FOLDERS = 10_000

    def __init__(self) -> None:
        # Those that were looked through, and how many writes others have had.
        self.folders: set[str] = set()
        self._writes: dict[str, int] = {}

    def __call__(self, folder: str) -> None:
        """Look in a folder that is written to, if it is time to do so; what cannot be removed stays."""
        if folder in self.folders:
            return
        writes = self._writes[folder] = self._writes.get(folder, 0) + 1
        looks = len(str(writes)) - 1
        if writes != _MORE**looks:
            return
        self._make_room()
        with suppress(OSError), closing(_below(folder)) as entries:
            _removed(islice(entries, _LOOKED_AT * writes))
            if next(entries, None) is not None:
                return
        self._writes.pop(folder, None)
        self.folders.add(folder)

    def made(self, folder: str) -> None:
        """Know of a folder that is new: nothing is left in it."""
        self._make_room()
        self.folders.add(folder)

    def _make_room(self) -> None:
        if len(self.folders) + len(self._writes) > self._MOST_FOLDERS:
            self.folders.clear()
            self._writes.clear()


tidy = Tidied()
