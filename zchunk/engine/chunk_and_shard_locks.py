"""The lock of a chunk, and of a shard: held by the thread that changes it.

What is one key in the store has one lock: a chunk, or a shard with all chunks in it. It is found by the array
(`seed_of`) and the name, so that all objects for the same array, and kernels (`lock_chunk` of
`zchunk._ext.threads.locks`), take the same one. Readers take none: one that reads a shard in several parts
learns from `state` whether a thread was `Replacing` the shard meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from zchunk._ext.threads.guards import Replacing, forget_replacements, state
from zchunk._ext.threads.locks import ChunkLocks, KeyLock
from zchunk.errors import ChangeInProgressError, change_in_progress
from zchunk.sync import outer_lock

if TYPE_CHECKING:
    from zchunk.engine.array import ChunkedArray

__all__ = ["Replacing", "chunk_lock", "chunk_locks", "locks_to_change", "refused", "seed_of", "state"]


# Several threads may be in it.
_NONE = nullcontext()


def seed_of(where: str, path: str) -> int:
    """Return the number by which all objects for the same array find the same locks.

    Parameters
    ----------
    where : str
        Name of the array in this process.
    path : str
        Of the array in its store.
    """
    # Links below the folder of the store; the path to that folder is real already.
    real = os.path.realpath(where) if path and os.path.isabs(where) else where
    return hash(real) & (2**64 - 1)


def chunk_lock(array: ChunkedArray, name: str) -> AbstractContextManager[Any]:
    """Return the lock that a thread holds while it changes the chunk, or the shard, of this name.

    None for a chunk in a shard: its writer holds the lock of the shard.
    """
    return _NONE if array.in_shard else KeyLock(array.lock_seed, name, partial(refused, array))


def chunk_locks(array: ChunkedArray, names: Iterable[str]) -> AbstractContextManager[Any]:
    """Return the locks that a thread holds while it changes several chunks, in one order for all threads."""
    return _NONE if array.in_shard else ChunkLocks(array.lock_seed, names, partial(refused, array))


def locks_to_change(
    array: ChunkedArray, name: str, key: str
) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return the lock of the array's synchronizer for a chunk, or a shard, and the lock to take after it."""
    synchronizer = array.synchronizer
    return _NONE if synchronizer is None else outer_lock(synchronizer, key), chunk_lock(array, name)


def refused(array: ChunkedArray, name: str) -> ChangeInProgressError:
    """Return the error for a change inside a change of the same chunk, or shard, or out of order."""
    return change_in_progress(f"chunk {array.key_of(name)!r} of array {array.name!r}")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_replacements)
