"""Chunked, compressed N-d arrays in the Zarr format, natively fast.

>>> import zchunk
>>> z = zchunk.zeros((1000, 1000), chunks=(100, 100), dtype="f4")
>>> z[:10] = 1
>>> z[5, :3]
array([1., 1., 1.], dtype=float32)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zchunk import codecs, errors, storage
from zchunk._ext.memory import get_spare_memory, set_spare_memory
from zchunk.api import create_group, group, open, open_group
from zchunk.array import Array
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.creating import (
    array,
    create,
    create_array,
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from zchunk.errors import CopyError, MetadataError
from zchunk.group import Group
from zchunk.opening import open_array, open_like
from zchunk.pool import get_threads, set_threads
from zchunk.storage import DictStore, DirectoryStore, KVStore, MemoryStore, NestedDirectoryStore
from zchunk.tree import tree

if TYPE_CHECKING:
    from zchunk.consolidating import consolidate_metadata, open_consolidated
    from zchunk.copying import copy, copy_all
    from zchunk.rechunking import rechunk
    from zchunk.saving import load, save, save_array, save_group
    from zchunk.storage import (
        ABSStore,
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
    )
    from zchunk.storecopy import copy_store
    from zchunk.sync import ProcessSynchronizer, ThreadSynchronizer

__version__ = "0.1.0"

__all__ = [
    "LZ4",
    "Array",
    "Blosc",
    "CopyError",
    "ABSStore",
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
    "MetadataError",
    "N5FSStore",
    "N5Store",
    "NestedDirectoryStore",
    "ProcessSynchronizer",
    "ObjectStore",
    "RedisStore",
    "SQLiteStore",
    "TempStore",
    "ThreadSynchronizer",
    "ZipStore",
    "Zlib",
    "Zstd",
    "__version__",
    "array",
    "codecs",
    "consolidate_metadata",
    "copy",
    "copy_all",
    "copy_store",
    "create",
    "create_array",
    "create_group",
    "empty",
    "empty_like",
    "errors",
    "full",
    "full_like",
    "get_spare_memory",
    "get_threads",
    "group",
    "load",
    "ones",
    "ones_like",
    "open",
    "open_array",
    "open_consolidated",
    "open_group",
    "open_like",
    "rechunk",
    "save",
    "save_array",
    "save_group",
    "set_spare_memory",
    "set_threads",
    "storage",
    "tree",
    "zeros",
    "zeros_like",
]


# What most programs do not use, by module; imported when it is asked for.
_LATER = {
    name: module
    for module, names in {
        "consolidating": ("consolidate_metadata", "open_consolidated"),
        "copying": ("copy", "copy_all"),
        "rechunking": ("rechunk",),
        "saving": ("load", "save", "save_array", "save_group"),
        "storecopy": ("copy_store",),
        "sync": ("ProcessSynchronizer", "ThreadSynchronizer"),
    }.items()
    for name in names
}
# Modules that only have names at the places where zarr 2 has them, and one that is at the same place here.
_ZARR_MODULES = (
    "attrs", "convenience", "core", "creation", "hierarchy", "meta", "meta_v1", "n5", "sync", "util",
)  # fmt: skip
# zarr 2 has the names of its codecs here, too: those of numcodecs.
_CODECS = {
    "Adler32", "AsType", "BZ2", "Base64", "BitRound", "CRC32", "Categorize", "Delta", "FixedScaleOffset",
    "Fletcher32", "JSON", "JenkinsLookup3", "LZMA", "MsgPack", "PackBits", "Pickle", "Quantize", "Shuffle",
    "VLenArray", "VLenBytes", "VLenUTF8", "ZFPY", "codec_registry", "get_codec", "register_codec",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        found = globals()[name] = getattr(import_module(f"zchunk.{_LATER[name]}"), name)
        return found
    if name in _ZARR_MODULES:
        return import_module(f"zchunk.{name}")
    if name in _CODECS:
        return getattr(codecs, name)
    if name == "blosc":
        return import_module("numcodecs.blosc")
    # The stores that importing zchunk leaves out, see `zchunk.storage.lazy`.
    if name in __all__:
        return getattr(storage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
