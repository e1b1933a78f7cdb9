"""dask arrays in a state: dask's workers write them block by block, and the client commits what they have
written.

dask may run a task twice, and the first run may end last: on a worker that was taken for dead. So every run
writes into a folder of its own, which its result names. The client moves the files of the results that it was
given into the attempt, and deletes the rest. No run can reach what the client has moved.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from zchunk._ext.io.files import temp_number
from zchunk.errors import CheckpointError
from zchunk.runtime.lazy import LazyModule
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.local.trees import remove_tree
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.plan import ArrayPlan, Plan
from zchunk.wings.checkpoint.trees import Leaf
from zchunk.wings.checkpoint.values import LazyArray, as_plain

# Most of it has no annotations.
dask: Any = LazyModule("dask")


class File(NamedTuple):
    """A file that a run of a task has written: its array, its key, the folder of the run, and its bytes."""

    name: str
    key: str
    folder: str
    nbytes: int


class Blocks(NamedTuple):
    """What workers have written: the folder of all runs, and the files of those that count."""

    folder: str | None = None
    files: Sequence[File] = ()

    def move(self, store: DirectoryStore) -> Iterator[File]:
        """Move the files to their keys in a store; yield each. What is left of the runs is deleted.

        Raises
        ------
        CheckpointError
            A file is not there.
        """
        for file in self.files:
            source, target = os.path.join(file.folder, file.key), store.file_path(file.key)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                layout.move(source, target)
            except FileNotFoundError:
                raise CheckpointError(
                    f"a worker of dask has written {source!r}, which is not there: do all workers see the "
                    "same folder?"
                ) from None
            yield file
        self.delete()

    def delete(self) -> None:
        """Delete the folder of the runs."""
        # A run that nobody waits for may be writing there: the next start deletes what it leaves.
        with suppress(OSError):
            if self.folder is not None:
                remove_tree(self.folder)


class _Writer:
    """Writes blocks of an array, as a task: each is a shard."""

    def __init__(self, folder: str, array: ArrayPlan, sync: bool) -> None:
        self._folder, self._array, self._sync = folder, array, sync

    def __dask_tokenize__(self) -> tuple[str, str]:
        # No other attempt has this folder.
        return self._folder, self._array.name

    def __call__(self, block: Any, block_id: tuple[int, ...]) -> np.ndarray[Any, Any]:
        name, box, items = self._array.name, self._array.parts.box(block_id), as_plain(block)
        if items.shape != box.shape:
            raise ValueError(
                f"a block of {name!r} has shape {items.shape}, and dask said {box.shape}: call its "
                "compute_chunk_sizes() before"
            )
        run = os.path.join(self._folder, f"{temp_number():024x}")
        # Not with the folders above: they are gone when nobody waits for this run.
        os.mkdir(run)
        store = DirectoryStore(run, durability="atomic")
        store.direct = self._sync
        array = self._array.array(store)
        if not np.can_cast(items.dtype, array.dtype, "same_kind"):
            raise TypeError(f"a block of {name!r} is of {items.dtype}, and dask said {array.dtype}")
        array[box.slices] = items
        key = array._chunked.key(block_id)
        if self._sync:
            store.sync(key)
        found = np.empty(1, object)
        found[0] = File(name, key, run, store.size(key))
        return found.reshape((1,) * items.ndim)


def write_blocks(root: str, step: int, plan: Plan, leaves: Mapping[str, Leaf], sync: bool) -> Blocks:
    """Let dask's workers write the dask arrays of a plan; return where they are when all are written.

    An error of one of them is raised here, after what the others have written was deleted.
    """
    lazy = {name: leaf.array for name, leaf in leaves.items() if isinstance(leaf, LazyArray)}
    arrays = {name: plan.arrays[name] for name in lazy if name in plan.arrays and lazy[name].size}
    if not arrays:
        return Blocks()
    folder = layout.new_attempt(root, step)
    os.makedirs(folder)
    try:
        # All of them in one graph: what they have in common is computed once.
        written = dask.compute(
            *[_write(_Writer(folder, array, sync), lazy[name], array) for name, array in arrays.items()]
        )
        files = [file for found in written for file in found.ravel()]
        for name, array in arrays.items():
            have, want = sum(file.name == name for file in files), math.prod(_counts(array))
            if have != want:
                raise CheckpointError(f"array {name!r} has {want} blocks, and workers have written {have}")
    except BaseException:
        Blocks(folder).delete()
        layout.remove_tmp(root)
        raise
    return Blocks(folder, files)


def _counts(array: ArrayPlan) -> list[int]:
    parts = array.parts
    return [-(-length // shard) for length, shard in zip(parts.shape, parts.shard_shape, strict=True)]


def _write(writer: _Writer, lazy: Any, array: ArrayPlan) -> Any:
    """Return a dask array of the files that the blocks of a dask array become: one block is one shard."""
    ones = tuple((1,) * count for count in _counts(array))
    return lazy.rechunk(array.parts.shard_shape).map_blocks(
        writer, chunks=ones, dtype=object, meta=np.empty((0,) * lazy.ndim, object)
    )
