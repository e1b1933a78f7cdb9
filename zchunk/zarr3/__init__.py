"""zarr-python 3's names and defaults: ``import zchunk.zarr3 as zarr``.

Nothing is done here: every function hands its parameters to that of `zchunk`, with zarr 3's defaults
(`defaults`). Arrays and groups are those of `zchunk`, with zarr 3's names and texts (`nodes`). `creation` and
`opening` have the functions; `codecs`, `dtype`, `storage`, `errors` and the rest have zarr's module names.
What belongs to its asynchronous interface is an error that says what to use.

>>> import zchunk.zarr3 as zarr
>>> z = zarr.create_array({}, shape=(4, 4), chunks=(2, 2), dtype="i4")
>>> z.zarr_format, z.write_empty_chunks, z.compressors
(3, False, (Zstd(level=0, checksum=False),))
"""

from typing import TYPE_CHECKING, Any

from zchunk.runtime.absent_modules import AbsentModules
from zchunk.runtime.lazy import lazy_names
from zchunk.zarr3.defaults import config

if TYPE_CHECKING:
    from zchunk.convenience.copying import copy, copy_all
    from zchunk.convenience.store_copying import copy_store

    # The classes in `nodes` have the same methods: to type checkers, functions return these.
    from zchunk.core.array import Array
    from zchunk.hierarchy.groups import Group
    from zchunk.zarr3 import api, codecs, dtype, errors, metadata, registry, storage
    from zchunk.zarr3.creation import (
        array,
        create,
        create_array,
        create_group,
        create_hierarchy,
        empty,
        empty_like,
        from_array,
        full,
        full_like,
        ones,
        ones_like,
        save,
        save_array,
        save_group,
        zeros,
        zeros_like,
    )
    from zchunk.zarr3.debug import print_debug_info, set_format, set_log_level
    from zchunk.zarr3.opening import (
        consolidate_metadata,
        group,
        load,
        open,
        open_array,
        open_consolidated,
        open_group,
        open_like,
        tree,
    )

# The release of zarr-python whose interface this is.
__version__ = "3.4.2"

__all__ = [
    "Array",
    "Group",
    "__version__",
    "api",
    "array",
    "codecs",
    "config",
    "consolidate_metadata",
    "copy",
    "copy_all",
    "copy_store",
    "create",
    "create_array",
    "create_group",
    "create_hierarchy",
    "dtype",
    "empty",
    "empty_like",
    "errors",
    "from_array",
    "full",
    "full_like",
    "group",
    "load",
    "metadata",
    "ones",
    "ones_like",
    "open",
    "open_array",
    "open_consolidated",
    "open_group",
    "open_like",
    "print_debug_info",
    "registry",
    "save",
    "save_array",
    "save_group",
    "set_format",
    "set_log_level",
    "storage",
    "tree",
    "zeros",
    "zeros_like",
]

_HOMES = {
    "zchunk.convenience.copying": "copy copy_all",
    "zchunk.convenience.store_copying": "copy_store",
    "zchunk.zarr3.creation": (
        "array create create_array create_group create_hierarchy empty empty_like from_array full full_like"
        " ones ones_like save save_array save_group zeros zeros_like"
    ),
    "zchunk.zarr3.debug": "print_debug_info set_format set_log_level",
    "zchunk.zarr3.nodes": "Array Group",
    "zchunk.zarr3.opening": (
        "consolidate_metadata group load open open_array open_consolidated open_group open_like tree"
    ),
}
_MODULES = {
    name: f"zchunk.zarr3.{name}"
    for name in ("api", "codecs", "core", "dtype", "errors", "metadata", "registry", "storage")
}
_THREADS = "zchunk reads and writes with threads, not coroutines"
_STORES = "a store is any mapping of keys to bytes; codecs are made known by zchunk.codecs.register_codec"
_BUFFERS = "stores have bytes, and arrays those of NumPy: cupy.asarray(z[...]) copies one to a GPU"
# What zarr 3 has for coroutines, or to be derived from.
_ABSENT = {
    "AsyncArray": f"{_THREADS}. Use Array, in a coroutine by asyncio.to_thread",
    "AsyncGroup": f"{_THREADS}. Use Group, in a coroutine by asyncio.to_thread",
    "abc": f"its classes have coroutines; {_STORES}",
    "buffer": _BUFFERS,
    "api.asynchronous": f"{_THREADS}. Use the functions of zchunk.zarr3, in a coroutine by asyncio.to_thread",
    "core.sync": f"{_THREADS}. Call the functions of zchunk.zarr3 as they are",
}
_ABSENT = {name: f"zchunk.zarr3 has no {name}: {reason}" for name, reason in _ABSENT.items()}
AbsentModules({f"zchunk.zarr3.{name}": reason for name, reason in _ABSENT.items()}).install()
_find = lazy_names(globals(), _HOMES, _MODULES)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _ABSENT:
            raise AttributeError(_ABSENT[name])
        return _find(name)


def __dir__() -> list[str]:
    return __all__
