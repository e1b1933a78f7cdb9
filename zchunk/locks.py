"""Locks among the threads of this process: who changes metadata in a store, one at a time."""

from __future__ import annotations

from typing import Any

from zchunk._ext.locks import Stripe


def metadata_lock(store: Any, key: str) -> Stripe:
    """Return the lock to hold while the metadata under `key` of a store (any mapping) are read and replaced.

    All stores over the same values, and all arrays and groups in them, meet at the same lock. All metadata of
    a node have one: a store may keep them in one value.
    """
    node = key.rpartition("/")[0]
    identity = getattr(store, "lock_identity", None)
    return Stripe(hash(str(id(store)) if identity is None else identity) & (2**64 - 1), node, metadata=True)
