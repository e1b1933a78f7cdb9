"""What stands in ``z[...]``, as NumPy means it: integers, slices, lists, arrays, masks, new axes.

It becomes a plan of the kinds that there are: of slices, of one list among them (orthogonal), or of points
along some axes with slices along the others. Masks are the points where they are true. What is left is where
the axes of the result are, and an `Arranged` plan says that: so nothing is planned in another way for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from zchunk._ext.selection import slices as native
from zchunk._ext.selection.slices import Plan
from zchunk.errors import SelectionError
from zchunk.indexing import plans
from zchunk.spec.regular_grid import RegularGrid

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Grid

Items: TypeAlias = np.ndarray[Any, Any]

_KINDS = "integers, slices, lists and arrays of integers or bool, None and an Ellipsis"


class Arranged(NamedTuple):
    """A plan whose result has its axes in another order, and new ones.

    Parameters
    ----------
    plan : Plan
        Selects the items.
    order : tuple of int
        The axes of the plan's result, as they follow each other in the result.
    new : tuple of int
        Axes of the result that are added to them, of length 1.
    """

    plan: Plan
    order: tuple[int, ...]
    new: tuple[int, ...]

    @property
    def scalar(self) -> bool:
        """Whether the result is a scalar, which other plans may say."""
        return False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        lengths = self.plan.shape
        found = [lengths[axis] for axis in self.order]
        for axis in self.new:
            found.insert(axis, 1)
        return tuple(found)

    def result(self, items: Any) -> Items:
        """Return the plan's result as that of this plan, without a copy.

        Items that have axes, as fields of a structure may, keep them.
        """
        own = range(len(self.order), np.ndim(items))
        return np.expand_dims(np.transpose(items, (*self.order, *own)), self.new)

    def broadcast(self, items: Items) -> Items | None:
        """Return `items` as the plan takes them, or None if they do not fit the result in an assignment."""
        shape = self.shape
        more = items.ndim - len(shape)
        if more > 0 and items.shape[:more] == (1,) * more:
            items = items.reshape(items.shape[more:])
        try:
            items = np.broadcast_to(items, shape)
        except ValueError:
            return None
        old = items[(*[0 if axis in self.new else slice(None) for axis in range(len(shape))], ...)]
        return self.plan.broadcast(old.transpose(np.argsort(self.order)))


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
    entries = [_read(entry, number) for number, entry in enumerate(_entries(selection))]
    if not any(isinstance(entry, np.ndarray) for entry in entries):
        return _plan_slices(entries, grid)
    return _plan_arrays(_spread(entries, grid.shape), grid, order)


def _entries(selection: Any) -> tuple[Any, ...]:
    return selection if isinstance(selection, tuple) else (selection,)


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


def _plan_slices(entries: Sequence[Any], grid: Grid) -> Plan | Arranged:
    """Return the plan of slices and integers, with new axes among them."""
    kept = [entry for entry in entries if entry is not None]
    if len(kept) == len(entries):
        return plans.plan_basic(tuple(entries), grid)
    # With an Ellipsis the result is an array, which has axes.
    plan = plans.plan_basic(tuple(kept if Ellipsis in kept else [*kept, ...]), grid)
    at = new = 0
    found = []
    whole = len(grid.shape) - sum(entry is not Ellipsis for entry in kept)
    for entry in entries:
        if entry is None:
            found.append(at + new)
            new += 1
        elif entry is Ellipsis:
            at += whole
        elif isinstance(entry, slice):
            at += 1
    return Arranged(plan, tuple(range(len(plan.shape))), tuple(found))


# ---- arrays


class _Axis(NamedTuple):
    """What is selected along an axis: an integer, a slice, or an array of positions."""

    number: int
    entry: Any


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
    return [_Axis(axis + i, index) for i, index in enumerate(mask.nonzero())]


def _plan_arrays(entries: Sequence[Any], grid: Grid, order: str) -> Plan | Arranged:
    """Return the plan of arrays of positions, among slices, integers and new axes."""
    along = tuple([entry.entry for entry in entries if isinstance(entry, _Axis)])
    arrays = [entry for entry in along if isinstance(entry, np.ndarray)]
    # NumPy takes a bool for positions along no axis: one or none.
    flags = [(int(entry),) for entry in entries if isinstance(entry, bool)]
    points = _broadcast([array.shape for array in arrays] + flags)
    # The axes of the plan's result, -1 for each of the points'.
    ranges = [axis for axis, entry in enumerate(along) if isinstance(entry, slice)]
    axes = [-1] * len(points) + ranges
    plan: Plan
    if len(arrays) == 1 and arrays[0].ndim == 1 and not flags:
        # In its place among the slices, where the result lies in memory as the items do.
        plan = plans.plan_orthogonal(along, grid)
        if len(ranges) + 1 == len(along) and None not in entries:
            return plan
        axes = [
            -1 if isinstance(entry, np.ndarray) else axis
            for axis, entry in enumerate(along)
            if isinstance(entry, slice | np.ndarray)
        ]
    elif not ranges:
        plan = plans.plan_points(tuple(map(np.asarray, along)), grid, order, points)
        if None not in entries:
            return plan
    elif not isinstance(grid, RegularGrid):
        plan = _plan_all_points(along, points, grid, order)
    else:
        plan = plans.plan_points(along, grid, order, points)
    return _arranged(plan, axes, _layout(entries, len(points)))


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if len(set(shapes)) == 1:
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as err:
        raise SelectionError(f"the arrays of positions do not fit together: {err}") from None


def _plan_all_points(along: Sequence[Any], points: tuple[int, ...], grid: Grid, order: str) -> Plan:
    """Return the plan of `plans.plan_points` for a grid that splits points along all axes only."""
    # Raises what is wrong with a slice or an integer.
    plans.plan_basic(tuple([slice(None) if isinstance(e, np.ndarray) else e for e in along]), grid)
    counts = [
        len(range(*e.indices(n))) for e, n in zip(along, grid.shape, strict=True) if isinstance(e, slice)
    ]
    found, axis = [], 0
    for entry, length in zip(along, grid.shape, strict=True):
        if isinstance(entry, np.ndarray):
            found.append(entry.reshape(entry.shape + (1,) * len(counts)))
        elif isinstance(entry, slice):
            axis += 1
            found.append(np.arange(*entry.indices(length)).reshape((-1,) + (1,) * (len(counts) - axis)))
        else:
            found.append(np.asarray(entry))
    return plans.plan_points(tuple(found), grid, order, (*points, *counts))


def _layout(entries: Sequence[Any], ndim: int) -> list[int | None]:
    """Return the axes of NumPy's result: the array's, -1 for each of the points', None for new ones.

    Those of the points are where the arrays are, or first if something stands between these. Integers count
    as arrays beside them.
    """
    found: list[int | None] = []
    place, parted = None, False
    for entry in entries:
        if isinstance(entry, bool) or (isinstance(entry, _Axis) and not isinstance(entry.entry, slice)):
            if place is None:
                place = len(found)
            elif parted:
                place = 0
            continue
        parted |= place is not None
        if entry is None:
            found.append(None)
        elif isinstance(entry, _Axis):
            found.append(entry.number)
    assert place is not None
    found[place:place] = [-1] * ndim
    return found


def _arranged(plan: Plan, axes: Sequence[int], wanted: Sequence[int | None]) -> Plan | Arranged:
    """Return a plan whose result has `axes` as one whose result has the axes that are wanted."""
    new = tuple([place for place, axis in enumerate(wanted) if axis is None])
    left = list(axes)
    order = []
    for axis in wanted:
        if axis is not None:
            place = left.index(axis)
            # So that the next axis of the points, which are all -1, is found.
            left[place] = -2
            order.append(place)
    if not new and order == list(range(len(axes))):
        return plan
    return Arranged(plan, tuple(order), new)
