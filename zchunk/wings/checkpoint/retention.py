"""Which steps are kept, and how the others go: out of sight in one step, then file by file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from zchunk.storage.local.files import sync_folder
from zchunk.storage.local.trees import remove_tree
from zchunk.wings.checkpoint import layout


def superfluous(steps: Iterable[int], max_to_keep: int | None, keep_every: int | None) -> list[int]:
    """Return which steps are not to be kept.

    Parameters
    ----------
    steps : iterable of int
        All that there are.
    max_to_keep : int or None
        Keep so many of the last ones; None keeps all.
    keep_every : int or None
        Keep besides those whose number is a multiple of this; they do not count among the last ones.
    """
    if max_to_keep is None:
        return []
    rest = sorted(step for step in steps if not (keep_every and step % keep_every == 0))
    return rest[: max(len(rest) - max_to_keep, 0)]


def discard(
    root: str, steps: Collection[int], sync: bool, kind: Literal["trash", "damaged"] = "trash"
) -> list[str]:
    """Take steps out of sight; return where they are now. Afterwards no crash brings them back if `sync`."""
    found = [layout.discard(root, step, kind) for step in sorted(steps, reverse=True)]
    if found and sync:
        sync_folder(root)
    return [trash for trash in found if trash is not None]


def delete(root: str, trash: Iterable[str], sync: bool) -> None:
    """Delete what was taken out of sight, and what processes that are gone have left."""
    for folder in trash:
        remove_tree(folder)
    layout.clean(root, sync)
