"""Stores: where keys and bytes are kept. Any mutable mapping is one; these do it better."""

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
from zchunk.storage.directory import DirectoryStore, NestedDirectoryStore, TempStore
from zchunk.storage.memory import MemoryStore
from zchunk.storage.resolve import open_store
from zchunk.storage.zip import ZipStore

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
