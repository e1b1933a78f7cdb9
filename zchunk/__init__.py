"""Chunked, compressed N-d arrays in the Zarr format, natively fast.

>>> import zchunk
>>> z = zchunk.zeros((1000, 1000), chunks=(100, 100), dtype="f4")
>>> z[:10] = 1
>>> z[5, :3]
array([1., 1., 1.], dtype=float32)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# All that has modules of its own, which import each other: that is safe under the lock of one import only.
from zchunk import codecs, errors, metadata, storage  # noqa: F401
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.errors import CopyError, MetadataError
from zchunk.pool import get_threads, set_threads
from zchunk.storage import DictStore, DirectoryStore, KVStore, MemoryStore, NestedDirectoryStore

if TYPE_CHECKING:
    from zchunk._ext.memory import get_spare_memory, set_spare_memory
    from zchunk.consolidating import consolidate_metadata, open_consolidated
    from zchunk.copying import copy, copy_all
    from zchunk.core import Array
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
    from zchunk.hierarchy import Group, create_group, group, open_group
    from zchunk.opening import open, open_array, open_like
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
    from zchunk.trees import tree

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


# Where other names are; a module is imported when one of its names is first asked for, so that a program pays
# for what it uses. No module has the name of a function here, which it would take when it is imported.
# Threads may ask for different names at once: imports go one way, so nobody waits in a circle.
_MODULES = {
    "_ext.memory": "get_spare_memory set_spare_memory",
    "consolidating": "consolidate_metadata open_consolidated",
    "copying": "copy copy_all",
    "core": "Array",
    "creating": "array create create_array empty empty_like full full_like ones ones_like zeros zeros_like",
    "hierarchy": "Group create_group group open_group",
    "opening": "open open_array open_like",
    "rechunking": "rechunk",
    "saving": "load save save_array save_group",
    "storage": "ABSStore DBMStore FSStore LMDBStore LRUStoreCache N5FSStore N5Store ObjectStore RedisStore"
    " SQLiteStore TempStore ZipStore",
    "storecopy": "copy_store",
    "sync": "ProcessSynchronizer ThreadSynchronizer",
    "trees": "tree",
    # zarr 2 has the names of its codecs here, too: those of numcodecs beside zchunk's own.
    "codecs": "Adler32 AsType BZ2 Base64 BitRound CRC32 Categorize Delta FixedScaleOffset Fletcher32"
    " JSON JenkinsLookup3 LZMA MsgPack PackBits Pickle Quantize Shuffle VLenArray VLenBytes VLenUTF8"
    " ZFPY codec_registry get_codec register_codec",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}
# Modules that need no import of their own: those with public names, and those that zarr 2 has.
_PUBLIC = {
    "attrs", "convenience", "core", "creation", "hierarchy", "indexing", "meta",
    "meta_v1", "n5", "sync", "util",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(import_module(f"zchunk.{_HOME[name]}"), name)
    elif name in _PUBLIC:
        found = import_module(f"zchunk.{name}")
    elif name == "blosc":
        found = import_module("numcodecs.blosc")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
