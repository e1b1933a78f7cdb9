"""Temporary files that killed writers have left: their names, whether their writers live, and removing them.

The name says which process on which machine writes the file. So nothing is removed under a writer that lives.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

from zchunk._ext.io.files import temp_number
from zchunk.storage.local.trees import remove_tree

# Ends the name of a file that is being written, after 16 random hexadecimal digits.
PARTIAL = ".partial"

# Begins the name of a folder that was moved aside, to be deleted.
ERASED = "erased"
# Begins the name of one that is there while what is beside it is deleted.
ERASING = "erasing"

_NAME = re.compile(r"(?:(.*)\.)?([0-9a-f]{16})\.partial", re.DOTALL)
# Seconds after which a file of another machine, or of another container, counts as left over: its writer
# would have written to it.
_ABANDONED = 24 * 3600
# The first writer in a process looks at so many names, which takes a millisecond.
_LOOKED_AT = 2000


def partial_path(path: str) -> str:
    """Return the path of a temporary file that is to replace the one at `path`."""
    return f"{path}.{temp_number():016x}{PARTIAL}"


def is_hidden(entry: os.DirEntry[str]) -> bool:
    """Whether a file or folder is a temporary one, and so not part of a store."""
    if not entry.name.endswith(PARTIAL):
        return False
    return entry.is_file() or _prefix(entry.name) in (ERASED, ERASING)


def is_leftover(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a temporary one, or a folder was moved aside, and the process that did it is gone."""
    found = _NAME.fullmatch(entry.name) if entry.name.endswith(PARTIAL) else None
    if found is None or not (found[1] == ERASED or entry.is_file(follow_symlinks=False)):
        return False
    return is_abandoned(int(found[2], 16), entry)


def unfinished(folder: str) -> bool:
    """Whether a process that is gone has begun to delete what is in a folder."""
    try:
        with os.scandir(folder) as entries:
            return any(
                is_abandoned(int(entry.name[-24:-8], 16), entry)
                for entry in entries
                if _prefix(entry.name) == ERASING
            )
    except (FileNotFoundError, NotADirectoryError):
        return False


def _prefix(name: str) -> str | None:
    """Return what is before the number in the name of a temporary file; None for other names."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1] or ""


def is_abandoned(number: int, entry: os.DirEntry[str]) -> bool:
    own = temp_number()
    if number >> 46 == own >> 46:
        return not _lives(number >> 24 & 0x3FFFFF)
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def remove_leftovers(folder: str, most: int | None = None) -> list[str]:
    """Delete what writers that are gone have left in a folder and below; return the paths.

    Parameters
    ----------
    folder : str
        Links in it are not followed.
    most : int, optional
        Look at so many names only.
    """
    removed = []
    for entry in _below(folder, most):
        if is_leftover(entry):
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


def _below(folder: str, most: int | None) -> Iterator[os.DirEntry[str]]:
    left, seen = [folder], 0
    while left:
        try:
            entries = os.scandir(left.pop())
        except OSError:
            # It is gone, or not for this user to see.
            continue
        with entries:
            for entry in entries:
                seen += 1
                if most is not None and seen > most:
                    return
                yield entry
                if entry.is_dir(follow_symlinks=False) and not is_hidden(entry):
                    left.append(entry.path)


class Tidied:
    """The folders in which this process has looked for what killed writers left: it does so once."""

    _MOST_FOLDERS = 10_000

    def __init__(self) -> None:
        self.folders: set[str] = set()

    def __call__(self, folder: str) -> None:
        """Look in a folder, if this is the first time; what cannot be removed stays."""
        if folder in self.folders:
            return
        if len(self.folders) >= self._MOST_FOLDERS:
            self.folders.clear()
        self.folders.add(folder)
        with suppress(OSError):
            remove_leftovers(folder, _LOOKED_AT)


tidy = Tidied()
