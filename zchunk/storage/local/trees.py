"""Deleting files and trees of folders, which others may change at the same time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any

from zchunk._ext.io.descriptor import Descriptor
from zchunk._ext.io.listing import Listing
from zchunk.errors import StoreError
from zchunk.runtime import threads

# Attempts at what others in the folder can make fail.
RETRIES = 100

# Files that a thread deletes before it takes more.
_BATCH = 64

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_absence(err: OSError) -> bool:
    """Whether an error of the system says that there is no such file, or can be none by this name."""
    return err.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def mode_of(path: str, follow: bool = True) -> int:
    """Return the mode of what is at a path, or of a link there if it does not `follow`; 0 if nothing is.

    Not `os.path.isdir` and its like, which say no where the system cannot tell: what is there would be taken
    for deleted.
    """
    try:
        return os.stat(path, follow_symlinks=follow).st_mode
    except OSError as err:
        if not is_absence(err):
            raise
        return 0


def is_link(path: str) -> bool:
    """Whether a symbolic link is at a path: what it leads to may have other users."""
    return stat.S_ISLNK(mode_of(path, follow=False))


def unlink(path: str) -> bool:
    """Delete a file; return whether there was one."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except PermissionError:
        # What macOS says of a folder.
        if os.path.isdir(path):
            return False
        raise
    return True


def each_file(work: Callable[[str], Any], names: list[str]) -> None:
    """Call `work`, which deletes a file, for every name: in several threads if there are many.

    The system lets others at the folder while it gives back what a file took, the greater part of the work.
    """

    def some(first: int) -> None:
        for name in names[first : first + _BATCH]:
            work(name)

    firsts = range(0, len(names), _BATCH)
    threads.each(iter(firsts), len(firsts), some)


def unlink_files(found: Listing, fd: int, missing: bool = False) -> None:
    """Delete the files of a listing of an open folder, in several threads as `each_file`."""
    folder, count = _Folder(found, fd, missing), -(-found.files // _BATCH)
    threads.each(iter(range(count)), count, folder.unlink_some)


def is_folder(name: str, fd: int) -> bool:
    """Whether a name in an open folder is a folder, and no link to one."""
    return stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)


def remove_tree(folder: str) -> None:
    """Delete a folder in which other processes may delete, or write, at the same time."""
    for attempt in range(RETRIES):
        try:
            return _remove_tree(folder)
        except FileNotFoundError:
            if not mode_of(folder, follow=False):
                return None
        except OSError as error:
            # ENOTEMPTY: a file was added behind the deleting.
            if attempt == RETRIES - 1 or isinstance(error, (PermissionError, NotADirectoryError)):
                raise
    raise StoreError(f"cannot erase {folder!r}: other processes delete in it all the time; try again")


def _remove_tree(folder: str) -> None:
    # What `shutil.rmtree` does, whose module imports much. By descriptors, so that no other process can put a
    # link to a folder elsewhere in the way; by our own, which Ctrl-C does not leave open.
    with Descriptor(os.fsencode(folder), _FOLDER) as opened:
        _empty(opened)
    os.rmdir(folder)


def _empty(opened: Descriptor) -> None:
    """Delete all that is in an open folder."""
    found = Listing(b".", opened.fd)
    unlink_files(found, opened.fd)
    folders = found.folders
    for name in found.others:
        if is_folder(name, opened.fd):
            folders.append(name)
        else:
            os.unlink(name, dir_fd=opened.fd)
    for name in folders:
        try:
            with Descriptor(os.fsencode(name), _FOLDER, dir_fd=opened.fd) as below:
                _empty(below)
            os.rmdir(name, dir_fd=opened.fd)
        except NotADirectoryError:
            # Another process has put a file, or a link, in its place.
            os.unlink(name, dir_fd=opened.fd)


class _Folder:
    """A folder that stays open as long as a thread deletes in it: a helper perhaps, after Ctrl-C."""

    def __init__(self, found: Listing, fd: int, missing: bool) -> None:
        self._found, self._opened, self._missing = found, Descriptor.duplicate(fd), missing

    def unlink_some(self, _: int) -> None:
        self._found.unlink_some(self._opened.fd, _BATCH, self._missing)
