"""Votes: what one process cannot do ends in the same error on all of them, and nobody waits for ever.

Every step that can fail runs inside `together` or `on_first`. An error is caught, sent to all, and raised by
all; so a process that has failed takes part in the exchange like the others.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.communicators import Communicator

T = TypeVar("T")


class Failure(NamedTuple):
    """An error, as it travels.

    Parameters
    ----------
    rank : int
        Of the process that failed.
    text : str
        What the error says.
    pickled : bytes or None
        The error; None if it cannot travel.
    left : bool
        Whether the process takes part in nothing any more.
    """

    rank: int
    text: str
    pickled: bytes | None
    left: bool = False

    @classmethod
    def of(cls, error: BaseException, rank: int, left: bool = False) -> Failure:
        """Return an error of this process as it travels."""
        pickled = None
        if isinstance(error, Exception):
            try:
                pickled = pickle.dumps(error)
                pickle.loads(pickled)
            except Exception:
                pickled = None
        return cls(rank, f"{type(error).__name__}: {error}", pickled, left)

    def error(self, own: BaseException | None, size: int) -> BaseException:
        """Return the error to raise, where `own` is the one of this process, if it failed too."""
        note = f"zchunk: on rank {self.rank} of {size}"
        found: BaseException | None = own
        if found is None and self.pickled is not None:
            try:
                found = pickle.loads(self.pickled)
            except Exception:
                found = None
        if found is None:
            found = CheckpointError(f"rank {self.rank} failed: {self.text}")
        if size > 1 and note not in getattr(found, "__notes__", ()):
            found.add_note(note)
        return found


class Votes(NamedTuple):
    """What all processes have voted: their failures and results, by rank, and the error of this one."""

    failures: list[Failure | None]
    results: list[Any]
    own: BaseException | None

    @property
    def someone_left(self) -> bool:
        """Whether a process takes part in nothing any more."""
        return any(failure is not None and failure.left for failure in self.failures)

    def raise_first(self, comm: Communicator) -> None:
        """Raise the first error, if there is one."""
        for failure in self.failures:
            if failure is not None:
                raise_failure(failure, self.own, comm)


def vote(comm: Communicator, work: Callable[[], object]) -> Votes:
    """Do the work on all processes and return what came of it on each."""
    own: BaseException | None = None
    failure: Failure | None = None
    value: object = None
    try:
        value = work()
    except BaseException as error:
        own, failure = error, Failure.of(error, comm.rank)
    return _exchange(comm, failure, value, own)


def leave(comm: Communicator, error: BaseException) -> None:
    """Take part in the next vote of the other processes with an error, and in nothing any more."""
    _exchange(comm, Failure.of(error, comm.rank, left=True), None, error)


def _exchange(comm: Communicator, failure: Failure | None, value: object, own: BaseException | None) -> Votes:
    votes = comm.allgather((failure, value))
    return Votes([failed for failed, _ in votes], [result for _, result in votes], own)


def together(comm: Communicator, work: Callable[[], T]) -> list[T]:
    """Do the work on all processes and return all results, by rank.

    If it fails on some, all raise the error of the first of them.
    """
    votes = vote(comm, work)
    votes.raise_first(comm)
    return votes.results


def on_first(comm: Communicator, work: Callable[[], T]) -> T:
    """Do the work on the first process and return its result on all; if it fails, all raise the error."""
    own: BaseException | None = None
    outcome: tuple[Failure | None, Any] | None = None
    if comm.rank == 0:
        try:
            outcome = (None, work())
        except BaseException as error:
            own = error
            outcome = (Failure.of(error, 0), None)
    failure, value = comm.bcast(outcome, 0)
    if failure is not None:
        raise_failure(failure, own, comm)
    result: T = value
    return result


def raise_failure(failure: Failure, own: BaseException | None, comm: Communicator) -> None:
    """Raise an error that some process has sent; `own` is the one of this process, if it has one."""
    mine = own if failure.rank == comm.rank else None
    error = failure.error(mine, comm.size)
    raise error from (own if mine is None else error.__cause__)
