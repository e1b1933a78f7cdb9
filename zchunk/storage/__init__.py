"""Stores: where keys and bytes are kept. Any mutable mapping is one; these do it better."""

from typing import TYPE_CHECKING, Any

from zchunk.storage import lazy
from zchunk.storage.base import (
    KVStore,
    Store,
    as_store,
    contains_array,
    contains_group,
    getsize,
    listdir,
    rename,
    rmdir,
)
from zchunk.storage.consolidated import ConsolidatedMetadataStore
from zchunk.storage.directory import DirectoryStore, NestedDirectoryStore
from zchunk.storage.memory import MemoryStore
from zchunk.storage.resolve import open_store

if TYPE_CHECKING:
    from zchunk.storage.lazy import TempStore, ZipStore

__all__ = [
    "ConsolidatedMetadataStore",
    "DirectoryStore",
    "KVStore",
    "MemoryStore",
    "NestedDirectoryStore",
    "Store",
    "TempStore",
    "ZipStore",
    "as_store",
    "contains_array",
    "contains_group",
    "getsize",
    "listdir",
    "open_store",
    "rename",
    "rmdir",
]


def __getattr__(name: str) -> Any:
    if name in lazy.__all__:
        return getattr(lazy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
