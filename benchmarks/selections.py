"""The selections of cases: functions of the layout that return one or several, in reading order."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np

from benchmarks.datasets import Layout


class Points(tuple[np.ndarray, ...]):
    """Points: an array of positions per axis, all of the same length."""


class Picks(tuple[np.ndarray, ...]):
    """The product of positions along every axis."""


Selection = tuple[slice | int, ...] | Points | Picks
Select = Callable[[Layout], list[Selection]]


def everything(layout: Layout) -> list[Selection]:
    """Select the whole array."""
    return [tuple(slice(0, n) for n in layout.shape)]


def first(count: int) -> Select:
    """Select so many elements from the start of an array with one axis."""
    return lambda layout: [(slice(0, count),)]


def box(layout: Layout) -> list[Selection]:
    """Select about two fifths of the shortest axis along every axis, with no edge on a chunk's edge."""
    side = 200 if min(layout.shape) > 250 else 2 * min(layout.shape) // 5
    return [tuple(slice(c // 3 + 1, c // 3 + 1 + side) for c in layout.chunks)]


def random_boxes(count: int) -> Select:
    """Select boxes at random places, one after the other, a fifth of the shortest axis along every axis."""

    def select(layout: Layout) -> list[Selection]:
        rng = np.random.default_rng(10)
        side = 100 if min(layout.shape) > 250 else min(layout.shape) // 5
        corners = np.stack([rng.integers(0, n - side + 1, count) for n in layout.shape], 1).tolist()
        return [tuple(slice(start, start + side) for start in corner) for corner in corners]

    return select


def random_crops(layout: Layout) -> list[Selection]:
    """Select blocks as large as a chunk at random places: 1,000 of a large array, 100 of a small one."""
    rng, count = np.random.default_rng(11), 1000 if min(layout.shape) > 250 else 100
    corners = np.stack(
        [rng.integers(0, n - c + 1, count) for n, c in zip(layout.shape, layout.chunks, strict=True)], 1
    )
    return [
        tuple(slice(start, start + c) for start, c in zip(corner, layout.chunks, strict=True))
        for corner in corners.tolist()
    ]


def random_chunks(layout: Layout) -> list[Selection]:
    """Select chunks at random, some of them several times: 1,600 of a large array, 64 of a small one."""
    rng, count = np.random.default_rng(12), 1600 if min(layout.shape) > 100 else 64
    places = np.stack(
        [rng.integers(0, n // c, count) for n, c in zip(layout.shape, layout.chunks, strict=True)], 1
    )
    return [
        tuple(slice(i * c, i * c + c) for i, c in zip(place, layout.chunks, strict=True))
        for place in places.tolist()
    ]


def strided(layout: Layout) -> list[Selection]:
    """Select every fourth element along every axis."""
    return [tuple(slice(0, n, 4) for n in layout.shape)]


def plane(axis: int) -> Select:
    """Select one plane across an axis, inside a chunk."""

    def select(layout: Layout) -> list[Selection]:
        index = layout.shape[axis] // 2 + layout.chunks[axis] // 3
        return [tuple(index if i == axis else slice(0, n) for i, n in enumerate(layout.shape))]

    return select


def random_points(count: int) -> Select:
    """Select points at random places."""

    def select(layout: Layout) -> list[Selection]:
        rng = np.random.default_rng(6)
        return [Points(rng.integers(0, n, count) for n in layout.shape)]

    return select


def random_picks(count: int) -> Select:
    """Select the product of so many ascending positions along every axis."""

    def select(layout: Layout) -> list[Selection]:
        rng = np.random.default_rng(7)
        return [Picks(np.sort(rng.choice(n, min(count, n), replace=False)) for n in layout.shape)]

    return select


def of_array(data: np.ndarray, selection: Selection) -> np.ndarray:
    """Return the selected items of a NumPy array."""
    if isinstance(selection, Picks):
        return data[np.ix_(*selection)]
    result: np.ndarray = data[tuple(selection)]
    return result


def _chunk_corners(layout: Layout) -> list[tuple[int, ...]]:
    """Return the first index of up to 64 chunks in a fixed random order.

    No chunk comes twice, so that a library which keeps the last decoded chunk does not answer from it.
    """
    starts = [range(0, n - c + 1, c) for n, c in zip(layout.shape, layout.chunks, strict=True)]
    corners = list(product(*starts))
    order = np.random.default_rng(5).permutation(len(corners))[:64]
    return [corners[i] for i in order]


def points(layout: Layout) -> list[Selection]:
    """Select single elements, each from the middle of another chunk."""
    return [
        tuple(start + 2 * c // 3 for start, c in zip(corner, layout.chunks, strict=True))
        for corner in _chunk_corners(layout)
    ]


def rows(layout: Layout) -> list[Selection]:
    """Select rows along the last axis, as long as a chunk, each from the middle of another chunk."""
    return [
        (*point[:-1], slice(corner[-1], corner[-1] + layout.chunks[-1]))
        for point, corner in zip(points(layout), _chunk_corners(layout), strict=True)
    ]


def through_time(layout: Layout) -> list[Selection]:
    """Select ``[:, i, j]``."""
    return [(slice(0, layout.shape[0]), *(n // 3 for n in layout.shape[1:]))]


def by_chunk(layout: Layout) -> list[Selection]:
    """Select every chunk, one after the other."""
    starts = [range(0, n, c) for n, c in zip(layout.shape, layout.chunks, strict=True)]
    return [
        tuple(
            slice(start, min(start + c, n))
            for start, c, n in zip(corner, layout.chunks, layout.shape, strict=True)
        )
        for corner in product(*starts)
    ]


def some_chunks(layout: Layout) -> list[Selection]:
    """Select up to 64 chunks, one after the other, in a fixed random order."""
    return [
        tuple(slice(start, start + c) for start, c in zip(corner, layout.chunks, strict=True))
        for corner in _chunk_corners(layout)
    ]


def by_shard(layout: Layout) -> list[Selection]:
    """Select a row inside one chunk of every shard, one after the other."""
    assert layout.shards
    starts = [range(0, n, s) for n, s in zip(layout.shape, layout.shards, strict=True)]
    inside = [s // 2 // c * c for s, c in zip(layout.shards, layout.chunks, strict=True)]
    corners = [[a + b for a, b in zip(corner, inside, strict=True)] for corner in product(*starts)]
    return [(*corner[:-1], slice(corner[-1], corner[-1] + layout.chunks[-1])) for corner in corners]


def touched_chunks(layout: Layout, selection: Selection) -> list[tuple[slice, ...]]:
    """Return the element ranges of every chunk that a selection touches."""
    if isinstance(selection, Points):
        corners = np.unique(np.stack(selection, 1) // layout.chunks * layout.chunks, axis=0).tolist()
        return [
            tuple(slice(i, i + c) for i, c in zip(corner, layout.chunks, strict=True)) for corner in corners
        ]
    axes = zip(_touched(layout, selection), layout.chunks, strict=True)
    return list(product(*([slice(i * c, (i + 1) * c) for i in touched] for touched, c in axes)))


def touched_count(layout: Layout, selection: Selection) -> int:
    """Return the number of chunks that a selection touches."""
    if isinstance(selection, Points):
        return len(touched_chunks(layout, selection))
    return math.prod(map(len, _touched(layout, selection)))


def _touched(layout: Layout, selection: Selection) -> list[list[int]]:
    """Return the indices of the touched chunks along every axis."""
    axes = []
    for entry, n, c in zip(selection, layout.shape, layout.chunks, strict=True):
        wanted = range(n)[entry] if isinstance(entry, slice) else np.atleast_1d(entry).tolist()
        axes.append(sorted({index // c for index in wanted}))
    return axes
