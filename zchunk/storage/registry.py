"""What is imported when it is first asked for: it brings more modules than all the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.storage.cloud.azure import ABSStore
    from zchunk.storage.cloud.objects import ObjectStore
    from zchunk.storage.coroutines import CoroutineStore
    from zchunk.storage.databases.dbm import DBMStore
    from zchunk.storage.databases.lmdb import LMDBStore
    from zchunk.storage.databases.redis import RedisStore
    from zchunk.storage.databases.sqlite import SQLiteStore
    from zchunk.storage.fsspec.store import FSStore
    from zchunk.storage.local.temporary import TempStore, atexit_rmglob, atexit_rmtree
    from zchunk.storage.lru import LRUStoreCache
    from zchunk.storage.n5 import N5FSStore, N5Store
    from zchunk.storage.zip.store import ZipStore

__all__ = [
    "ABSStore",
    "CoroutineStore",
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
]

_STORES = {
    "zchunk.storage.cloud.azure": "ABSStore",
    "zchunk.storage.coroutines": "CoroutineStore",
    "zchunk.storage.databases.dbm": "DBMStore",
    "zchunk.storage.fsspec.store": "FSStore",
    "zchunk.storage.databases.lmdb": "LMDBStore",
    "zchunk.storage.lru": "LRUStoreCache",
    "zchunk.storage.n5": "N5FSStore N5Store",
    "zchunk.storage.cloud.objects": "ObjectStore",
    "zchunk.storage.databases.redis": "RedisStore",
    "zchunk.storage.databases.sqlite": "SQLiteStore",
    "zchunk.storage.local.temporary": "TempStore atexit_rmglob atexit_rmtree",
    "zchunk.storage.zip.store": "ZipStore",
}
# zarr has them among the stores, too; they are made of what is above stores.
_ZARR_NAMES = {
    "zchunk.wings.zarr2.metadata": "Metadata2 encode_array_metadata encode_group_metadata",
    "zchunk.wings.zarr2.util": (
        "NoLock buffer_size json_dumps json_loads nolock normalize_chunks "
        "normalize_dimension_separator normalize_dtype normalize_fill_value normalize_order "
        "normalize_shape"
    ),
    "zchunk.wings.zarr2.store_functions": (
        "default_compressor init_array init_group init_store rename rmdir"
    ),
    "zchunk.wings.zarr2.format1": "migrate_1to2",
    "zchunk.zarr3.storage": "FsspecStore LocalStore LoggingStore WrapperStore",
    "zchunk.errors": (
        "BadCompressorError ContainsArrayError ContainsGroupError FSPathExistNotDir "
        "MetadataError ReadOnlyError"
    ),
}
ZARR_NAMES = frozenset(" ".join(_ZARR_NAMES.values()).split())

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), _STORES | _ZARR_NAMES)


def __dir__() -> list[str]:
    return __all__
