"""Arrays that do not change from step to step: their files are linked, not written again.

A file of a committed step is never changed, so that two steps can share it: a hard link costs no space and no
time. Where the file system has none, the file is copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from zchunk.spec.keys import NODE_KEY, join
from zchunk.storage.local.directory import DirectoryStore
from zchunk.wings.checkpoint.plan import Plan
from zchunk.wings.checkpoint.trees import quote
from zchunk.wings.checkpoint.verification import Files, Step


class Linked(NamedTuple):
    """An array of an earlier step, for another one.

    Parameters
    ----------
    name : str
        Its path in the step.
    source : str
        Its folder.
    files : list of (str, int)
        Names and sizes of its files.
    document : bytes
        Its metadata, as they are stored.
    """

    name: str
    source: str
    files: list[tuple[str, int]]
    document: bytes


def with_static(state: dict[str, Any], static: dict[str, Any] | None) -> dict[str, Any]:
    """Return a state with what is static in it.

    Raises
    ------
    ValueError
        Something is in both.
    """
    if not static:
        return state
    if both := sorted(map(str, state.keys() & static.keys())):
        raise ValueError(f"{', '.join(both)} is in the state and in static")
    return state | static


def find_linked(found: Step, plan: Plan, static: Collection[str]) -> list[Linked]:
    """Return the arrays of a plan, below names of `static`, that a step has whole, with this shape and
    dtype."""
    tops, linked = {quote(str(name)) for name in static}, []
    for name in sorted(set(found.names) & plan.arrays.keys()):
        wanted, there = plan.arrays[name].draft.placement.metadata, found.array(name)
        assert wanted is not None
        if name.split("/")[0] in tops and there.shape == wanted.shape and there.dtype == wanted.dtype:
            # What the step has lost is written again.
            files = found.files(name)
            if Files.of(files) == found.recorded(name):
                folder = os.path.join(found.path, name)
                linked.append(Linked(name, folder, files, found.store[join(name, NODE_KEY)]))
    return linked


def link(array: Linked, store: DirectoryStore, rank: int, size: int) -> Iterator[tuple[str, int]]:
    """Link what falls to this process of the files of an array; yield their keys and sizes."""
    for file, nbytes in array.files[rank::size]:
        key = join(array.name, file)
        target = store.file_path(key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        source = os.path.join(array.source, file)
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:
            # No links here, or too many of this file.
            shutil.copyfile(source, target)
        yield key, nbytes


def without(plan: Plan, linked: Sequence[Linked]) -> Plan:
    """Return what is left of a plan to write."""
    names = {array.name for array in linked}
    return Plan({name: array for name, array in plan.arrays.items() if name not in names})
