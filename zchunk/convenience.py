"""Names of zarr 2's module ``convenience``."""

from zchunk.consolidating import consolidate_metadata, open_consolidated
from zchunk.copying import copy, copy_all
from zchunk.opening import open
from zchunk.saving import LazyLoader, load, save, save_array, save_group
from zchunk.storecopy import copy_store
from zchunk.trees import tree

__all__ = [
    "LazyLoader",
    "consolidate_metadata",
    "copy",
    "copy_all",
    "copy_store",
    "load",
    "open",
    "open_consolidated",
    "save",
    "save_array",
    "save_group",
    "tree",
]
