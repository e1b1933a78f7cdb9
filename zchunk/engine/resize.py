"""Changing the shape of an array so that it is valid at any moment, also when the process is killed.

Metadata are published after the chunks that they refer to when an array grows, and before those that they no
longer refer to are erased when it shrinks.

In a rectilinear grid the lengths of chunks stay when it shrinks. When it grows beyond them, a chunk is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zchunk.engine import execute, listing
from zchunk.engine.array import ChunkedArray
from zchunk.indexing.plans import plan_basic
from zchunk.indexing.values import broadcast

# Writes the metadata of the array that it is given, which is the array from then on.
Publish = Callable[[ChunkedArray], None]


def resize(array: ChunkedArray, shape: tuple[int, ...], publish: Publish) -> None:
    """Give `array` another shape. Items that are added have the fill value."""
    old = array.metadata.shape
    if len(shape) != len(old):
        raise ValueError(f"cannot resize from shape {old} to {shape}: the number of dimensions cannot change")
    low = tuple(map(min, old, shape))
    # Before anything is changed: there may be no such array.
    wanted = array.with_shape(shape)
    if low != old:
        array = wanted if low == shape else array.with_shape(low)
        publish(array)
    if low != old or low == shape:
        # Also where the shape stays: a process that was killed here before has left chunks.
        array.store.erase_many(listing.outside(array))
    if low != shape:
        _clear_growth(wanted, array)
        publish(wanted)


def append(array: ChunkedArray, items: np.ndarray[Any, Any], axis: int, publish: Publish) -> tuple[int, ...]:
    """Add `items` at the end of an axis and return the new shape."""
    old = array.metadata.shape
    if not -len(old) <= axis < len(old):
        raise ValueError(f"axis {axis} is out of range for an array of {len(old)} dimensions")
    axis %= len(old)
    if items.ndim != len(old) or items.shape[:axis] + items.shape[axis + 1 :] != old[:axis] + old[axis + 1 :]:
        raise ValueError(f"shape {items.shape} cannot be appended to shape {old} along axis {axis}")
    shape = old[:axis] + (old[axis] + items.shape[axis],) + old[axis + 1 :]
    grown = array.with_shape(shape)
    # Every item that is added is written: what an earlier, larger array left there does not matter.
    selection = (slice(None),) * axis + (slice(old[axis], None),)
    execute.write(grown, plan_basic(selection, grown.metadata.grid), items)
    publish(grown)
    return shape


def _clear_growth(grown: ChunkedArray, small: ChunkedArray) -> None:
    """Make what growing from a `small` array will uncover the fill value.

    A larger array may have been here before: its chunks beyond the edge, if a writer left them, and the
    parts of edge chunks that lie beyond the edge, whose content the format leaves undefined.
    """
    metadata, grid = grown.metadata, grown.metadata.grid
    before = small.metadata.grid.cdata_shape
    grown.store.erase_many(listing.added(grown, before))
    for axis, n in enumerate(small.metadata.shape):
        if n == metadata.shape[axis] or grid.begin_of(axis, n) == n:
            continue
        edge = [range(m) for m in before]
        edge[axis] = range(before[axis] - 1, before[axis])
        for coords in listing.within(grown, edge):
            _clear_edge(grown, coords, axis, n)


def _clear_edge(grown: ChunkedArray, coords: tuple[int, ...], axis: int, n: int) -> None:
    """Make the items of a stored chunk, or shard, from `n` on along an axis the fill value."""
    metadata = grown.metadata
    selection = [metadata.grid.span(axis, c, c + 1) for axis, c in enumerate(coords)]
    stop = selection[axis].stop
    if metadata.shards is not None:
        # Chunks that are not stored stay so: those that are there are cleared at the edge, and erased beyond.
        length = metadata.shards.inner.chunk_shape[axis]
        stored, beyond = {place[axis] for place in listing.in_shard(grown, coords)}, -(-n // length)
        if any(place >= beyond for place in stored):
            selection[axis] = slice(beyond * length, stop)
            _fill(grown.sparing, selection)
        if n % length == 0 or n // length not in stored:
            return
        stop = beyond * length
    selection[axis] = slice(n, stop)
    _fill(grown, selection)


def _fill(array: ChunkedArray, selection: list[slice]) -> None:
    plan = plan_basic(tuple(selection), array.metadata.grid)
    execute.write(array, plan, broadcast(array.fill_item, plan, array.path))
