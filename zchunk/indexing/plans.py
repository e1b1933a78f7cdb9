"""Selections: what stands between the brackets becomes a `Plan`, or an error that says what is wrong.

The kinds of selection, their names and meaning are zarr 2.18's; slices may also go backwards.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

import numpy as np

from zchunk._ext.selection import positions
from zchunk._ext.selection import slices as native
from zchunk._ext.selection.slices import Plan
from zchunk.errors import BoundsCheckError, SelectionError, VindexInvalidSelectionError

if TYPE_CHECKING:
    from zchunk.spec.rectilinear_grid import Grid

# ---- what entries are


def _is_integer(entry: object) -> bool:
    return hasattr(type(entry), "__index__") and not isinstance(entry, bool | np.ndarray)


def _is_mask(entry: object, ndim: int) -> TypeGuard[np.ndarray[Any, Any]]:
    return isinstance(entry, np.ndarray) and entry.dtype == bool and entry.ndim == ndim


def _as_tuple(selection: object) -> tuple[Any, ...]:
    return selection if isinstance(selection, tuple) else (selection,)


def _is_sequence(entry: object) -> bool:
    """Whether it is a list, or an array that is not NumPy's, such as one of zchunk."""
    if isinstance(entry, list):
        return True
    return not isinstance(entry, slice | int | np.ndarray | np.generic) and hasattr(entry, "__array__")


def _as_arrays(entries: Sequence[Any]) -> tuple[Any, ...]:
    try:
        return tuple(np.asarray(entry) if _is_sequence(entry) else entry for entry in entries)
    except ValueError as err:
        raise SelectionError(f"a list of positions that is no array: {err}") from None


def replace_ellipsis(selection: object, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an entry for every axis: whole axes for the Ellipsis and for what is missing at the end.

    Raises
    ------
    SelectionError
        There are several Ellipses, or more entries than axes.
    """
    entries, ndim = _as_tuple(selection), len(shape)
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(dots) > 1:
        raise SelectionError("a selection has at most one Ellipsis (...)")
    given = len(entries) - len(dots)
    if given > ndim:
        raise SelectionError(f"too many indices: the array has {ndim} dimensions, the selection {given}")
    at = dots[0] if dots else given
    return entries[:at] + (slice(None),) * (ndim - given) + entries[at + 1 :]


def normalize_integer_selection(index: Any, length: int) -> int:
    """Return an index of an axis counted from its beginning, or raise `BoundsCheckError`."""
    index = operator.index(index)
    if not -length <= index < length:
        raise BoundsCheckError(f"index {index} is out of bounds for an axis of length {length}")
    return int(index % length)


def span_of(entry: slice, length: int) -> tuple[int, int, int]:
    """Return the first position of a slice, the distance to the next, and how many there are."""
    try:
        found = range(*entry.indices(length))
    except (TypeError, ValueError):
        _check_slice(entry)
        raise
    if len(found) > 1:
        return found.start, found.step, len(found)
    return (found.start, 1, 1) if found else (0, 1, 0)


def position_of(entry: object, length: int, axis: int, kinds: str) -> int:
    """Return an integer as a position from the beginning of an axis, or raise what is wrong with it."""
    _check_integer(entry, length, axis, kinds)
    return normalize_integer_selection(entry, length)


def positions_of(entry: np.ndarray[Any, Any], length: int, axis: int) -> np.ndarray[Any, Any]:
    """Return an array of integers as positions from the beginning of an axis, or raise `BoundsCheckError`."""
    # A copy: what is selected stays, whatever becomes of the caller's array.
    try:
        return positions.wrapped(entry, length, axis)
    except IndexError as err:
        raise BoundsCheckError(str(err)) from None


# ---- basic


def plan_basic(selection: object, grid: Grid) -> Plan:
    """Return the plan of a basic selection: integers, slices of any step, an Ellipsis.

    Raises
    ------
    BoundsCheckError
        An integer is out of range.
    SelectionError
        There are too many indices, or one is of another kind.
    """
    plan = native.plan_basic(selection, grid.shape, grid.chunk_shape)
    if plan is None:
        _refuse(
            _as_tuple(selection), grid.shape, "basic selections are made of integers, slices and an Ellipsis"
        )
    return plan


def _refuse(entries: tuple[Any, ...], shape: tuple[int, ...], kinds: str) -> NoReturn:
    """Raise the error for a selection that has no plan."""
    for axis, (entry, length) in enumerate(zip(replace_ellipsis(entries, shape), shape, strict=True)):
        if isinstance(entry, slice):
            _check_slice(entry)
        elif not (isinstance(entry, np.ndarray) and entry.ndim):
            _check_integer(entry, length, axis, kinds)
        elif kinds.startswith("basic"):
            raise SelectionError(
                f"an array of {entry.dtype} for axis {axis}: {kinds}; others are selected through "
                "oindex, vindex, get_mask_selection"
            )
    raise AssertionError(f"no plan of {entries!r:.80} for shape {shape}, though nothing is wrong with it")


def _check_slice(entry: slice) -> None:
    try:
        entry.indices(0)
    except (TypeError, ValueError) as err:
        raise SelectionError(f"{entry!r} is no slice of integers: {err}") from None


def _check_integer(entry: Any, length: int, axis: int, kinds: str) -> None:
    if isinstance(entry, bool) or not hasattr(type(entry), "__index__"):
        raise SelectionError(f"index {entry!r:.80} of type {type(entry).__name__} for axis {axis}: {kinds}")
    try:
        index = operator.index(entry)
    except TypeError as err:
        raise SelectionError(f"index {entry!r:.80} for axis {axis}: {err}") from None
    if not -length <= index < length:
        raise BoundsCheckError(f"index {index} is out of bounds for axis {axis} of length {length}")


# ---- by axis


ORTHOGONAL = "orthogonal selections are made of integers, slices and 1-d arrays of integers or bool"


def plan_orthogonal(selection: object, grid: Grid) -> Plan:
    """Return the plan of the product of what is selected along every axis.

    Per axis an integer, a slice, a list or 1-d array of integers in any order and repeated at will, or a 1-d
    array of bool as long as the axis; an Ellipsis.

    Raises
    ------
    BoundsCheckError
        A position is out of range.
    SelectionError
        There are too many entries, or one is of another kind.
    """
    shape = grid.shape
    found = orthogonal_entries(selection, shape)
    try:
        plan = positions.plan_orthogonal(found, shape, grid.chunk_shape)
    except IndexError as err:
        raise BoundsCheckError(str(err)) from None
    if plan is None:
        _refuse(found, shape, ORTHOGONAL)
    return plan


def orthogonal_entries(selection: object, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an entry for every axis: what is no integer or slice is an array of positions.

    Raises
    ------
    SelectionError
        There are too many entries, or an array of another kind.
    """
    entries = replace_ellipsis(_as_arrays(_as_tuple(selection)), shape)
    return tuple(_axis_entry(entry, shape[axis], axis) for axis, entry in enumerate(entries))


def _axis_entry(entry: object, length: int, axis: int) -> Any:
    if not isinstance(entry, np.ndarray) or entry.ndim == 0:
        return entry
    if entry.ndim > 1:
        raise SelectionError(
            f"the array for axis {axis} has shape {entry.shape}; orthogonal ones are 1-dimensional"
        )
    if entry.dtype == bool:
        if len(entry) != length:
            raise SelectionError(f"{len(entry)} values of bool for axis {axis} of length {length}")
        return np.nonzero(entry)[0]
    if entry.dtype.kind not in "iu" and entry.size:
        raise SelectionError(f"the array for axis {axis} is of {entry.dtype}, not of integers or bool")
    return entry


def plan_blocks(selection: object, grid: Grid) -> Plan:
    """Return the plan of whole chunks: per axis the index of a chunk or a slice of them; an Ellipsis.

    Raises
    ------
    BoundsCheckError
        There is no such chunk.
    SelectionError
        There are too many entries, one is of another kind, or a slice has a step.
    """
    entries = replace_ellipsis(selection, grid.shape)
    found = []
    for axis, (entry, count) in enumerate(zip(entries, grid.cdata_shape, strict=True)):
        if isinstance(entry, slice):
            if entry.step not in (None, 1):
                raise SelectionError(f"{entry!r} for axis {axis}: slices of blocks have no step")
            _check_slice(entry)
            start, stop, _ = entry.indices(count)
            if start >= count:
                raise BoundsCheckError(
                    f"block {entry.start} is out of bounds for axis {axis} of {count} blocks"
                )
        else:
            _check_integer(entry, count, axis, "blocks are selected by integers, slices and an Ellipsis")
            start = operator.index(entry) % count
            stop = start + 1
        found.append(grid.span(axis, start, stop))
    return plan_basic(tuple(found), grid)


# ---- points


def plan_coordinates(selection: object, grid: Grid, order: str) -> Plan:
    """Return the plan of points: per axis an integer or an array of integers, which are broadcast.

    Parameters
    ----------
    selection : tuple of array-like
        An entry per axis.
    grid : RegularGrid
        Of the array.
    order : {"C", "F"}
        Of the items in a chunk.

    Raises
    ------
    BoundsCheckError
        A position is out of range.
    SelectionError
        There are not as many entries as axes, one is of another kind, or they cannot be broadcast.
    """
    shape = grid.shape
    entries = _as_arrays(_as_tuple(selection))
    if not shape or len(entries) != len(shape) or not all(_is_integer(e) or _is_integers(e) for e in entries):
        raise SelectionError(
            f"{selection!r:.80} selects no points: they need an integer or an array of integers for each of "
            f"the {len(shape)} axes"
        )
    return plan_points(tuple(map(np.asarray, entries)), grid, order)


def plan_points(
    entries: tuple[Any, ...], grid: Grid, order: str, points: tuple[int, ...] | None = None
) -> Plan:
    """Return the plan of points along some axes, and of slices and integers along the others.

    Parameters
    ----------
    entries : tuple of numpy.ndarray, slice or int
        An entry per axis.
    grid, order
        As for `plan_coordinates`, which raises the same errors.
    points : tuple of int, optional
        The shape of the arrays, broadcast. The result has it first, and then the slices. What is assigned
        has to fit it, as NumPy means that; without it as many items as there are points fit.
    """
    try:
        plan = positions.plan_points(entries, grid.shape, grid.chunk_shape, order, points)
    except IndexError as err:
        raise BoundsCheckError(str(err)) from None
    except ValueError as err:
        raise SelectionError(f"the arrays of positions do not fit together: {err}") from None
    if plan is None:
        _refuse(entries, grid.shape, "beside arrays of positions there are integers and slices")
    return plan


def _is_integers(entry: object) -> bool:
    return isinstance(entry, np.ndarray) and (entry.dtype.kind in "iu" or not entry.size)


def plan_mask(selection: object, grid: Grid, order: str) -> Plan:
    """Return the plan of the items where a mask, an array of bool of the array's shape, is true.

    Raises
    ------
    SelectionError
        The mask is of another kind.
    """
    return plan_coordinates(_true(_as_arrays(_as_tuple(selection)), grid.shape), grid, order)


def _true(entries: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    if len(entries) != 1 or not shape or not _is_mask(entries[0], len(shape)) or entries[0].shape != shape:
        given = entries[0] if len(entries) == 1 else entries
        raise SelectionError(f"{given!r:.80} is no mask: one array of bool of the array's shape {shape}")
    return np.nonzero(entries[0])


def plan_vindex(selection: object, grid: Grid, order: str) -> Plan:
    """Return the plan of points or a mask.

    Raises
    ------
    VindexInvalidSelectionError
        The selection is neither.
    """
    return plan_coordinates(vindex_entries(selection, grid.shape), grid, order)


def vindex_entries(selection: object, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an integer or an array of positions for every axis, of points or where a mask is true.

    Raises
    ------
    SelectionError
        The mask has another shape.
    VindexInvalidSelectionError
        The selection is of another kind.
    """
    entries = _as_arrays(_as_tuple(selection))
    if len(entries) == 1 and _is_mask(entries[0], len(shape)):
        return _true(entries, shape)
    if len(entries) != len(shape) or not all(_is_integer(e) or _is_integers(e) for e in entries):
        raise VindexInvalidSelectionError(
            f"{selection!r:.80} selects neither points nor by a mask: an integer or array of integers for "
            f"each of the {len(shape)} axes, or one array of bool of the array's shape"
        )
    return entries


# ---- parts of plans


def plan_within(plan: Plan, entries: tuple[Any, ...], grid: Grid, order: str) -> Plan:
    """Return the plan of what a part of another plan selects, for the array that the part is of."""
    if isinstance(plan, positions.PointsPlan):
        found = [_slice_of(e) if d in plan.ranges else e.reshape(-1) for d, e in enumerate(entries)]
        return plan_points(tuple(found), grid, order, None if len(found) > len(plan.ranges) else (1,))
    if isinstance(plan, positions.OrthogonalPlan):
        return plan_orthogonal(tuple(index.reshape(-1) for index in entries), grid)
    return plan_basic(entries, grid)


def _slice_of(index: np.ndarray[Any, Any]) -> slice:
    """Return the slice for positions that ascend by equal steps."""
    # NumPy's iterators take 32 axes at most.
    index = index.reshape(-1)
    first, last = int(index[0]), int(index[-1])
    return slice(first, last + 1, int(index[1]) - first if index.size > 1 else 1)


# ---- the same of NumPy arrays


def oindex(a: np.ndarray[Any, Any], selection: object) -> Any:
    """Return what an orthogonal selection selects of a NumPy array."""
    index, dropped = _open_mesh(a, selection)
    return a[index].squeeze(dropped)


def oindex_set(a: np.ndarray[Any, Any], selection: Any, value: Any) -> None:
    """Assign to what an orthogonal selection selects of a NumPy array."""
    index, dropped = _open_mesh(a, selection)
    a[index] = np.expand_dims(value, dropped) if np.ndim(value) else value


def _open_mesh(a: np.ndarray[Any, Any], selection: object) -> tuple[Any, tuple[int, ...]]:
    """Return NumPy's form of an orthogonal selection, and the axes that integers select."""
    entries = replace_ellipsis(_as_arrays(_as_tuple(selection)), a.shape)
    dropped = tuple(axis for axis, entry in enumerate(entries) if _is_integer(entry))
    ranges = [np.arange(length) for length in a.shape]
    found = [
        np.atleast_1d(r[_axis_entry(e, len(r), i)])
        for i, (r, e) in enumerate(zip(ranges, entries, strict=True))
    ]
    return np.ix_(*found), dropped
