"""Chunked, compressed N-d arrays in the Zarr format, natively fast.

>>> import zchunk
>>> z = zchunk.zeros((1000, 1000), chunks=(100, 100), dtype="f4")
>>> z[:10] = 1
>>> z[5, :3]
array([1., 1., 1.], dtype=float32)
"""

from typing import TYPE_CHECKING, Any

from zchunk import codecs, errors, storage
from zchunk.api import (
    consolidate_metadata,
    group,
    open,
    open_array,
    open_consolidated,
    open_group,
)
from zchunk.array import Array
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.creation import (
    array,
    create,
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from zchunk.group import Group
from zchunk.pool import get_threads, set_threads
from zchunk.saving import load, save
from zchunk.storage import DictStore, DirectoryStore, KVStore, MemoryStore, NestedDirectoryStore

if TYPE_CHECKING:
    from zchunk.storage import (
        DBMStore,
        FSStore,
        LMDBStore,
        LRUStoreCache,
        SQLiteStore,
        TempStore,
        ZipStore,
    )

__version__ = "0.1.0"

__all__ = [
    "LZ4",
    "Array",
    "Blosc",
    "DBMStore",
    "DictStore",
    "DirectoryStore",
    "FSStore",
    "GZip",
    "Group",
    "KVStore",
    "LMDBStore",
    "LRUStoreCache",
    "MemoryStore",
    "NestedDirectoryStore",
    "SQLiteStore",
    "TempStore",
    "ZipStore",
    "Zlib",
    "Zstd",
    "__version__",
    "array",
    "codecs",
    "consolidate_metadata",
    "create",
    "empty",
    "empty_like",
    "errors",
    "full",
    "full_like",
    "get_threads",
    "group",
    "load",
    "ones",
    "ones_like",
    "open",
    "open_array",
    "open_consolidated",
    "open_group",
    "save",
    "set_threads",
    "storage",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> Any:
    # The stores that importing zchunk leaves out, see `zchunk.storage.lazy`.
    if name in __all__:
        return getattr(storage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
