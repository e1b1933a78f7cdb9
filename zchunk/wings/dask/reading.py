"""Stored arrays as dask arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Unpack

import dask.array as da
import numpy as np
from dask import config
from dask.utils import parse_bytes

from zchunk.core.array import Array
from zchunk.creation.opening import open_array

if TYPE_CHECKING:
    from zchunk.creation.keywords import OpenedForDask
    from zchunk.typing import StorageOptions, StoreLike


def from_zchunk(
    source: Array | StoreLike,
    chunks: Literal["auto"] | str | int | tuple[Any, ...] | None = "auto",
    path: str | None = None,
    name: str | bool | None = None,
    *,
    storage_options: StorageOptions | None = None,
    inline_array: bool = False,
    **open_kws: Unpack[OpenedForDask],
) -> da.Array:
    """Return a stored array as a dask array. No chunk is read before it is computed.

    Parameters
    ----------
    source : Array, path, URL or MutableMapping
        The array, or the store that it is in, as for `zchunk.open_array`.
    chunks : "auto", None, str, int or tuple, optional
        ``"auto"``: as many stored chunks, or shards if there are shards, as fit into dask's
        ``array.chunk-size``; if one shard is larger than that, chunks of it. A size such as ``"64 MiB"``
        means the same with that size. None: the stored chunks, or shards. Otherwise as for
        `dask.array.from_array`.
    path : str, optional
        Path of the array in the store.
    name : str or bool, optional
        Name of the dask array. By default it is made of `zchunk.core.tokens.token_of`, so that it is the same
        as long as nothing is written; if the chunks are not local files, it is a new one each time. The token
        looks at all files of the array; False avoids that, with a new name each time.
    storage_options : dict, optional
        Options of the file system, if `source` is a URL.
    inline_array : bool, optional
        As for `dask.array.from_array`.
    **open_kws
        Other parameters of `zchunk.open_array`, if `source` is a store.

    Returns
    -------
    dask.array.Array

    Raises
    ------
    ArrayNotFoundError
        There is no array.
    TypeError
        `source` is an array, and parameters for opening it are given.
    ValueError
        `chunks` do not fit the shape.

    Examples
    --------
    >>> import zchunk
    >>> import zchunk.dask
    >>> z = zchunk.ones((100, 100), chunks=(50, 50))
    >>> x = zchunk.dask.from_zchunk(z, chunks=None)
    >>> x.numblocks, float(x.sum().compute())
    ((2, 2), 10000.0)
    """
    if isinstance(source, Array):
        given = {**open_kws, "path": path, "storage_options": storage_options}
        if wrong := [key for key, value in given.items() if value is not None]:
            raise TypeError(f"{source!r} is open already: it takes no {', '.join(wrong)}")
        array = source
    else:
        array = open_array(source, "r", path=path, storage_options=storage_options, **open_kws)
    found: da.Array = da.from_array(
        array,
        chunks=_chunks_of(array, chunks),
        name=name,
        meta=np.empty((0,) * array.ndim, array.dtype),
        inline_array=inline_array,
    )
    return found


def _chunks_of(array: Array, chunks: object) -> Any:
    """Return the chunks for dask that a user's `chunks` mean."""
    stored: tuple[Any, ...] = array.metadata.grid.chunks
    if chunks is not None and not isinstance(chunks, str):
        return chunks
    if array.metadata.edges is not None:
        # There is no chunk along an axis of length 0, but dask has one.
        return tuple(sizes or (0,) for sizes in stored)
    # The size of objects is not known.
    if chunks is None or array.dtype.hasobject or not array.itemsize:
        return stored
    size = config.get("array.chunk-size") if chunks == "auto" else chunks
    items = int(parse_bytes(size)) // array.itemsize
    one = tuple(map(min, stored, array.shape))
    if math.prod(one) <= items:
        return _grown(array.shape, stored, items)
    # Parts of a shard, of at least one chunk.
    return _grown(one, array.chunks, items)


def _grown(shape: tuple[int, ...], unit: tuple[int, ...], items: int) -> tuple[int, ...]:
    """Return even lengths that are multiples of those of a chunk, or reach over all of `shape`.

    They have at most `items` items, unless one chunk has more.
    """
    lengths = list(map(min, unit, shape))
    counts = [1] * len(unit)
    growing = set(range(len(unit)))
    while growing:
        # Items that are read in one go lie along the last axes.
        axis = min(growing, key=lambda i: (counts[i], -i))
        twice = [*lengths]
        twice[axis] = min(2 * counts[axis] * unit[axis], shape[axis])
        if twice == lengths or math.prod(twice) > items:
            growing.remove(axis)
        else:
            lengths = twice
            counts[axis] *= 2
    return tuple(lengths)
