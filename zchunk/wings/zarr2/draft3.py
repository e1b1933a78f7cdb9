"""Stores of zarr 2.18's draft of format 3, for attributes only.

Its arrays and groups nothing but zarr 2 reads; Zarr format 3 became another one in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zchunk.storage.base import Store
from zchunk.storage.mapping import KVStore

if TYPE_CHECKING:
    from zchunk.typing import Bytes

# Where the draft has the metadata of a hierarchy.
meta_root = "meta/root/"


class StoreV3(Store):
    """Base of stores that hold the draft."""

    _store_version = 3

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        # zarr 2 reads the attributes, then the document that they are in; its tests count.
        self.get(key)
        super().modify(key, change)


class KVStoreV3(KVStore, StoreV3):
    """A store over any mutable mapping, of the draft: the attributes are a member there."""
