"""`TempStore`: a folder that is deleted in the end. A module of its own, for what it imports is large."""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import tempfile

from zchunk.storage.checks import DimensionSeparator
from zchunk.storage.local.directory import DirectoryStore, Durability


class TempStore(DirectoryStore):
    """A `DirectoryStore` in a new temporary folder, which is deleted when the process ends.

    Copies and pickles share the folder. The process that made it deletes it, not a forked child, and not
    `close`: as in zarr 2 the store goes on working, and so do its copies. To free the space early `clear` it.

    Parameters
    ----------
    suffix, prefix, dir
        Name and place of the folder, as for `tempfile.mkdtemp`.
    normalize_keys, dimension_separator, durability
        As for `DirectoryStore`.

    Examples
    --------
    >>> import os
    >>> import zchunk
    >>> store = zchunk.TempStore()
    >>> z = zchunk.array([1, 2, 3, 4], store=store)
    >>> os.path.isdir(store.path)
    True
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.temporary"

    verbatim = True

    def __init__(
        self,
        suffix: str = "",
        prefix: str = "zarr",
        dir: str | None = None,
        normalize_keys: bool = False,
        dimension_separator: DimensionSeparator | None = None,
        durability: Durability | None = None,
    ) -> None:
        path = tempfile.mkdtemp(suffix=suffix, prefix=prefix, dir=dir)
        # At exit rather than when this object is collected: copies may be in use elsewhere.
        atexit.register(_remove_temporary, path, os.getpid())
        super().__init__(path, normalize_keys, dimension_separator, durability)


def _remove_temporary(path: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)


def atexit_rmtree(path: str) -> None:
    """Delete a folder, if there is one: to be registered with `atexit` (zarr 2's name).

    Examples
    --------
    >>> from zchunk.storage import atexit_rmtree
    >>> atexit_rmtree("nothing")
    """
    if os.path.isdir(path):
        shutil.rmtree(path)


def atexit_rmglob(path: str) -> None:
    """Delete the files and folders that match a pattern: to be registered with `atexit` (zarr 2's name).

    Examples
    --------
    >>> from zchunk.storage import atexit_rmglob
    >>> atexit_rmglob("nothing*")
    """
    for match in glob.glob(path):
        if os.path.isfile(match):
            os.remove(match)
        else:
            atexit_rmtree(match)
