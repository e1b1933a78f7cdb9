"""Locks among the threads of this process, and counts of the values that its threads are replacing.

A chunk or shard, and the metadata of a node, change one thread at a time (`zchunk._ext.threads.locks` says in
which order threads wait for each other). A reader of several parts of one value, one after the other, learns
from the counts whether all parts were of the same value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from zchunk._ext.threads.guards import Replacing, forget_replacements, state
from zchunk._ext.threads.locks import ChunkLocks, KeyLock
from zchunk.errors import ChangeInProgressError

__all__ = ["Replacing", "change_in_progress", "chunk_lock", "chunk_locks", "metadata_lock", "state"]


def change_in_progress(what: str) -> ChangeInProgressError:
    """Return the error for a change inside a change of the same, or of what a thread may wait for.

    Parameters
    ----------
    what : str
        What is being changed.

    Examples
    --------
    >>> raise change_in_progress("chunk '0'")
    Traceback (most recent call last):
    zchunk.errors.ChangeInProgressError: chunk '0' is being changed by the code that ...
    """
    return ChangeInProgressError(
        f"{what} is being changed by the code that this change interrupts, and would undo it, or by another "
        "thread that may wait for that code; a signal handler can read, change something else, or set a flag "
        "so that the change is made later; a program that holds the lock of a chunk can let go of it before "
        "it changes metadata"
    )


def chunk_lock(seed: int, name: str, refused: Callable[[str], BaseException]) -> KeyLock:
    """Return the lock to hold while a chunk or a shard is read and replaced.

    Parameters
    ----------
    seed : int
        Stands for the array: the same for all objects that share its chunks.
    name : str
        Of the chunk, or of the shard.
    refused : callable
        Returns the error for a change inside a change of the same chunk, or out of order.
    """
    return KeyLock(seed, name, refused)


def chunk_locks(seed: int, names: Iterable[str], refused: Callable[[str], BaseException]) -> ChunkLocks:
    """Return the locks to hold while several chunks are replaced, taken in one order by all threads."""
    return ChunkLocks(seed, names, refused)


def metadata_lock(store: object, key: str, *, changes: bool = True, of_value: bool = False) -> KeyLock:
    """Return the lock to hold while the metadata under `key` of a store (any mapping) are read and replaced.

    All stores over the same values, and all arrays and groups in them, get the same lock. All metadata of a
    node have one lock, since a store may keep them in one value.

    Parameters
    ----------
    store : mapping
        The store.
    key : str
        The key of the metadata.
    changes : bool, optional
        The metadata are to be changed; False to read them only, which signal handlers may do at any time,
        without the lock (it is not `held`) if they could only have it by waiting for ever.
    of_value : bool, optional
        Another lock, for the store itself, which replaces the metadata under it.

    Returns
    -------
    KeyLock
        A context manager, which raises `ChangeInProgressError` if the thread is interrupted in such a block,
        or in another one that the holder of this lock may wait for.

    Examples
    --------
    >>> store = {".zattrs": b"{}"}
    >>> with metadata_lock(store, ".zattrs"):
    ...     store[".zattrs"] = b'{"units": "m"}'
    """
    node = key.rpartition("/")[0]
    identity, folded = getattr(store, "lock_identity", None), getattr(store, "_folded", None)
    seed = hash(str(id(store)) if identity is None else identity) & (2**64 - 1)
    return KeyLock(seed, node if folded is None else folded(node), _refused, 2 if of_value else 1, changes)


def _refused(node: str) -> ChangeInProgressError:
    return change_in_progress(f"the metadata of {'/' + node!r}")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_replacements)
