"""`plot_chunks`: which chunks of an array are stored, how large each is, and how well it is compressed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from zchunk.core.array import Array
from zchunk.engine import listing
from zchunk.wings.profiling.sizes import object_sizes


def plot_chunks(z: Array) -> Any:
    """Draw the stored chunks of an array, or its shards, as two maps: their sizes, and compression ratios.

    The maps are of the last two axes of the chunk grid; along the axes before them sizes are averages. What
    is not stored is blank.

    Parameters
    ----------
    z : Array
        The array. Each of its chunks is looked up in the store.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        The array has no axes, or no items.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> z = zchunk.array(np.arange(600).reshape(20, 30), chunks=(5, 10))
    >>> figure = zchunk.plot_chunks(z)
    >>> figure.axes[0].images[0].get_array().shape
    (4, 3)
    """
    try:
        figures = import_module("matplotlib.figure")
    except ImportError as err:
        raise ImportError("plot_chunks needs matplotlib; python -m pip install matplotlib") from err
    if not z.ndim or not z.size:
        raise ValueError(f"an array of shape {z.shape} has no chunk grid to draw")
    sizes = stored_sizes(z)
    whole = z._metadata.chunk_nbytes
    figure = figures.Figure(figsize=(9, 4), layout="constrained")
    what = "chunks" if z.shards is None else "shards"
    with np.errstate(invalid="ignore", divide="ignore"):
        maps = {f"KiB of {what}": sizes / 1024, "compression ratio": whole / sizes}
    for axes, (title, values) in zip(figure.subplots(1, 2), maps.items(), strict=True):
        image = axes.imshow(values, aspect="auto", interpolation="nearest")
        figure.colorbar(image, ax=axes)
        axes.set_title(title)
        axes.set_xlabel(f"{what} along axis {z.ndim - 1}")
        axes.set_ylabel(f"{what} along axis {z.ndim - 2}" if z.ndim > 1 else "")
        axes.locator_params(integer=True)
    figure.suptitle(f"{z.shape} {z.dtype}, {z.nshards_initialized:,} of {z.nshards:,} {what} stored")
    return figure


def stored_sizes(z: Array) -> np.ndarray[Any, Any]:
    """Return the mean bytes of what is stored, for each cell of the last two axes of the grid, else NaN.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((2, 4), chunks=(2, 2), dtype="u1", compressor=None)
    >>> z[:, :2] = 1
    >>> stored_sizes(z)
    array([[ 4., nan]])
    """
    array = z._current
    counts = array.metadata.grid.cdata_shape
    shape = (1, *counts)[-2:]
    total, number = np.zeros(shape), np.zeros(shape)
    listed = (coords for _, coords in listing.listed(array))
    places = [coords for coords in listed if all(c < n for c, n in zip(coords, counts, strict=True))]
    for coords, size in object_sizes(array, places).items():
        cell = (0, *coords)[-2:]
        total[cell] += size
        number[cell] += 1
    with np.errstate(invalid="ignore"):
        return total / np.where(number, number, np.nan)
