"""Where the parts of a checkpoint folder are: steps, attempts that are being written, and trash.

A step is a folder named by its number, with at least eight digits. Everything that is not a step for all is
in ``.tmp``: attempts, and steps that are being deleted, each with a number of the process that made it. So
what processes that are gone have left can be told from what others are at work on. Damaged steps that were
passed over are there too; only the user deletes them.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import Literal

from zchunk._ext.io.files import temp_number
from zchunk.creation.nodes import init_group
from zchunk.errors import CheckpointError
from zchunk.metadata.formats import FORMAT3, find
from zchunk.spec.keys import NODE_KEY
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.local.files import sync_folder
from zchunk.storage.local.leftovers import is_abandoned, tidy_beside
from zchunk.storage.local.trees import is_absence, remove_tree

TMP = ".tmp"
_STEP = re.compile(r"\d{8,}")
_ATTEMPT = re.compile(r"\d{8,}-([0-9a-f]{24})")
_TRASH = re.compile(r"trash-\d{8,}-[0-9a-f]{24}")


def has_root(root: str) -> bool:
    """Whether the folder of all steps is there, which is a Zarr group.

    Raises
    ------
    CheckpointError
        Something else is there.
    """
    there = find(DirectoryStore(root), "")
    if there is None:
        return False
    if there != (FORMAT3, "group"):
        fmt, kind = there
        raise CheckpointError(f"{root!r} holds an {kind} of Zarr format {fmt.version}; use another folder")
    return True


def make_root(root: str, sync: bool) -> None:
    """Make the folder of all steps, if it is not there; raise `CheckpointError` if something else is."""
    if has_root(root):
        return
    init_group(DirectoryStore(root, durability="fsync" if sync else "atomic"), "", fmt=FORMAT3)
    if sync:
        sync_folder(os.path.dirname(root))


def step_name(step: int) -> str:
    """Return the name of the folder of a step."""
    return f"{step:08d}"


def step_path(root: str, step: int) -> str:
    """Return the folder of a step."""
    return os.path.join(root, step_name(step))


def is_there(root: str, step: int) -> bool:
    """Whether a step is committed.

    Raises
    ------
    OSError
        The system does not say: a step that cannot be seen for now is not one that is not there.
    """
    try:
        return stat.S_ISREG(os.stat(os.path.join(step_path(root, step), NODE_KEY)).st_mode)
    except OSError as error:
        if not is_absence(error):
            raise
        return False


def steps(root: str) -> list[int]:
    """Return the numbers of the steps that are committed, in order."""
    before: list[str] | None = None
    while True:
        names = _step_names(root)
        found = sorted(step for step in map(int, names) if is_there(root, step))
        # While a step comes and an older one goes, a listing may have neither. None at all means to begin
        # afresh, so it is looked for again, until nothing moves.
        if found or names == before:
            return found
        before = names


def _step_names(root: str) -> list[str]:
    try:
        names = os.listdir(root)
    except OSError as error:
        if not is_absence(error):
            raise
        return []
    return sorted(name for name in names if _STEP.fullmatch(name) and step_name(int(name)) == name)


def new_attempt(root: str, step: int) -> str:
    """Return the path of a folder to write a step in, which no other attempt has had, or will have."""
    return os.path.join(root, TMP, f"{step_name(step)}-{temp_number():024x}")


def discard(root: str, step: int, kind: Literal["trash", "damaged"] = "trash") -> str | None:
    """Take a step out of sight in one step, and return where it is now; None if it is gone already.

    `clean` deletes what is trash, and not what is damaged.
    """
    trash = os.path.join(root, TMP, f"{kind}-{step_name(step)}-{temp_number():024x}")
    os.makedirs(os.path.dirname(trash), exist_ok=True)
    try:
        move(step_path(root, step), trash)
    except FileNotFoundError:
        return None
    return trash


def move(folder: str, target: str) -> None:
    """Give a folder, or a file, another name.

    Over NFS the answer to a rename can be lost, and the client asks again: then there is nothing to rename,
    since it has its new name.

    Raises
    ------
    FileNotFoundError
        It is gone.
    OSError
        As the system says, such as that something else has the name.
    """
    own = os.stat(folder)
    try:
        os.rename(folder, target)
    except FileNotFoundError:
        if not (os.path.exists(target) and os.path.samestat(own, os.stat(target))):
            raise


def clean(root: str, sync: bool) -> list[str]:
    """Delete attempts whose process is gone, and trash; return their paths.

    An attempt of a process on another machine counts as left over after a day.

    Raises
    ------
    OSError
        The folder cannot be synced: a crash could bring steps back, so their files stay.
    """
    removed = []
    entries: list[os.DirEntry[str]] = []
    with suppress(FileNotFoundError), os.scandir(os.path.join(root, TMP)) as found:
        entries += found
    # Their way out of sight may not be synced: a process was killed, or its disk has failed.
    if sync and any(_TRASH.fullmatch(entry.name) for entry in entries):
        sync_folder(root)
    for entry in entries:
        attempt = _ATTEMPT.fullmatch(entry.name)
        # One that cannot be deleted, or not yet, is no reason to leave the others.
        with suppress(OSError):
            if _TRASH.fullmatch(entry.name) or (attempt and is_abandoned(attempt[1], entry)):
                remove_tree(entry.path)
                removed.append(entry.path)
    # A process that was killed while it made the root.
    tidy_beside(os.path.join(root, NODE_KEY))
    remove_tmp(root)
    return removed


def remove_tmp(root: str) -> None:
    """Delete the folder of attempts if there are none: other libraries warn of what they do not know."""
    with suppress(OSError):
        os.rmdir(os.path.join(root, TMP))
