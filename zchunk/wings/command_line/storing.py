"""Items of another library as a new array, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np

from zchunk.creation.drafts import started
from zchunk.runtime.progress import Advance
from zchunk.wings.command_line import output
from zchunk.wings.command_line.regions import regions


def store_items(data: Any, advance: Advance, **kwargs: Any) -> None:
    """Store items in a new array. Its metadata come last: none is there before its items are.

    Parameters
    ----------
    data : array-like
        Has `shape`, and gives NumPy arrays for selections.
    advance : callable
        Is told of the bytes that are done.
    **kwargs
        Parameters of `create`.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> store_items(np.arange(6), print, dtype="i8", store=store, path="a", chunks=4)
    48
    /a (6,) int64
    >>> zchunk.open(store)["a"].chunks
    (4,)
    """
    new = started(shape=data.shape, **kwargs)
    try:
        for region in regions(new.array):
            items = data[region if data.shape else ()]
            new.array[region] = items
            advance(np.size(items) * new.array.itemsize)
    except BaseException:
        new.discard()
        raise
    new.publish()
    output.say(f"/{new.array.path} {new.array.shape} {new.array.dtype}")
