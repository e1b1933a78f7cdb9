"""Meetings: all processes are in the same call of a manager, or learn there why one of them is not.

A process that leaves a ``with`` block by an exception takes part in the next meeting of the others, which
raise its error. It does not wait for that meeting for ever: the others may wait for it elsewhere, in a call
of MPI by the program.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import TypeVar

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import communicators
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.pending import Pending
from zchunk.wings.checkpoint.vote import leave, vote

T = TypeVar("T")

# Seconds that a process which leaves by an error waits for the others.
PATIENCE = 10.0


class Meetings:
    """The meetings of all processes, until one of them leaves.

    Parameters
    ----------
    comm : Communicator
        Of all processes.
    pending : Pending
        The saves that are not finished: if one has failed, a meeting raises its error.
    """

    def __init__(self, comm: Communicator, pending: Pending) -> None:
        self._comm, self._pending = comm, pending
        self._left = False

    def meet(self, call: str, work: Callable[[], T]) -> list[T]:
        """Meet all processes in a call, and return what `work` gives on each of them.

        If it fails on one, all raise that error; and so if a save in the background has failed.
        """
        if self._left:
            raise CheckpointError(
                "another process has left its CheckpointManager by an error; nobody can go on"
            )
        known = self._pending.has_failed
        votes = vote(self._comm, lambda: (call, known, work()))
        self._left = votes.someone_left
        votes.raise_first(self._comm)
        said: list[tuple[str, bool, T]] = votes.results
        calls = [other for other, _, _ in said]
        if len(set(calls)) > 1:
            raise CheckpointError(f"the processes call different methods, by rank: {', '.join(calls)}")
        if any(knows for _, knows, _ in said):
            # It fails on all, but some do not know yet.
            self._pending.finish(0)
        return [value for _, _, value in said]

    def meet_at(self, call: str, step: int | None) -> None:
        """Meet all processes in a call for a step; raise `CheckpointError` if they name different ones."""
        steps = self.meet(call, lambda: step)
        if any(other != steps[0] for other in steps):
            raise CheckpointError(
                f"the processes {call} different steps, by rank: {', '.join(map(str, steps))}"
            )

    def leave(self, error: BaseException) -> bool:
        """Leave by an error, which the next call of other processes raises; return whether they know of it.

        If they do not come, and the program then ends, it takes the job with it where MPI can do so.
        """
        # Those that have learnt of an error from one that has left would wait for it in vain.
        if self._comm.size == 1 or self._left:
            return True
        self._left = True

        def say() -> None:
            try:
                leave(self._comm, error)
            except Exception as other:
                error.add_note(
                    f"zchunk: the other processes cannot be reached: {type(other).__name__}: {other}"
                )

        if not communicators.takes_threads(self._comm):
            say()
            return True
        thread = threading.Thread(target=say, name="zchunk-checkpoint-leave", daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if not thread.is_alive():
            return True
        error.add_note(f"zchunk: the other processes have not come to a call for {PATIENCE:g} s")
        # They may wait for this process in a call of the program; and the end of MPI waits for them.
        atexit.register(self._abandon, thread)
        return False

    def _abandon(self, thread: threading.Thread) -> None:
        if thread.is_alive():
            communicators.abort(self._comm)
