"""Composition: what a selection of a selection selects, as one selection of the array.

A `Composition` says for every axis of an array which of its positions the items of a result have: one,
several that are equally far apart, or a list. Selections, transpositions and new axes are compositions. One
of the result of another is one of the array: the maps of its axes are followed one after the other. So
whatever is composed becomes one plan, of the kinds that there are, and an order of the axes. Nothing here
reads or writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from zchunk._ext.selection.slices import Plan
from zchunk.errors import BoundsCheckError
from zchunk.indexing import plans
from zchunk.indexing.arranged import Arranged

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.spec.rectilinear_grid import Grid


class Span(NamedTuple):
    """Positions that are equally far apart, as many as an axis of the result is long.

    Parameters
    ----------
    along : int
        The axis of the result.
    start, step : int
        The first position, and what is added for the next.
    """

    along: int
    start: int
    step: int


class Listed(NamedTuple):
    """Positions one by one.

    Parameters
    ----------
    along : tuple of int
        The axes of the result on which a position depends, in ascending order.
    positions : numpy.ndarray of int64
        With one axis for each of them.
    """

    along: tuple[int, ...]
    positions: npt.NDArray[np.int64]


# Which positions of an axis the items have: an integer is the one of all.
AxisMap: TypeAlias = int | Span | Listed


class Composition(NamedTuple):
    """Which item of an array is where in a result.

    An axis of the result is that of one `Span`, or of any number of lists; or it is new, which repeats items.

    Parameters
    ----------
    shape : tuple of int
        Of the result.
    maps : tuple
        For every axis of the array an integer, a `Span` or a `Listed`.
    """

    shape: tuple[int, ...]
    maps: tuple[AxisMap, ...]

    def then(self, other: Composition) -> Composition:
        """Return the composition of what `other` selects of the result."""
        return Composition(other.shape, tuple([self._follow(m, other) for m in self.maps]))

    def _follow(self, source: AxisMap, other: Composition) -> AxisMap:
        if isinstance(source, int):
            return source
        if isinstance(source, Span):
            found = other.maps[source.along]
            if isinstance(found, int):
                return source.start + found * source.step
            if isinstance(found, Span):
                return Span(found.along, source.start + found.start * source.step, found.step * source.step)
            return Listed(found.along, source.start + found.positions * source.step)
        maps = [other.maps[axis] for axis in source.along]
        if any(isinstance(m, Listed) for m in maps):
            axes = sorted({axis for m in maps for axis in axes_of(m)})
            return listed(source.positions[tuple([other._aligned(m, axes) for m in maps])], axes)
        key: Any = tuple([other._slice(m) if isinstance(m, Span) else m for m in maps])
        return listed(source.positions[key], [m.along for m in maps if isinstance(m, Span)])

    def _slice(self, span: Span) -> slice:
        count = self.shape[span.along]
        stop = span.start + count * span.step
        if not count:
            return slice(0, 0)
        # A slice that ends below 0 would end at the other end.
        return slice(span.start, stop if stop >= 0 else None, span.step)

    def _aligned(self, axis_map: AxisMap, axes: Sequence[int]) -> Any:
        """Return positions as an array with these axes of the result, of length 1 where they are the same."""
        if isinstance(axis_map, int):
            return axis_map
        if isinstance(axis_map, Span):
            index = axis_map.start + axis_map.step * np.arange(self.shape[axis_map.along])
        else:
            index = axis_map.positions
        along = axes_of(axis_map)
        return index.reshape([self.shape[axis] if axis in along else 1 for axis in axes])

    # ---- limits

    def check_within(self, shape: tuple[int, ...]) -> None:
        """Raise `BoundsCheckError` if an array of this shape does not have all of the items."""
        if 0 in self.shape:
            return
        for axis, (axis_map, length) in enumerate(zip(self.maps, shape, strict=True)):
            last = self._last(axis_map)
            if last >= length:
                raise BoundsCheckError(
                    f"the view has item {last} of axis {axis}, which now has the length {length}: the array "
                    "was resized after the selection"
                )

    def _last(self, axis_map: AxisMap) -> int:
        if isinstance(axis_map, int):
            return axis_map
        if isinstance(axis_map, Span):
            return axis_map.start + max((self.shape[axis_map.along] - 1) * axis_map.step, 0)
        return int(axis_map.positions.max())

    # ---- the plan

    def plan(self, grid: Grid, order: str) -> Plan | Arranged:
        """Return the plan of the items, in an array with this grid.

        Parameters
        ----------
        grid : RegularGrid or RectilinearGrid
            Of the array.
        order : {"C", "F"}
            Of the items in a chunk.
        """
        along: list[Any] = []
        ranges, lists = [], []
        # For every axis of the result that of the array, or -1 for those of points; new axes are not in it.
        wanted: dict[int, int] = {}
        for axis, m in enumerate(self.maps):
            if isinstance(m, Span):
                along.append(self._slice(m))
                ranges.append(axis)
                wanted[m.along] = axis
            else:
                along.append(m)
                if isinstance(m, Listed):
                    lists.append(axis)
        if not lists:
            return self._arranged(plans.plan_basic((*along, ...), grid), ranges, wanted)
        shared = [place for axis in lists for place in axes_of(self.maps[axis])]
        if len(shared) == len(lists) == len(set(shared)):
            # The axes of the lists are apart: the product of them is selected, each in its place.
            for axis, place in zip(lists, shared, strict=True):
                along[axis], wanted[place] = along[axis].positions, axis
            return self._arranged(plans.plan_orthogonal(tuple(along), grid), sorted(ranges + lists), wanted)
        axes = sorted(set(shared))
        for axis in lists:
            along[axis] = self._aligned(self.maps[axis], axes)
        points = tuple([self.shape[place] for place in axes])
        # Without ranges all axes are of points.
        entries = tuple(along) if ranges else tuple(map(np.asarray, along))
        plan = plans.plan_points(entries, grid, order, points)
        return self._arranged(plan, [-1] * len(axes) + ranges, wanted | dict.fromkeys(axes, -1))

    def _arranged(self, plan: Plan, found: list[int], wanted: dict[int, int]) -> Plan | Arranged:
        """Return a plan whose result has axes that were `found` as one that has those `wanted`."""
        order = []
        for _, axis in sorted(wanted.items()):
            place = found.index(axis)
            # So that the next axis of the points, which are all -1, is found.
            found[place] = -2
            order.append(place)
        if len(order) == len(self.shape) and order == list(range(len(order))):
            return plan
        new = tuple([place for place in range(len(self.shape)) if place not in wanted])
        return Arranged(plan, tuple(order), new, tuple([self.shape[place] for place in new]))


# ---- what there is to begin with


@lru_cache(64)
def whole(shape: tuple[int, ...]) -> Composition:
    """Return the composition of all items of an array, as they are."""
    return Composition(shape, tuple([Span(axis, 0, 1) for axis in range(len(shape))]))


def transposed(shape: tuple[int, ...], axes: tuple[int, ...]) -> Composition:
    """Return the composition of all items, whose axes follow each other in this order."""
    places = {axis: place for place, axis in enumerate(axes)}
    maps = tuple([Span(places[axis], 0, 1) for axis in range(len(shape))])
    return Composition(tuple([shape[axis] for axis in axes]), maps)


def listed(index: Any, along: Sequence[int]) -> int | Listed:
    """Return positions, one axis for each of the result's axes `along`, in any order, as a map.

    They do not depend on an axis of length 1.
    """
    index = np.asarray(index)
    if index.ndim == 1 and len(index) != 1:
        return Listed((along[0],), index)
    kept = sorted([i for i, n in enumerate(index.shape) if n != 1], key=along.__getitem__)
    if not kept:
        return int(index.reshape(()))
    if len(kept) < index.ndim:
        index = index.reshape([n for n in index.shape if n != 1])
        ranks = {i: rank for rank, i in enumerate(sorted(kept))}
        index = index.transpose([ranks[i] for i in kept])
    elif kept != list(range(index.ndim)):
        index = index.transpose(kept)
    return Listed(tuple([along[i] for i in kept]), index)


def axes_of(axis_map: AxisMap) -> tuple[int, ...]:
    """Return the axes of the result on which positions depend."""
    if isinstance(axis_map, int):
        return ()
    return (axis_map.along,) if isinstance(axis_map, Span) else axis_map.along
