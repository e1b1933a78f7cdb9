"""Where a restart begins: with the last step that all processes find whole, or before the first one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import trees
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.restoring import Checkpoint, Verify, examine


def find_whole(
    comm: Communicator, root: str, steps: Sequence[int], how: Verify, like: Mapping[str, Any] | None
) -> tuple[Checkpoint | None, list[str]]:
    """Return the last of some steps that all processes find whole, and what is wrong with those after it.

    None if there are no steps. All processes call it; see `examine`.

    Raises
    ------
    CheckpointError
        None of them is whole.
    """
    reasons: list[str] = []
    for step in reversed(steps):
        checkpoint, reason = examine(comm, root, step, how, like)
        if checkpoint is not None:
            return checkpoint, reasons
        reasons.append(reason)
    if reasons:
        raise CheckpointError("; ".join(reasons))
    return None, []


def cut_to_nothing(like: Mapping[str, Any] | None) -> list[str]:
    """Take all steps of each `Series` of a state away, where there is no checkpoint; return what was lost.

    All processes call it. All series can be cut, or none is.
    """
    growing = sorted(trees.growing_in(like).items())
    for _, series in growing:
        series._check_length(0)
    lost = [f"{len(series)} steps of {path!r} are taken away" for path, series in growing if len(series)]
    for _, series in growing:
        series.truncate(0)
    return lost
