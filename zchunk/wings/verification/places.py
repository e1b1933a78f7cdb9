"""The place that a caller names: a node, or a store and a path, with the store of the chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from zchunk.core.node import Node
from zchunk.spec.keys import join, normalize_path
from zchunk.storage import ConsolidatedMetadataStore
from zchunk.storage.base import Mode, Store
from zchunk.storage.resolve import using_store

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import StorageOptions, StoreLike

# Below it `repair` sets aside what cannot be decoded, under the keys that it had.
QUARANTINE = ".quarantine"


class Place(NamedTuple):
    """The store of the metadata, that of the chunks, which mostly is the same, and the path of a node."""

    store: Store
    chunks: Store
    path: str

    @property
    def stores(self) -> list[Store]:
        """The stores, each once."""
        return [self.store] if self.chunks is self.store else [self.store, self.chunks]


@contextmanager
def placed(
    store: StoreLike | Array | Group, path: str, storage_options: StorageOptions | None, mode: Mode = "r"
) -> Iterator[Place]:
    """Give the place, and close the store at the end if it was opened here, by its path."""
    path = normalize_path(path)
    if not isinstance(store, Node):
        with using_store(store, mode, storage_options) as target:
            yield Place(target, target, path)
        return
    own: Any = store.store
    if isinstance(own, ConsolidatedMetadataStore):
        # What it holds is a copy, which is to be looked at, too.
        own = own.store
    yield Place(own, store.chunk_store, join(store.path, path) if path else store.path)


def keys_of(store: Store, path: str) -> Iterator[str]:
    """Yield the keys below a path, but for what was set aside."""
    return (key for key in store._keys_below(path) if not key.startswith(f"{QUARANTINE}/"))
