"""Stores: where keys and bytes are kept. Any mutable mapping is one; these do it better.

`base` has the contract, `resolve` and `urls` find the store that a user names, `registry` imports it. Stores
by kind: `memory`, `mapping`, `local`, `zip`, `databases`, `cloud`, `fsspec`, `coroutines`, `n5`; in front of
others `lru`, `consolidated`. `marks` and `traces` keep processes apart. Public is what is imported here.
"""

from typing import TYPE_CHECKING

from zchunk.spec.keys import ARRAY_KEY as array_meta_key
from zchunk.spec.keys import ATTRS_KEY as attrs_key
from zchunk.spec.keys import GROUP_KEY as group_meta_key
from zchunk.spec.keys import normalize_path as normalize_storage_path
from zchunk.storage import registry
from zchunk.storage.base import Store
from zchunk.storage.base import Store as BaseStore
from zchunk.storage.consolidated import ConsolidatedMetadataStore
from zchunk.storage.local.directory import DirectoryStore, NestedDirectoryStore
from zchunk.storage.mapping import KVStore, as_store
from zchunk.storage.memory import DictStore, MemoryStore
from zchunk.storage.queries import contains_array, contains_group, getsize, listdir, remove_leftovers
from zchunk.storage.resolve import normalize_store_arg, open_store
from zchunk.storage.store_path import StorePath

if TYPE_CHECKING:
    from zchunk.storage.registry import (
        ABSStore,
        CoroutineStore,
        DBMStore,
        FSStore,
        LMDBStore,
        LRUStoreCache,
        N5FSStore,
        N5Store,
        ObjectStore,
        RedisStore,
        SQLiteStore,
        TempStore,
        ZipStore,
        atexit_rmglob,
        atexit_rmtree,
    )
    from zchunk.wings.zarr2.store_functions import (
        default_compressor,
        init_array,
        init_group,
        init_store,
        rename,
        rmdir,
    )
    from zchunk.zarr3.storage import FsspecStore as FsspecStore
    from zchunk.zarr3.storage import LocalStore as LocalStore
    from zchunk.zarr3.storage import LoggingStore as LoggingStore
    from zchunk.zarr3.storage import WrapperStore as WrapperStore

__all__ = [
    "BaseStore",
    "ConsolidatedMetadataStore",
    "ABSStore",
    "CoroutineStore",
    "DBMStore",
    "DictStore",
    "DirectoryStore",
    "FSStore",
    "KVStore",
    "LMDBStore",
    "LRUStoreCache",
    "MemoryStore",
    "N5FSStore",
    "N5Store",
    "NestedDirectoryStore",
    "ObjectStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "StorePath",
    "TempStore",
    "ZipStore",
    "array_meta_key",
    "as_store",
    "atexit_rmglob",
    "atexit_rmtree",
    "attrs_key",
    "contains_array",
    "contains_group",
    "default_compressor",
    "getsize",
    "group_meta_key",
    "init_array",
    "init_group",
    "init_store",
    "listdir",
    "normalize_storage_path",
    "normalize_store_arg",
    "open_store",
    "remove_leftovers",
    "rename",
    "rmdir",
]


if not TYPE_CHECKING:

    def __getattr__(name):
        if name in __all__ or name in registry.ZARR_NAMES:
            return getattr(registry, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
