"""One save on its way: what the caller's thread has agreed on and copied, for a background thread to
finish."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zchunk.runtime.workers import Task
from zchunk.storage.local.trees import remove_tree
from zchunk.wings.checkpoint import layout, retention
from zchunk.wings.checkpoint.background import Background
from zchunk.wings.checkpoint.commit import Attempt, Written
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.rewind import Rewind
from zchunk.wings.checkpoint.staging import Piece
from zchunk.wings.checkpoint.vote import Failure, raise_failure


class Saving:
    """A save, in parts: `take` and `write`, which each process does by itself, and `finish`, which all do
    together.

    An error of the first two is for the vote in the last one, so a process needs no message of the others
    before it goes on.

    Parameters
    ----------
    attempt : Attempt
        Where it is written.
    share : tuple of int
        The number of this process, and of how many.
    attributes : mapping
        Of the group.
    rewind : Rewind
        Which steps are of a past that was left: they go before this one comes.
    superfluous : callable
        Called with all steps; returns those that are not kept when this one is there.
    """

    def __init__(
        self,
        attempt: Attempt,
        share: tuple[int, int],
        attributes: Mapping[str, Any],
        rewind: Rewind,
        superfluous: Callable[[Sequence[int]], Sequence[int]],
    ) -> None:
        self.attempt = attempt
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._share = share
        self._attributes = attributes
        self._rewind = rewind
        self._superfluous = superfluous
        # None when they are written.
        self._pieces: Sequence[Piece] | None = ()
        self._written: Written = {}
        self._failed: BaseException | None = None
        self._task: Task[None] | None = None
        self._thread: Background | None = None
        self._begun = time.monotonic()
        self._voted = False

    def take(self, stage: Callable[[], Sequence[Piece]]) -> BaseException | None:
        """Call `stage` for the shards that this process writes; return its error."""
        try:
            self._pieces = stage()
        except BaseException as error:
            self._failed = error
        return self._failed

    def start(self, thread: Background, comm: Communicator | None) -> None:
        """Have a thread write; it finishes too, if it has `comm`."""

        def work() -> None:
            self.write()
            if comm is not None:
                self.finish(comm)
            # The thread of a manager that is no more ends.
            self._thread = None

        self._task, self._thread = Task(work), thread
        self.queue()

    def queue(self) -> None:
        """Have the thread come to it, if that is not sure: Ctrl-C may have come before it was told.

        What the thread is told twice it does once.
        """
        if self._task is None or self._thread is None or self._task.done:
            return
        try:
            self._thread.put(self._task)
        except RuntimeError:
            # The system starts no more threads: then it is done by the next call.
            self._task = None

    @property
    def in_background(self) -> bool:
        """Whether it is for the thread."""
        return self._task is not None

    @property
    def is_written(self) -> bool:
        """Whether the part of this process is done, or is for the next call."""
        return self._task is None or self._task.done

    @property
    def is_finished(self) -> bool:
        """Whether all is done."""
        return self._voted and self.is_written

    def complete(self, comm: Communicator) -> None:
        """Wait for the thread, or do what it does if there is none, and finish with all processes."""
        self.wait()
        if self._task is None:
            self.write()
        self.finish(comm)

    def wait(self) -> None:
        """Wait for the thread, if this is for it."""
        self.queue()
        if self._task is not None:
            self._task.exception()

    def write(self) -> None:
        """Write what this process writes. An error is for the vote."""
        if self._failed is None and self._pieces is not None:
            try:
                self._written = self.attempt.write(self._pieces, *self._share)
            except BaseException as error:
                self._failed = error
        self._pieces = None

    def finish(self, comm: Communicator) -> None:
        """Vote and commit, with all processes. An error is the same on all, and is for the next call."""
        if self._voted:
            return
        self._voted = True
        try:
            self._finish(comm)
        except BaseException as error:
            self.error = error
            if comm.rank == 0:
                self._abandon()
        self.seconds = time.monotonic() - self._begun

    def _finish(self, comm: Communicator) -> None:
        failure = None if self._failed is None else Failure.of(self._failed, comm.rank)
        votes: list[tuple[Failure | None, Written]] = comm.allgather((failure, self._written))
        outcome: Failure | None = next((failed for failed, _ in votes if failed is not None), None)
        own = self._failed
        trash: list[str] = []
        if comm.rank == 0 and outcome is None:
            try:
                trash = self._commit([written for _, written in votes])
            except BaseException as error:
                own, outcome = error, Failure.of(error, 0)
        outcome = comm.bcast(outcome, 0)
        if outcome is not None:
            raise_failure(outcome, own, comm)
        # All know of the new step; from now on nobody needs the old ones.
        if comm.rank == 0:
            # The step is there, whatever comes of this, and no other process would learn of an error.
            try:
                retention.delete(self.attempt.root, trash, self.attempt.sync)
            except OSError as error:
                _warn_of_old_steps(self.attempt.root, error)

    def _commit(self, votes: Sequence[Written]) -> list[str]:
        """Make the step one that all see, and return what is to be deleted."""
        attempt, root, trash = self.attempt, self.attempt.root, []
        attempt.publish(votes, self._attributes)
        # Before the new step comes: a crash in between must not bring the steps after it back.
        trash += self._rewind.discard(attempt.sync)
        attempt.commit()
        self._rewind.committed()
        try:
            trash += retention.discard(root, self._superfluous(layout.steps(root)), attempt.sync)
        except OSError as error:
            _warn_of_old_steps(root, error)
        return trash

    def _abandon(self) -> None:
        """Delete what was written: all processes have voted, or cannot be reached."""
        try:
            self.attempt.blocks.delete()
            if os.path.lexists(self.attempt.folder):
                remove_tree(self.attempt.folder)
            layout.clean(self.attempt.root, self.attempt.sync)
        except OSError:
            # The disk that has failed, perhaps; the next start cleans up.
            return


def _warn_of_old_steps(root: str, error: OSError) -> None:
    warnings.warn(f"{root!r}: old steps cannot be deleted: {error}", RuntimeWarning, stacklevel=2)
