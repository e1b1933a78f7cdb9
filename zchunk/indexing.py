"""Selections: what stands between the brackets becomes a `Plan`, or an error that says what is wrong."""

from __future__ import annotations

import operator
from typing import Any, NoReturn

from zchunk._ext import selection as native
from zchunk._ext.selection import ChunkPart, Plan
from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.grid import RegularGrid

__all__ = ["ChunkPart", "Plan", "plan_basic"]


def plan_basic(selection: Any, grid: RegularGrid) -> Plan:
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
        _refuse(selection, grid.shape)
    return plan


def _refuse(selection: Any, shape: tuple[int, ...]) -> NoReturn:
    """Raise the error for a selection that has no plan."""
    entries = list(selection) if isinstance(selection, tuple) else [selection]
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(dots) > 1:
        raise SelectionError("a selection has at most one Ellipsis (...)")
    ndim, given = len(shape), len(entries) - len(dots)
    if given > ndim:
        raise SelectionError(f"too many indices: the array has {ndim} dimensions, the selection {given}")
    for at in dots:
        entries[at : at + 1] = [slice(None)] * (ndim - given)
    for axis, (entry, length) in enumerate(zip(entries, shape, strict=False)):
        if isinstance(entry, slice):
            _check_slice(entry)
        else:
            _check_integer(entry, length, axis)
    raise AssertionError(f"no plan of {selection!r:.80} for shape {shape}, though nothing is wrong with it")


def _check_slice(entry: slice) -> None:
    try:
        entry.indices(0)
    except (TypeError, ValueError) as err:
        raise SelectionError(f"{entry!r} is no slice of integers: {err}") from None


def _check_integer(entry: Any, length: int, axis: int) -> None:
    if isinstance(entry, bool) or not hasattr(type(entry), "__index__"):
        raise SelectionError(
            f"index {entry!r:.80} of type {type(entry).__name__} for axis {axis}: basic selections are "
            "made of integers, slices and an Ellipsis"
        )
    try:
        index = operator.index(entry)
    except TypeError as err:
        raise SelectionError(f"index {entry!r:.80} for axis {axis}: {err}") from None
    if not -length <= index < length:
        raise BoundsCheckError(f"index {index} is out of bounds for axis {axis} of length {length}")
