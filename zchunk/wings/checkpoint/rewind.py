"""Going back: after an earlier step was restored, the steps after it are of a past that the run has left.

They are taken out of sight before the next step is committed, or a `Series` is cut to the restored one.
Otherwise a crash would resume them. Those that the user has left by choice are deleted. Those that were
damaged, and so passed over, are kept in ``.tmp``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import layout, retention


class _Back(NamedTuple):
    """The step that a run was set back to, the steps of the past, and whether those are damaged."""

    to: int
    past: frozenset[int]
    damaged: bool


class Rewind:
    """The step that a run was set back to, until it has saved another one.

    Parameters
    ----------
    root : str
        The folder of all steps.
    refuse : bool
        Whether later steps are an error for the next save.
    """

    def __init__(self, root: str, refuse: bool) -> None:
        self._root, self._refuse = root, refuse
        self._back: _Back | None = None

    def restored(self, step: int, steps: Sequence[int], chosen: bool) -> None:
        """Take note that a step was restored, of those there are: by choice, or as the last whole one."""
        past = frozenset(other for other in steps if other > step)
        self._back = _Back(step, past, not chosen) if past else None

    def latest(self) -> int | None:
        """Return the last step that is not of the past."""
        back = self._back
        steps = [step for step in layout.steps(self._root) if back is None or step <= back.to]
        return steps[-1] if steps else None

    def check_new(self, step: int, pending: Sequence[int]) -> None:
        """Raise `CheckpointError` unless a step is after all that are there or pending, and not of the
        past."""
        # Read before the folder: until then the steps that a save in the background discards are there.
        back = self._back
        steps = layout.steps(self._root)
        later = self._later(back, steps)
        steps = [other for other in steps if other not in later] + list(pending)
        if steps and step <= max(steps):
            what = "is there already" if step in steps else f"is before the last one, {max(steps)}"
            raise CheckpointError(
                f"step {step} in {self._root!r} {what}; restore an earlier step to go on from there, or use "
                "another folder"
            )

    def _later(self, back: _Back | None, steps: Sequence[int]) -> list[int]:
        """Return the steps of the past that are there; raise `CheckpointError` if they are refused."""
        # Not those that another manager has saved since.
        later = [] if back is None else [other for other in steps if other in back.past]
        if back is not None and later and self._refuse:
            raise CheckpointError(
                f"step {back.to} was restored, and steps {later} of {self._root!r} are after it: delete "
                "them, or use on_rewind='discard'"
            )
        return later

    def leave(self, step: int, sync: bool) -> list[str]:
        """Take the steps of the past out of sight now, if the run was set back to this step; return what is
        to be deleted.

        Raises
        ------
        CheckpointError
            Later steps are an error.
        """
        back = self._back
        if back is None or back.to != step:
            return []
        self._later(back, layout.steps(self._root))
        return self.discard(sync)

    def discard(self, sync: bool) -> list[str]:
        """Take the steps of the past out of sight, and return what is to be deleted."""
        back = self._back
        if back is None:
            return []
        found = retention.discard(self._root, back.past, sync, "damaged" if back.damaged else "trash")
        return [] if back.damaged else found

    def committed(self) -> None:
        """Take note that another step is there."""
        self._back = None
