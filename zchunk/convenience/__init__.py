"""Whole nodes and stores: open, save, load, copy, consolidate. The names are those of zarr 2's module.

`opening` opens whatever is there, `saving` takes NumPy arrays to files and back, `copying` copies nodes
(`copy_report` says what), `store_copying` keys and values, `overlap` refuses to copy a node into itself,
`consolidation` gathers metadata, `trees` shows a hierarchy. Imported when they are first read.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.convenience.consolidation import consolidate_metadata, open_consolidated
    from zchunk.convenience.copying import copy, copy_all
    from zchunk.convenience.opening import open
    from zchunk.convenience.saving import LazyLoader, load, save, save_array, save_group
    from zchunk.convenience.store_copying import copy_store
    from zchunk.convenience.trees import tree
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "zchunk.convenience.consolidation": "consolidate_metadata open_consolidated",
            "zchunk.convenience.copying": "copy copy_all",
            "zchunk.convenience.opening": "open",
            "zchunk.convenience.saving": "LazyLoader load save save_array save_group",
            "zchunk.convenience.store_copying": "copy_store",
            "zchunk.convenience.trees": "tree",
        },
    )

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
