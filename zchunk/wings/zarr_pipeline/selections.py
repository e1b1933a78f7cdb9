"""Selections of `zarr.Array` as plans of the engine: those that mean the same to both.

Every planner takes what is selected, the shape of the array, the shape and the order of its chunks, and what
is to be written: zarr-python keeps what lies beyond the edge of the array in shards, and in chunks that are
written by positions, so then the plan is of an array that ends where its last chunk does. A planner returns
None, or raises, for what zarr-python is to select, or to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from zchunk._ext.selection import positions
from zchunk._ext.selection.slices import Plan
from zchunk._ext.selection.slices import plan_basic as plan_at_once
from zchunk.indexing import plans

Shape: TypeAlias = tuple[int, ...]
# What a plan is for: nothing is written, or chunks are, which may be shards.
Writes: TypeAlias = Literal["nothing", "chunks", "shards"]
Planner: TypeAlias = Callable[[Any, Shape, Shape, str, Writes], Plan | None]


def is_basic(selection: Any) -> bool:
    """Whether a selection is of integers, an Ellipsis, and slices that go forward."""
    return all(map(_is_basic_entry, selection if type(selection) is tuple else (selection,)))


def _is_basic_entry(entry: Any) -> bool:
    kind = type(entry)
    if kind is slice:
        return entry.step is None or (type(entry.step) is int and entry.step > 0)
    return kind is int or entry is Ellipsis or isinstance(entry, np.integer)


def plan_basic(selection: Any, shape: Shape, chunks: Shape, order: str, writes: Writes) -> Plan | None:
    """Plan integers and slices.

    Parameters
    ----------
    selection : tuple or single entry
        As `zarr.Array` is given it.
    shape, chunks : tuple of int
        Of the array, and of its chunks or shards.
    order : {"C", "F"}
        Of the items in a chunk.
    writes : {"nothing", "chunks", "shards"}
        What the plan is for.
    """
    if not is_basic(selection):
        return None
    plan = plan_at_once(selection, shape, chunks)
    if plan is None or writes != "shards":
        return plan
    entries: list[Any] = []
    given = plans.replace_ellipsis(selection, shape)
    for entry, (start, step, count, _, _) in zip(given, plan.axes, strict=True):
        whole = slice(start, start + (count - 1) * step + 1 if count else start, step)
        entries.append(whole if isinstance(entry, slice) else start)
    return plan_at_once(tuple(entries), _ends(shape, chunks), chunks)


def plan_blocks(selection: Any, shape: Shape, chunks: Shape, order: str, writes: Writes) -> Plan | None:
    """Plan whole chunks: an integer or a slice per axis.

    Parameters
    ----------
    selection, shape, chunks, order, writes
        As for `plan_basic`.
    """
    if not is_basic(selection):
        return None
    entries = []
    for entry, n, chunk in zip(plans.replace_ellipsis(selection, shape), shape, chunks, strict=True):
        count = -(-n // chunk)
        if not isinstance(entry, slice):
            if not -count <= entry < count:
                return None
            first = int(entry) % count
            entry = slice(first, first + 1)
        start, stop, step = entry.indices(count)
        # zarr-python takes no slice that begins before the first chunk.
        if step != 1 or start >= stop or min(entry.start or 0, entry.stop or 0) < -count:
            return None
        entries.append(slice(start * chunk, min(stop * chunk, n)))
    return plan_basic(tuple(entries), shape, chunks, order, writes)


def plan_orthogonal(selection: Any, shape: Shape, chunks: Shape, order: str, writes: Writes) -> Plan | None:
    """Plan the product of what is selected along every axis.

    Parameters
    ----------
    selection, shape, chunks, order, writes
        As for `plan_basic`; an entry may be an array of positions or of bool, too.
    """
    if is_basic(selection):
        return plan_basic(selection, shape, chunks, order, writes)
    entries: list[Any] = []
    for axis, entry in enumerate(plans.orthogonal_entries(selection, shape)):
        n = shape[axis]
        if isinstance(entry, np.ndarray):
            if entry.ndim != 1 or not entry.size:
                return None
            entries.append(plans.positions_of(entry, n, axis))
        elif not _is_basic_entry(entry):
            return None
        elif isinstance(entry, slice):
            start, step, count = plans.span_of(entry, n)
            entries.append(slice(start, start + (count - 1) * step + 1 if count else start, step))
        else:
            entries.append(plans.normalize_integer_selection(entry, n))
    ends = shape if writes == "nothing" else _ends(shape, chunks)
    return positions.plan_orthogonal(tuple(entries), ends, chunks)


def plan_mask(selection: Any, shape: Shape, chunks: Shape, order: str, writes: Writes) -> Plan | None:
    """Plan the items where an array of bool of the array's shape is true.

    Parameters
    ----------
    selection, shape, chunks, order, writes
        As for `plan_basic`.
    """
    mask = selection[0] if type(selection) is tuple and len(selection) == 1 else selection
    if type(mask) is not np.ndarray or mask.dtype != bool or mask.shape != shape:
        return None
    return plan_coordinates(np.nonzero(mask), shape, chunks, order, writes)


def plan_coordinates(selection: Any, shape: Shape, chunks: Shape, order: str, writes: Writes) -> Plan | None:
    """Plan points, one after the other whatever shape the arrays of positions have.

    Parameters
    ----------
    selection, shape, chunks, order, writes
        As for `plan_basic`; every entry is an array of positions, and all have the shape `points_shape` says.
    """
    points = points_shape(selection, len(shape))
    if not points or 0 in points:
        return None
    entries = [
        plans.positions_of(np.broadcast_to(entry, points).reshape(-1), n, axis)
        for axis, (entry, n) in enumerate(zip(selection, shape, strict=True))
    ]
    ends = shape if writes == "nothing" else _ends(shape, chunks)
    return positions.plan_points(tuple(entries), ends, chunks, order)


def points_shape(selection: Any, ndim: int) -> Shape | None:
    """Return the shape of arrays of positions that are broadcast; None if these are no such arrays.

    Parameters
    ----------
    selection : tuple
        An entry for every axis.
    ndim : int
        Number of axes of the array.
    """
    entries = selection if type(selection) is tuple else (selection,)
    if not ndim or len(entries) != ndim:
        return None
    shapes = []
    for entry in entries:
        if type(entry) is np.ndarray and entry.dtype.kind in "iu" and entry.ndim:
            shapes.append(entry.shape)
        elif type(entry) is not int and not isinstance(entry, np.integer):
            return None
    return np.broadcast_shapes(*shapes) if shapes else None


def _ends(shape: Shape, chunks: Shape) -> Shape:
    """Return the shape of an array that ends where its last chunks do."""
    return tuple([-(-n // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)])
