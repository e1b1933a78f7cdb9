"""What stands in ``z[...]``, as NumPy means it: integers, slices, lists, arrays, masks, new axes.

It becomes a `Composition`: which items of the array are where in the result. That becomes a plan, or more is
selected of it before. Masks are the points where they are true. The likes of ``z[1, :]`` are planned in C at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from zchunk._ext.selection import slices as native
from zchunk._ext.selection.slices import Plan
from zchunk.errors import SelectionError
from zchunk.indexing import plans
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.composition import AxisMap, Composition, Span, listed

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Grid

Items: TypeAlias = np.ndarray[Any, Any]

# The most axes that an array of NumPy 2 has.
_MOST_AXES = 64
_KINDS = "integers, slices, lists and arrays of integers or bool, None and an Ellipsis"


def plan_items(selection: Any, grid: Grid, order: str) -> Plan | Arranged:
    """Return the plan of what stands in ``z[...]``.

    Parameters
    ----------
    selection : tuple or single entry
        As NumPy takes it, without fields.
    grid : RegularGrid or RectilinearGrid
        Of the array.
    order : {"C", "F"}
        Of the items in a chunk.

    Raises
    ------
    BoundsCheckError
        A position is out of range.
    SelectionError
        There are too many indices, one is of another kind, or arrays do not fit together or their axes.
    """
    plan = native.plan_basic(selection, grid.shape, grid.chunk_shape)
    if plan is not None:
        return plan
    entries = _read_all(selection)
    if not any(entry is None or isinstance(entry, np.ndarray) for entry in entries):
        return plans.plan_basic(tuple(entries), grid)
    return _composed(entries, grid.shape).plan(grid, order)


def select(selection: Any, shape: tuple[int, ...]) -> Composition:
    """Return what a selection selects of an array of this shape.

    Parameters
    ----------
    selection : tuple or single entry
        As NumPy takes it, without fields.
    shape : tuple of int
        Of the array, or of what was selected of it.

    Raises
    ------
    BoundsCheckError, SelectionError
        As for `plan_items`.
    """
    entries = _read_all(selection)
    if any(entry is None or isinstance(entry, np.ndarray) for entry in entries):
        return _composed(entries, shape)
    return _product(plans.replace_ellipsis(tuple(entries), shape), shape, f"{_KINDS} select items")


def select_orthogonal(selection: Any, shape: tuple[int, ...]) -> Composition:
    """Return what an orthogonal selection selects, as `plans.plan_orthogonal` takes it."""
    return _product(plans.orthogonal_entries(selection, shape), shape, plans.ORTHOGONAL)


def _product(entries: Sequence[Any], shape: tuple[int, ...], kinds: str) -> Composition:
    """Return what an integer, a slice or a 1-d array of positions selects along every axis."""
    lengths: list[int] = []
    maps: list[AxisMap] = []
    for axis, entry in enumerate(entries):
        place = len(lengths)
        if isinstance(entry, slice):
            start, step, count = plans.span_of(entry, shape[axis])
            lengths.append(count)
            maps.append(Span(place, start, step))
        elif isinstance(entry, np.ndarray) and entry.ndim:
            lengths.append(len(entry))
            maps.append(listed(plans.positions_of(entry, shape[axis], axis), (place,)))
        else:
            maps.append(plans.position_of(entry, shape[axis], axis, kinds))
    return Composition(tuple(lengths), tuple(maps))


def select_vindex(selection: Any, shape: tuple[int, ...]) -> Composition:
    """Return what points, or a mask, select, as `plans.plan_vindex` takes them."""
    entries = [np.asarray(entry) for entry in plans.vindex_entries(selection, shape)]
    if not entries:
        raise SelectionError("an array without axes has no points")
    # Integers alone are one point.
    entries[0] = np.atleast_1d(entries[0])
    return _composed(entries, shape)


def _read_all(selection: Any) -> list[Any]:
    entries = selection if isinstance(selection, tuple) else (selection,)
    return [_read(entry, number) for number, entry in enumerate(entries)]


def _read(entry: Any, number: int) -> Any:
    """Return an entry as an integer, a slice, an Ellipsis, None, or an array: of positions, or a mask."""
    if entry is None or entry is Ellipsis or isinstance(entry, slice):
        return entry
    if hasattr(type(entry), "__index__") and not isinstance(entry, bool | np.ndarray):
        return entry
    refused = f"index {entry!r:.80} of type {type(entry).__name__} at place {number}: {_KINDS} select items"
    try:
        array = np.asarray(entry)
    except ValueError as err:
        raise SelectionError(f"{refused} ({err})") from None
    if array.dtype == bool:
        return array
    if array.size and array.dtype.kind not in "iu":
        raise SelectionError(refused)
    # An empty list is of floats to NumPy.
    return int(array) if array.ndim == 0 else array if array.size else array.astype(np.int64)


# ---- arrays


class _Axis(NamedTuple):
    """What is selected along an axis: an integer, a slice, or an array of positions."""

    number: int
    entry: Any
    # Whether an array needs no check and no copy, as the positions where a mask is true.
    ready: bool = False


def _spread(entries: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return an `_Axis` for every axis, in their order; among them None for new axes, an Ellipsis, and bools.

    Masks are arrays of positions along their axes then. The Ellipsis stands before the axes that it is for,
    which NumPy takes for a separator also if there are none.
    """
    ndim = len(shape)
    dots = given = 0
    for entry in entries:
        if entry is Ellipsis:
            dots += 1
        elif entry is not None:
            given += entry.ndim if isinstance(entry, np.ndarray) and entry.dtype == bool else 1
    if dots > 1:
        raise SelectionError("a selection has at most one Ellipsis (...)")
    if given > ndim:
        raise SelectionError(f"too many indices: the array has {ndim} dimensions, the selection {given}")
    found: list[Any] = []
    axis = 0
    for entry in entries if dots else [*entries, ...]:
        if entry is None:
            found.append(None)
        elif entry is Ellipsis:
            found.append(Ellipsis)
            found += [_Axis(d, slice(None)) for d in range(axis, axis + ndim - given)]
            axis += ndim - given
        elif isinstance(entry, np.ndarray) and entry.dtype == bool:
            found += _true(entry, axis, shape)
            axis += entry.ndim
        else:
            found.append(_Axis(axis, entry))
            axis += 1
    return found


def _true(mask: Items, axis: int, shape: tuple[int, ...]) -> list[Any]:
    """Return the positions along each of its axes where a mask is true; of one without axes whether it is."""
    if not mask.ndim:
        return [bool(mask)]
    covered = shape[axis : axis + mask.ndim]
    if mask.shape != covered:
        which = f"axis {axis}" if mask.ndim == 1 else f"axes {axis} to {axis + mask.ndim - 1}"
        raise SelectionError(f"a mask of shape {mask.shape} for {which} of shape {covered}")
    return [_Axis(axis + i, index, ready=True) for i, index in enumerate(mask.nonzero())]


def _composed(entries: Sequence[Any], shape: tuple[int, ...]) -> Composition:
    """Return what entries select: of an array of positions those, of several the points."""
    spread = _spread(entries, shape)
    arrays = [e.entry for e in spread if isinstance(e, _Axis) and isinstance(e.entry, np.ndarray)]
    # NumPy takes a bool for positions along no axis: one or none.
    flags = [(int(entry),) for entry in spread if isinstance(entry, bool)]
    points = _broadcast([array.shape for array in arrays] + flags) if arrays or flags else ()
    layout = _layout(spread, len(points))
    if len(layout) > _MOST_AXES:
        raise SelectionError(f"the selection has {len(layout)} axes, a NumPy array has {_MOST_AXES} at most")
    # Of the result: its axes for those of the array, the axes of the points, all lengths.
    places = {axis: place for place, axis in enumerate(layout) if axis is not None}
    along = [place for place, axis in enumerate(layout) if axis == -1]
    lengths = [1] * len(layout)
    for place, length in zip(along, points, strict=True):
        lengths[place] = length
    maps: list[AxisMap] = []
    for entry in spread:
        if not isinstance(entry, _Axis):
            continue
        axis, found, ready = entry
        if isinstance(found, slice):
            start, step, lengths[places[axis]] = plans.span_of(found, shape[axis])
            maps.append(Span(places[axis], start, step))
        elif isinstance(found, np.ndarray):
            index = found if ready else plans.positions_of(found, shape[axis], axis)
            maps.append(listed(index, along[len(along) - index.ndim :]))
        else:
            maps.append(plans.position_of(found, shape[axis], axis, f"{_KINDS} select items"))
    return Composition(tuple(lengths), tuple(maps))


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if len(set(shapes)) == 1:
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as err:
        raise SelectionError(f"the arrays of positions do not fit together: {err}") from None


def _layout(entries: Sequence[Any], ndim: int) -> list[int | None]:
    """Return the axes of NumPy's result: the array's, -1 for each of the points', None for new ones.

    Those of the points are where the arrays are, or first if something stands between these. Integers count
    as arrays beside them.
    """
    found: list[int | None] = []
    place, parted = -1, False
    for entry in entries:
        if isinstance(entry, bool) or (isinstance(entry, _Axis) and not isinstance(entry.entry, slice)):
            if place < 0:
                place = len(found)
            elif parted:
                place = 0
            continue
        parted |= place >= 0
        if entry is None:
            found.append(None)
        elif isinstance(entry, _Axis):
            found.append(entry.number)
    if place >= 0:
        found[place:place] = [-1] * ndim
    return found
