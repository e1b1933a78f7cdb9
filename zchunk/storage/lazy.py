"""What is imported when it is first asked for: it brings more modules than all the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zchunk.storage.azure import ABSStore
    from zchunk.storage.dbm import DBMStore
    from zchunk.storage.fs import FSStore
    from zchunk.storage.lmdb import LMDBStore
    from zchunk.storage.lru import LRUStoreCache
    from zchunk.storage.n5 import N5FSStore, N5Store
    from zchunk.storage.objects import ObjectStore
    from zchunk.storage.redis import RedisStore
    from zchunk.storage.sqlite import SQLiteStore
    from zchunk.storage.temporary import TempStore, atexit_rmglob, atexit_rmtree
    from zchunk.storage.urls import store_of_url
    from zchunk.storage.zip import ZipStore

__all__ = [
    "ABSStore",
    "DBMStore",
    "FSStore",
    "LMDBStore",
    "LRUStoreCache",
    "N5FSStore",
    "N5Store",
    "ObjectStore",
    "RedisStore",
    "SQLiteStore",
    "TempStore",
    "ZipStore",
    "atexit_rmglob",
    "atexit_rmtree",
    "store_of_url",
]

_STORES = {
    "ABSStore": "zchunk.storage.azure",
    "DBMStore": "zchunk.storage.dbm",
    "FSStore": "zchunk.storage.fs",
    "LMDBStore": "zchunk.storage.lmdb",
    "LRUStoreCache": "zchunk.storage.lru",
    "N5FSStore": "zchunk.storage.n5",
    "N5Store": "zchunk.storage.n5",
    "ObjectStore": "zchunk.storage.objects",
    "RedisStore": "zchunk.storage.redis",
    "SQLiteStore": "zchunk.storage.sqlite",
    "TempStore": "zchunk.storage.temporary",
    "ZipStore": "zchunk.storage.zip",
    "as_store": "zchunk.storage.mapping",
    "atexit_rmglob": "zchunk.storage.temporary",
    "atexit_rmtree": "zchunk.storage.temporary",
    "store_of_url": "zchunk.storage.urls",
}
# zarr 2 has them among the stores, too; they are made of what is above stores.
ZARR_NAMES = {
    "Metadata2": "zchunk.meta",
    "NoLock": "zchunk.util",
    "buffer_size": "zchunk.util",
    "default_compressor": "zchunk.initialize",
    "encode_array_metadata": "zchunk.meta",
    "encode_group_metadata": "zchunk.meta",
    "init_array": "zchunk.initialize",
    "init_group": "zchunk.initialize",
    "init_store": "zchunk.initialize",
    "json_dumps": "zchunk.util",
    "json_loads": "zchunk.util",
    "migrate_1to2": "zchunk.meta_v1",
    "nolock": "zchunk.util",
    "normalize_chunks": "zchunk.util",
    "normalize_dimension_separator": "zchunk.util",
    "normalize_dtype": "zchunk.util",
    "normalize_fill_value": "zchunk.util",
    "normalize_order": "zchunk.util",
    "normalize_shape": "zchunk.util",
    "rename": "zchunk.initialize",
    "rmdir": "zchunk.initialize",
}
_ERRORS = (
    "BadCompressorError",
    "ContainsArrayError",
    "ContainsGroupError",
    "FSPathExistNotDir",
    "MetadataError",
    "ReadOnlyError",
)
ZARR_NAMES.update(dict.fromkeys(_ERRORS, "zchunk.errors"))
_MODULES = _STORES | ZARR_NAMES


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_MODULES[name]), name))


def __dir__() -> list[str]:
    return __all__
