"""Pieces: where the chunks of an array, or the parts of a concatenation, cut the axes of a composition."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from zchunk.indexing.brackets import select
from zchunk.indexing.composition import Composition, Listed, Span

# Returns where chunks begin along an axis, between two positions: after the first, and up to the last.
Edges = Callable[[int, int, int], Sequence[int]]


def crossing(span: Span, count: int, edge: int) -> int:
    """Return how many of the first items of a span lie on the side of an edge from which the span comes."""
    if span.step > 0:
        k = -((span.start - edge) // span.step)
    else:
        k = (span.start - edge) // -span.step + 1
    return min(max(k, 0), count)


def lengths(selection: Composition, edges: Edges) -> tuple[tuple[int, ...], ...]:
    """Return the lengths of the pieces along every axis of a result, each of one chunk.

    An axis of lists whose chunks alternate, or of points, is one piece.
    """
    found: list[tuple[int, ...]] = [(n,) for n in selection.shape]
    shared = [place for m in selection.maps if isinstance(m, Listed) for place in m.along]
    for axis, axis_map in enumerate(selection.maps):
        if isinstance(axis_map, Span):
            count = selection.shape[axis_map.along]
            if count:
                ends = (axis_map.start, axis_map.start + (count - 1) * axis_map.step)
                cuts = {crossing(axis_map, count, edge) for edge in edges(axis, min(ends), max(ends))}
                found[axis_map.along] = _differences(sorted(cuts | {0, count}))
        elif isinstance(axis_map, Listed) and len(axis_map.along) == 1:
            place = axis_map.along[0]
            if shared.count(place) == 1 and axis_map.positions.size:
                found[place] = _runs(axis_map.positions, axis, edges)
    return tuple(found)


def _runs(index: np.ndarray[Any, Any], axis: int, edges: Edges) -> tuple[int, ...]:
    chunk = np.searchsorted(edges(axis, int(index.min()), int(index.max())), index, side="right")
    change = np.diff(chunk)
    if (change < 0).any() and (change > 0).any():
        return (len(index),)
    return _differences([0, *(np.nonzero(change)[0] + 1).tolist(), len(index)])


def _differences(places: Sequence[int]) -> tuple[int, ...]:
    return tuple([b - a for a, b in pairwise(places)])


def split(
    selection: Composition, axis: int, starts: Sequence[int]
) -> Iterator[tuple[int, Any, Composition]]:
    """Split a composition of a concatenation into those of its parts.

    Parameters
    ----------
    selection : Composition
        Of the concatenation.
    axis : int
        Along which the parts are.
    starts : sequence of int
        Where each part begins, and where the last one ends.

    Yields
    ------
    part : int
        Its number. Parts without selected items are left out.
    key : tuple or Ellipsis
        Where its items are in the result, as NumPy takes it.
    inner : Composition
        Of the part: which of its items these are.
    """
    if 0 in selection.shape:
        return
    axis_map = selection.maps[axis]
    if isinstance(axis_map, int):
        part = bisect_right(starts, axis_map) - 1
        yield part, ..., _moved(selection, axis, starts[part])
    elif isinstance(axis_map, Span):
        count = selection.shape[axis_map.along]
        for part, (start, stop) in enumerate(pairwise(starts)):
            a, b = sorted((crossing(axis_map, count, start), crossing(axis_map, count, stop)))
            if a < b:
                key = (*[slice(None)] * axis_map.along, slice(a, b))
                yield part, key, _moved(_part(selection, key), axis, start)
    else:
        parts = np.searchsorted(starts, axis_map.positions, side="right") - 1
        for part in np.unique(parts).tolist():
            key = _key(axis_map.along, (parts == part).nonzero())
            yield part, key, _moved(_part(selection, key), axis, starts[part])


def _part(selection: Composition, key: tuple[Any, ...]) -> Composition:
    return selection.then(select(key, selection.shape))


def _key(along: tuple[int, ...], places: tuple[np.ndarray[Any, Any], ...]) -> tuple[Any, ...]:
    """Return the index of places along some axes; a slice if they follow each other along one."""
    key: list[Any] = [slice(None)] * (along[-1] + 1)
    for axis, index in zip(along, places, strict=True):
        key[axis] = index
    if len(along) == 1 and int(places[0][-1]) - int(places[0][0]) == len(places[0]) - 1:
        key[along[0]] = slice(int(places[0][0]), int(places[0][-1]) + 1)
    return tuple(key)


def _moved(selection: Composition, axis: int, start: int) -> Composition:
    """Return a composition with the positions along an axis counted from `start`."""
    axis_map = selection.maps[axis]
    moved: Any
    if isinstance(axis_map, int):
        moved = axis_map - start
    elif isinstance(axis_map, Span):
        moved = axis_map._replace(start=axis_map.start - start)
    else:
        moved = axis_map._replace(positions=axis_map.positions - start)
    return selection._replace(maps=(*selection.maps[:axis], moved, *selection.maps[axis + 1 :]))
