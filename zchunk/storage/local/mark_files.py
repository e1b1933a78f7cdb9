"""Marks that are files: locking one, so that nobody takes it over, and removing those that kills left.

See `zchunk.storage.marks` for what a mark is.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from zchunk._ext.io.descriptor import Descriptor
from zchunk._ext.io.files import are_files
from zchunk.runtime.owners import owner
from zchunk.spec.keys import ARRAY_KEY, GROUP_KEY, NODE_KEY

try:
    import fcntl
except ImportError:  # pragma: no cover
    # Windows.
    fcntl = None  # type: ignore[assignment]

# Begins the content of a mark that stays while its process is gone: the chunks beside it are not those of the
# metadata that may be there.
STAYS = b"!"
# The mark of a process that is gone, of no machine and long ago: what it began to make lies beside it.
ABANDONED = b"%024x 0 0\n" % 0 + STAYS

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


def may_be_left(value: bytes) -> bool:
    """Whether a mark beside the metadata of a node says nothing if its process is gone: all was there."""
    return not value.partition(b"\n")[2].startswith(STAYS)


class LockedMark:
    """The file of a mark that this process has opened and locked; the lock goes with the process, too."""

    def __init__(self, file: Descriptor) -> None:
        self._file = file

    @property
    def value(self) -> bytes:
        """The value of the mark."""
        os.lseek(self._file.fd, 0, os.SEEK_SET)
        return os.read(self._file.fd, os.fstat(self._file.fd).st_size)

    def release(self) -> None:
        """Let others lock it."""
        # A child of this process may have the descriptor, too.
        with suppress(OSError, AttributeError):
            fcntl.flock(self._file.fd, fcntl.LOCK_UN)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()


def lock_mark(path: str, shared: bool) -> LockedMark | None:
    """Return the file of a mark, locked; None if none is there, or another process has it locked.

    Where the file system has no locks, the file is only opened.
    """
    try:
        file = Descriptor(os.fsencode(path), os.O_RDONLY | _CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    locked = LockedMark(file)
    try:
        with suppress(AttributeError):
            fcntl.flock(file.fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        locked.release()
        return None
    except OSError:
        # Some file systems have no locks.
        pass
    if _is_at(path, file.fd):
        return locked
    locked.release()
    return None


def _is_at(path: str, fd: int) -> bool:
    """Whether the file at a path is still the one that was opened."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def remove_left_mark(path: str) -> bool:
    """Delete a mark beside complete metadata whose process is gone; return whether it did."""
    folder = os.path.dirname(path)
    if not any(are_files([os.fsencode(f"{folder}/{name}") for name in (ARRAY_KEY, GROUP_KEY, NODE_KEY)])):
        return False
    try:
        with open(path, "rb") as file:
            value, changed = file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return False
    if owner(value, time.time() - changed) != "gone" or not may_be_left(value):
        return False
    # Nobody locks it but those that take it over.
    locked = lock_mark(path, shared=False)
    if locked is None:
        return False
    with locked:
        if locked.value != value:
            return False
        os.unlink(path)
    return True
