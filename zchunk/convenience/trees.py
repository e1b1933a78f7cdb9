"""`tree`: what is in a hierarchy, as text and as HTML."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zchunk.convenience.opening import open
from zchunk.core.array import Array
from zchunk.hierarchy.groups import Group
from zchunk.hierarchy.tree import TreeViewer
from zchunk.runtime.near_names import says_near_names
from zchunk.storage import Store

if TYPE_CHECKING:
    from zchunk.typing import H5pyNode, StoreLike


@says_near_names
def tree(
    grp: StoreLike | Group | Array | H5pyNode, expand: bool | int = False, level: int | None = None
) -> TreeViewer:
    """Return what shows the hierarchy in a group of zchunk's or h5py's, as text and as HTML.

    Parameters
    ----------
    grp : Group, path or Store
        The group, or the store that it is in.
    expand : bool or int, optional
        In HTML: unfold everything, or so many levels.
    level : int, optional
        Show only so many levels.

    Returns
    -------
    TreeViewer

    Raises
    ------
    PathNotFoundError
        Nothing is in the store.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> group["run/field"] = [1, 2, 3]
    >>> zchunk.tree(group)
    /
     └── run
         └── field (3,) int64
    """
    if isinstance(grp, str | os.PathLike | Store | dict):
        grp = open(grp, "r")
    return TreeViewer(grp, expand, level)
