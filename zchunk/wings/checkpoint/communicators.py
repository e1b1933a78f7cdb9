"""How processes talk to each other: an mpi4py communicator, one's own, or none, behind one small interface.

zchunk never imports mpi4py: a program that has a communicator has done so.
"""

from __future__ import annotations

import socket
import sys
from typing import Any, Protocol

_MPI = "mpi4py"


class Communicator(Protocol):
    """What is asked of a communicator: the names of mpi4py, for Python objects.

    One that also has ``dup()``, which all processes call together and which returns another communicator of
    the same processes, can be used by a background thread; so can one of mpi4py with ``THREAD_MULTIPLE``.
    """

    rank: int
    size: int

    def allgather(self, sendobj: Any, /) -> list[Any]:
        """Return what every process has given, by rank."""

    def bcast(self, obj: Any, /, root: int = 0) -> Any:
        """Return what the process `root` has given."""

    def alltoall(self, sendobj: list[Any], /) -> list[Any]:
        """Return what every process has given for this one, by rank."""

    def barrier(self) -> None:
        """Wait for all processes."""


class Alone:
    """The communicator of one process."""

    rank, size = 0, 1

    def allgather(self, sendobj: Any, /) -> list[Any]:
        return [sendobj]

    def bcast(self, obj: Any, /, root: int = 0) -> Any:
        return obj

    def alltoall(self, sendobj: list[Any], /) -> list[Any]:
        return list(sendobj)

    def barrier(self) -> None:
        return None

    def dup(self) -> Alone:
        return self


def as_communicator(comm: Any) -> Communicator:
    """Return what a caller gives as `comm` as a `Communicator`.

    Raises
    ------
    TypeError
        It is none.
    """
    if comm is None:
        return Alone()
    names = ("rank", "size", "allgather", "bcast", "alltoall", "barrier")
    if missing := [name for name in names if not hasattr(comm, name)]:
        raise TypeError(
            f"comm is {comm!r:.80}, which has no {', '.join(missing)}; give None, a communicator of "
            f"mpi4py, or an object with {', '.join(names)}"
        )
    found: Communicator = comm
    return found


def duplicate(comm: Communicator) -> Communicator | None:
    """Return another communicator of the same processes; None if there can be none. All processes call it."""
    make = getattr(comm, "Dup" if _is_mpi(comm) else "dup", None)
    return None if make is None else make()


def for_thread(comm: Communicator) -> Communicator | None:
    """Return another communicator that a thread may use while this one is in use, if there can be one.

    All processes call it.
    """
    if _is_mpi(comm):
        mpi = sys.modules[f"{_MPI}.MPI"]
        if mpi.Query_thread() < mpi.THREAD_MULTIPLE:
            return None
    return duplicate(comm)


def free(comm: Communicator | None) -> None:
    """Give back a communicator that `duplicate` has made. All processes call it."""
    release = None if comm is None else getattr(comm, "Free" if _is_mpi(comm) else "free", None)
    if release is not None:
        release()


class Copies:
    """A caller's communicator and copies of it: messages of checkpoints and of the program must not meet.

    All processes make them together.

    Parameters
    ----------
    given : Communicator
        The caller's.
    threaded : bool
        Whether to make one for background threads, if there can be one.
    """

    def __init__(self, given: Communicator, threaded: bool) -> None:
        self.given = given
        self._copies = [duplicate(given)]
        self.comm = given if self._copies[0] is None else self._copies[0]
        self.background = for_thread(given) if threaded else None
        self._copies.append(self.background)

    def free(self) -> None:
        """Give the copies back. All processes call it, when none uses them."""
        for copy in self._copies:
            free(copy)
        self._copies = []


def takes_threads(comm: Communicator) -> bool:
    """Whether another thread may use a communicator while the thread that made it does not."""
    if not _is_mpi(comm):
        return True
    mpi = sys.modules[f"{_MPI}.MPI"]
    return bool(mpi.Query_thread() >= mpi.THREAD_SERIALIZED)


def abort(comm: Communicator) -> None:
    """End all processes, where the communicator can."""
    if _is_mpi(comm):
        sys.stdout.flush()
        sys.stderr.flush()
        comm.Abort(1)  # type: ignore[attr-defined]


def _is_mpi(comm: object) -> bool:
    return type(comm).__module__.partition(".")[0] == _MPI


def machine() -> str:
    """Return a name of this machine, the same for all processes on it."""
    return socket.gethostname()
