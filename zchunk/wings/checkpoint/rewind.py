"""Going back: after an earlier step was restored, the steps after it are of a past that the run has left.

They are taken out of sight before the next step is committed. Otherwise a crash would resume them.
"""

from __future__ import annotations

from collections.abc import Sequence

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import layout, retention


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
        self._to: int | None = None

    def restored(self, step: int, steps: Sequence[int]) -> None:
        """Take note that a step was restored, of those that there are."""
        self._to = step if step < max(steps) else None

    def latest(self) -> int | None:
        """Return the last step that is not of the past."""
        to = self._to
        steps = [step for step in layout.steps(self._root) if to is None or step <= to]
        return steps[-1] if steps else None

    def check_new(self, step: int, pending: Sequence[int]) -> None:
        """Raise `CheckpointError` unless a step is after all that are there or pending, and not of the
        past."""
        # Read before the folder: until then the steps that a save in the background discards are there.
        to = self._to
        steps = layout.steps(self._root)
        later = [other for other in steps if to is not None and other > to]
        if later and self._refuse:
            raise CheckpointError(
                f"step {to} was restored, and steps {later} of {self._root!r} are after it: delete them, or "
                "use on_rewind='discard'"
            )
        steps = [other for other in steps if other not in later] + list(pending)
        if steps and step <= max(steps):
            what = "is there already" if step in steps else f"is before the last one, {max(steps)}"
            raise CheckpointError(
                f"step {step} in {self._root!r} {what}; restore an earlier step to go on from there, or use "
                "another folder"
            )

    def discard(self, sync: bool) -> list[str]:
        """Take the steps of the past out of sight, and return what is to be deleted."""
        to = self._to
        if to is None:
            return []
        return retention.discard(self._root, [step for step in layout.steps(self._root) if step > to], sync)

    def committed(self) -> None:
        """Take note that another step is there."""
        self._to = None
