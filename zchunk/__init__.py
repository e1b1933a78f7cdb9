"""Chunked, compressed N-d arrays in the Zarr format, natively fast.

>>> import zchunk
>>> z = zchunk.zeros((1000, 1000), chunks=(100, 100), dtype="f4")
>>> z[:10] = 1
>>> z[5, :3]
array([1., 1., 1.], dtype=float32)
"""

from typing import TYPE_CHECKING

# Packages whose modules import each other: that is safe under the lock of one import only.
from zchunk import codecs, errors, metadata, storage  # noqa: F401
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk.errors import CopyError, MetadataError
from zchunk.runtime.former_names import FormerNames
from zchunk.runtime.lazy import lazy_names
from zchunk.runtime.settings import config
from zchunk.runtime.threads import get_threads, set_threads
from zchunk.storage import DictStore, DirectoryStore, KVStore, MemoryStore, NestedDirectoryStore

if TYPE_CHECKING:
    from zchunk.convenience.consolidation import consolidate_metadata, open_consolidated
    from zchunk.convenience.copying import copy, copy_all, from_array
    from zchunk.convenience.opening import open
    from zchunk.convenience.saving import load, save, save_array, save_group
    from zchunk.convenience.store_copying import copy_store
    from zchunk.convenience.trees import tree
    from zchunk.core.array import Array
    from zchunk.core.concatenation import concat, stack
    from zchunk.creation.arrays import (
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
    from zchunk.creation.opening import open_array, open_like
    from zchunk.hierarchy.groups import Group, create_group, create_hierarchy, group, open_group
    from zchunk.runtime.spare_memory import get_spare_memory, set_spare_memory
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
    from zchunk.sync import ProcessSynchronizer, ThreadSynchronizer
    from zchunk.wings.profiling import plot_chunks, profile
    from zchunk.wings.rechunking import rechunk
    from zchunk.wings.verification import manifest, repair, verify
    from zchunk.zarr3.debug import print_debug_info

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
    "concat",
    "config",
    "consolidate_metadata",
    "copy",
    "copy_all",
    "copy_store",
    "create",
    "create_array",
    "create_group",
    "create_hierarchy",
    "empty",
    "empty_like",
    "errors",
    "from_array",
    "full",
    "full_like",
    "get_spare_memory",
    "get_threads",
    "group",
    "load",
    "manifest",
    "ones",
    "ones_like",
    "open",
    "open_array",
    "open_consolidated",
    "open_group",
    "open_like",
    "plot_chunks",
    "print_debug_info",
    "profile",
    "rechunk",
    "repair",
    "save",
    "save_array",
    "save_group",
    "set_spare_memory",
    "set_threads",
    "stack",
    "storage",
    "tree",
    "verify",
    "zeros",
    "zeros_like",
]


# Where other names are. No module has the name of a function here, which it would take when it is imported.
_HOMES = {
    "zchunk.convenience.consolidation": "consolidate_metadata open_consolidated",
    "zchunk.convenience.copying": "copy copy_all from_array",
    "zchunk.convenience.opening": "open",
    "zchunk.convenience.saving": "load save save_array save_group",
    "zchunk.convenience.store_copying": "copy_store",
    "zchunk.core.array": "Array",
    "zchunk.core.concatenation": "concat stack",
    "zchunk.creation.arrays": (
        "array create create_array empty empty_like full full_like ones ones_like zeros zeros_like"
    ),
    "zchunk.creation.opening": "open_array open_like",
    "zchunk.hierarchy.groups": "Group create_group create_hierarchy group open_group",
    "zchunk.zarr3.debug": "print_debug_info",
    "zchunk.convenience.trees": "tree",
    "zchunk.runtime.spare_memory": "get_spare_memory set_spare_memory",
    "zchunk.wings.profiling": "plot_chunks profile",
    "zchunk.wings.rechunking": "rechunk",
    "zchunk.wings.verification": "manifest repair verify",
    "zchunk.storage": (
        "ABSStore DBMStore FSStore LMDBStore LRUStoreCache N5FSStore N5Store ObjectStore RedisStore"
        " SQLiteStore TempStore ZipStore"
    ),
    "zchunk.sync": "ProcessSynchronizer ThreadSynchronizer",
    # zarr 2 has the names of its codecs here, too: those of numcodecs beside zchunk's own.
    "zchunk.codecs": (
        "Adler32 AsType BZ2 Base64 BitRound CRC32 Categorize Delta FixedScaleOffset Fletcher32"
        " JSON JenkinsLookup3 LZMA MsgPack PackBits Pickle Quantize Shuffle VLenArray VLenBytes VLenUTF8"
        " ZFPY codec_registry get_codec register_codec"
    ),
}
# Modules that need no import of their own: those with public names, and those that zarr 2 has.
_MODULES = {name: f"zchunk.{name}" for name in (
    "attrs", "convenience", "core", "creation", "hierarchy", "indexing", "meta", "meta_v1", "n5", "sync",
    "util",
)} | {"blosc": "numcodecs.blosc"}  # fmt: skip

# What pickles and `info` name by where it was.
FormerNames(
    {
        f"zchunk.{former}": f"zchunk.{now}"
        for former, now in {
            "attributes": "core.attributes",
            "chunk_cache": "engine.chunk_cache",
            "chunked": "engine.array",
            "compat.draft3": "wings.zarr2.draft3",
            "compat.format1": "wings.zarr2.format1",
            "compat.indexing": "wings.zarr2.indexing",
            "compat.metadata": "wings.zarr2.metadata",
            "compat.store_functions": "wings.zarr2.store_functions",
            "compat.util": "wings.zarr2.util",
            "conveniences": "core.views",
            "dask.reading": "wings.dask.reading",
            "dask.storing": "wings.dask.storing",
            "grid": "spec.regular_grid",
            "index_helpers": "compat.indexing",
            "keys": "spec.keys",
            "members": "hierarchy.members",
            "metadata.model": "metadata.array",
            "rechunking": "wings.rechunking",
            "rechunking.making": "wings.rechunking.target",
            "rechunking.plan": "wings.rechunking.plan",
            "rechunking.tasks": "wings.rechunking.tasks",
            "rectilinear": "spec.rectilinear_grid",
            "saving": "convenience.saving",
            "shards": "engine.shard",
            "storage._process": "runtime.fork",
            "storage.azure": "storage.cloud.azure",
            "storage.dbm": "storage.databases.dbm",
            "storage.directory": "storage.local.directory",
            "storage.fs": "storage.fsspec.store",
            "storage.lmdb": "storage.databases.lmdb",
            "storage.objects": "storage.cloud.objects",
            "storage.redis": "storage.databases.redis",
            "storage.sqlite": "storage.databases.sqlite",
            "storage.temporary": "storage.local.temporary",
            "xarray.arrays": "wings.xarray.arrays",
            "xarray.backend": "wings.xarray.backend",
            "xarray.store": "wings.xarray.store",
        }.items()
    }
).install()

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), _HOMES, _MODULES)


def __dir__() -> list[str]:
    return __all__
