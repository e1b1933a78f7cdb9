"""Functions with zarr 2's names that work on any store, also one that is named by its path."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from zchunk.errors import PathNotFoundError
from zchunk.metadata.formats import formats
from zchunk.spec.keys import normalize_path
from zchunk.storage.resolve import using_store

if TYPE_CHECKING:
    from zchunk.typing import StoreLike, ZarrFormat


def listdir(store: StoreLike, path: str | None = None) -> list[str]:
    """Return the sorted names directly below `path` of any store (zarr 2's name).

    A mapping that cannot list, such as a dict, is warned of, as in zarr 2: all its keys are looked at.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.open("run.zarr", mode="w", shape=4)
    >>> zchunk.storage.listdir("run.zarr")
    ['.zarray']
    """
    lists = hasattr(store, "listdir") or hasattr(store, "list_dir")
    if not lists and not isinstance(store, str | os.PathLike):
        kind = type(store).__name__
        warnings.warn(f"{kind} has no `listdir` method, so all its keys are looked at", stacklevel=2)
    with using_store(store, "r") as target:
        return target.listdir(path)


def getsize(store: StoreLike, path: str | None = None) -> int:
    """Return the size of a key, or of the keys directly below a path, of any store.

    As in zarr 2 it is -1 for what is no store, or has values without a size.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.storage.getsize({"a/x": b"value"}, "a")
    5
    """
    try:
        with using_store(store, "r") as target:
            return target.getsize(path)
    except TypeError:
        return -1


def contains_array(store: StoreLike, path: str | None = None, zarr_format: ZarrFormat | None = None) -> bool:
    """Whether an array is at `path` of any store, of any format or of the one given.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.open("run.zarr", mode="w", shape=4)
    >>> zchunk.storage.contains_array("run.zarr")
    True
    """
    return _contains(store, path, zarr_format, "array")


def contains_group(
    store: StoreLike,
    path: str | None = None,
    explicit_only: bool = True,
    zarr_format: ZarrFormat | None = None,
) -> bool:
    """Whether a group is at `path` of any store. `explicit_only` means nothing: all groups are explicit.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.open_group("run.zarr", mode="w")
    >>> zchunk.storage.contains_group("run.zarr")
    True
    """
    return _contains(store, path, zarr_format, "group")


def remove_leftovers(store: StoreLike, path: str | None = None) -> list[str]:
    """Delete the temporary files and marks that killed writers have left at `path` of a store, and below.

    Writers do so too, but in a folder of many thousand files not all at once; in other stores where they make
    a node. A mark is the key ``.unfinished``, here beside a node that is complete.

    Parameters
    ----------
    store : path or store
        One that is not in a folder has no temporary files.
    path : str, optional
        Of a node; the whole store by default.

    Returns
    -------
    list of str
        Paths of the files, or keys of the marks. Those whose writers live stay; a writer on another machine,
        or in another container, counts as gone when it has not written to its file for a day.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.open("run.zarr", mode="w", shape=4)
    >>> zchunk.storage.remove_leftovers("run.zarr")
    []
    """
    with using_store(store, "r+") as target:
        return target.remove_leftovers(path)


def _contains(store: StoreLike, path: str | None, zarr_format: ZarrFormat | None, kind: str) -> bool:
    try:
        with using_store(store, "r") as target:
            return any(fmt.node_type(target, normalize_path(path)) == kind for fmt in formats(zarr_format))
    except PathNotFoundError:
        # A zip file that is not there.
        return False
