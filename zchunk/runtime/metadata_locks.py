"""The lock of a node's metadata, among the threads of this process.

The metadata and attributes of a node change one thread at a time (`zchunk._ext.threads.locks` says in which
order threads wait for each other). Chunks and shards have other locks, see
`zchunk.engine.chunk_and_shard_locks`.
"""

from __future__ import annotations

from zchunk._ext.threads.locks import KeyLock
from zchunk.errors import ChangeInProgressError, change_in_progress


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
