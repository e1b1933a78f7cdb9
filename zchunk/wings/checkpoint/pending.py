"""The saves of a manager that are not finished: all processes have the same ones, in the same order."""

from __future__ import annotations

from collections.abc import Callable

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
        self._savings: list[Saving] = []
        self._error: BaseException | None = None

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
        return self._error is not None

    def add(self, saving: Saving, in_background: bool) -> None:
        """Add a save, and begin it if it is for the background."""
        before = self._savings[-1] if self._savings else None
        self._savings.append(saving)
        if in_background:
            saving.start(before, self._background)

    def finish(self, most: int) -> None:
        """Finish saves until `most` are left; raise the error if one has failed. All processes call it."""
        while len(self._savings) > most:
            saving = self._savings[0]
            saving.join()
            if not saving.in_background:
                saving.write()
            saving.finish(self._comm if self._background is None else self._background)
            self._take_note()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def finish_written(self) -> None:
        """Finish saves that all processes have written, if that is not done in the background."""
        if self._background is None:
            self.finish(0)

    def leave(self) -> None:
        """Wait for what can be finished without a call by the others."""
        if self._background is not None:
            for saving in self._savings:
                saving.join()

    def _take_note(self) -> None:
        """Drop saves that are finished, and remember their errors."""
        while self._savings and self._savings[0].is_finished:
            saving = self._savings.pop(0)
            self._finished(saving.seconds)
            if saving.error is not None and self._error is None:
                self._error = saving.error
