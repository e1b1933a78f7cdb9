"""Deleting files and trees of folders, which others may change at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from zchunk._ext.io.descriptor import Descriptor
from zchunk.errors import StoreError
from zchunk.runtime import threads

# Attempts at what others in the folder can make fail.
RETRIES = 100

# Files that a thread deletes before it takes more.
_BATCH = 64


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
