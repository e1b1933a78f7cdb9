"""The saves of a manager that are not finished: all processes have the same ones, in the same order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize

from zchunk.wings.checkpoint.background import Background
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.saving import Saving


class Pending:
    """The saves that are not finished, and the error of one that has failed.

    Parameters
    ----------
    comm : Communicator
        Of all processes.
    background : Communicator or None
        Another one of them, that background threads use; None if they cannot.
    finished : callable
        Called with the seconds that each save took.
    """

    def __init__(
        self, comm: Communicator, background: Communicator | None, finished: Callable[[float], None]
    ) -> None:
        self._comm, self._background, self._finished = comm, background, finished
        self._thread = Background()
        self._savings: list[Saving] = []
        # Of those that have failed; what the caller is told of first.
        self._failed: list[Saving] = []
        # At the end of this process: one that multiprocessing has forked ends without what atexit knows.
        self._report = Finalize(None, _report, (self._savings, self._failed, background), exitpriority=0)

    @property
    def steps(self) -> list[int]:
        """The steps that are saved."""
        return [saving.attempt.step for saving in self._savings]

    @property
    def are_written(self) -> bool:
        """Whether this process has written its part of all of them."""
        return all(saving.is_written for saving in self._savings)

    @property
    def has_failed(self) -> bool:
        """Whether this process knows of an error; others may learn of it later."""
        self._take_note()
        return bool(self._failed)

    def add(self, saving: Saving, in_background: bool) -> None:
        """Add a save, and begin it if it is for the background."""
        for earlier in self._savings:
            earlier.queue()
        # All processes do them in one order.
        follows = all(earlier.in_background for earlier in self._savings)
        self._savings.append(saving)
        if in_background and follows:
            saving.start(self._thread, self._background)

    def finish(self, most: int) -> None:
        """Finish saves until `most` are left; raise the error if one has failed. All processes call it."""
        while len(self._savings) > most:
            self._savings[0].complete(self._comm if self._background is None else self._background)
            self._take_note()
        failed = [saving.error for saving in self._failed]
        self._failed.clear()
        for error in failed:
            assert error is not None
            raise error

    def finish_written(self) -> None:
        """Finish saves that all processes have written, if that is not done in the background."""
        if self._background is None:
            self.finish(0)

    def leave(self, error: BaseException) -> None:
        """Wait for what can be finished without a call by the others; note on an error what has failed."""
        for saving in (*self._failed, *self._savings):
            if self._background is not None:
                saving.complete(self._background)
            what = _outcome(saving)
            if what is not None:
                error.add_note(f"zchunk: {what}")

    def release(self) -> None:
        """Say nothing more of what has failed: the caller knows. Nothing more is added."""
        self._report.cancel()
        self._thread.end()

    def _take_note(self) -> None:
        """Drop saves that are finished, and remember their errors."""
        while self._savings and self._savings[0].is_finished:
            saving = self._savings.pop(0)
            self._finished(saving.seconds)
            if saving.error is not None:
                self._failed.append(saving)


def _report(savings: Sequence[Saving], failed: Sequence[Saving], background: Communicator | None) -> None:
    """Warn, at the end of a program that has not closed its manager, of steps that it takes for saved."""
    for saving in (*failed, *savings):
        # The thread is a daemon, for which the interpreter does not wait.
        if background is None:
            saving.wait()
        else:
            saving.complete(background)
        what = _outcome(saving)
        if what is not None:
            warnings.warn(f"{what}; close a CheckpointManager at its end", RuntimeWarning, stacklevel=2)


def _outcome(saving: Saving) -> str | None:
    """Return what has become of a save that nobody waited for, if it is not there."""
    where = f"step {saving.attempt.step} in {saving.attempt.root!r}"
    if saving.error is not None:
        return f"{where} was not saved: {type(saving.error).__name__}: {saving.error}"
    return None if saving.is_finished else f"{where} was not saved: not all processes have finished it"
