"""`open`: an array or a group, whichever is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zchunk.core.array import Array
from zchunk.creation.opening import open_array
from zchunk.errors import ArrayNotFoundError, ContainsGroupError, PathNotFoundError
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import normalize_path
from zchunk.spec.versions import asked_format
from zchunk.storage import open_store
from zchunk.storage.base import Mode

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group

# A reader of an array imports no groups.
_hierarchy = LazyModule("zchunk.hierarchy.groups")


def open(
    store: Any = None,
    mode: Mode = "a",
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    path: str | None = None,
    **kwargs: Any,
) -> Array | Group:
    """Open the array or group that is there, or create one: an array if `shape` is given, else a group.

    Parameters
    ----------
    store, path
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a node of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    **kwargs
        Parameters of `open_array` or `open_group`.

    Returns
    -------
    Array or Group

    Raises
    ------
    MixedFormatsError
        Nodes of both formats are there, and no version is given.
    PathNotFoundError
        Nothing is there and `mode` does not create it.
    """
    version = asked_format(zarr_version, zarr_format)
    path = normalize_path(path)
    # For a store that is open, as this one is further on, storage options mean nothing.
    target = open_store(store, mode, kwargs.get("storage_options"))
    if "shape" in kwargs and mode not in ("r", "r+"):
        return open_array(target, mode, path=path, zarr_format=version, **kwargs)
    if mode in ("r", "r+", "a"):
        try:
            # Not to be made here; and looking whether it is there first would be one access more.
            allowed: Mode = "r" if mode == "r" else "r+"
            return open_array(target, allowed, path=path, zarr_format=version, **kwargs)
        except ContainsGroupError:
            pass
        except ArrayNotFoundError:
            if mode != "a":
                raise PathNotFoundError(f"nothing at path {'/' + path!r} in {target!r}") from None
    group: Group = _hierarchy.open_group(target, mode, path=path, zarr_format=version, **kwargs)
    return group
