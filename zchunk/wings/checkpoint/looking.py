"""What one process may do by itself: look which steps there are, and where."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zchunk.wings.checkpoint import layout

if TYPE_CHECKING:
    from zchunk.typing import PathLike


class StepFolder:
    """The folder of all steps, for looking.

    Parameters
    ----------
    directory : path
        It need not be there yet.
    """

    def __init__(self, directory: PathLike) -> None:
        self.directory = os.path.abspath(os.fspath(directory))

    def all_steps(self) -> list[int]:
        """Return the steps that are there, in order. Not collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> CheckpointManager("nothing.ckpt").all_steps()
        []
        """
        return layout.steps(self.directory)

    def latest_step(self) -> int | None:
        """Return the last step that is there, None if there is none. Not collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> CheckpointManager("nothing.ckpt").latest_step() is None
        True
        """
        steps = self.all_steps()
        return steps[-1] if steps else None

    def path(self, step: int) -> str:
        """Return the folder of a step, for any Zarr library. Not collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> CheckpointManager("run.ckpt").path(120).endswith("run.ckpt/00000120")
        True
        """
        return layout.step_path(self.directory, step)
