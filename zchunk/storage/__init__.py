"""Stores: where keys and bytes are kept. Any mutable mapping is one; these do it better."""

from zchunk.storage.base import (
    KVStore,
    Store,
    as_store,
    contains_array,
    contains_group,
    erase_prefix,
    get_many,
    get_range,
    getsize,
    is_empty,
    list_dir,
    listdir,
    local_root,
    rename,
    rmdir,
    set_many,
    size,
)
from zchunk.storage.directory import DirectoryStore, NestedDirectoryStore, TempStore
from zchunk.storage.memory import MemoryStore
from zchunk.storage.resolve import open_store
from zchunk.storage.zip import ZipStore

__all__ = [
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
    "erase_prefix",
    "get_many",
    "get_range",
    "getsize",
    "is_empty",
    "list_dir",
    "listdir",
    "local_root",
    "open_store",
    "rename",
    "rmdir",
    "set_many",
    "size",
]
