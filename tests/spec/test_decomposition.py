"""Decompositions: regions of whole chunks."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.spec.decomposition import nearest_aligned, partition
from zchunk.spec.rectilinear_grid import RectilinearGrid
from zchunk.spec.regular_grid import RegularGrid

lengths = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=4)


@st.composite
def grids(draw: st.DrawFn) -> Any:
    shape, chunks = zip(*draw(lengths), strict=True)
    if draw(st.booleans()):
        return RegularGrid(shape, chunks)
    edges = [tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))) for _ in shape]
    return RectilinearGrid(tuple(map(sum, edges)), tuple(edges))


def bounds(grid: Any, axis: int) -> set[int]:
    count = grid.cdata_shape[axis]
    starts = {grid.span(axis, first, first).start for first in range(count)}
    return starts | {0, grid.shape[axis]}


@given(grids(), st.integers(1, 50))
def test_regions_are_of_whole_chunks_and_cover_the_array_once(grid: Any, n: int) -> None:
    regions = partition(grid, n)
    assert len(regions) == n
    covered = np.zeros(grid.shape, "i4")
    for region in regions:
        covered[region] += 1
        if covered[region].size:
            for axis, part in enumerate(region):
                assert {part.start, part.stop} <= bounds(grid, axis)
                assert part.step is None
    assert (covered == 1).all()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 60))
def test_regions_are_about_as_large(counts: list[int], n: int) -> None:
    grid = RegularGrid(tuple(counts), (1,) * len(counts))
    sizes = [math.prod(part.stop - part.start for part in region) for region in partition(grid, n)]
    total = math.prod(counts)
    # None is empty as long as there are chunks, and those that are come last.
    assert [size > 0 for size in sizes] == [k < total for k in range(n)]
    assert max(sizes) <= 2 * -(-total // n)
    if len(counts) == 1:
        assert max(sizes) - min(sizes) <= 1


def test_regions_of_many_processes() -> None:
    regions = partition(RegularGrid((300, 300, 300), (1, 1, 1)), 1000)
    assert {math.prod(part.stop - part.start for part in region) for region in regions} == {27_000}


def test_regions_of_nothing_and_of_one_item() -> None:
    assert partition(RegularGrid((0, 5), (2, 2)), 2) == [(slice(0, 0), slice(0, 0))] * 2
    assert partition(RegularGrid((), ()), 1) == [()]
    with pytest.raises(ValueError, match="one item"):
        partition(RegularGrid((), ()), 2)
    with pytest.raises(ValueError, match="not 0"):
        partition(RegularGrid((5,), (2,)), 0)


@given(st.lists(st.integers(0, 100), min_size=1), st.integers(1, 30), st.integers(1, 100))
def test_a_decomposition_stays_one_when_its_bounds_move(cuts: list[int], chunk: int, length: int) -> None:
    grid = RegularGrid((length,), (chunk,))
    cuts = sorted({min(cut, length) for cut in cuts} | {0, length})
    moved = [nearest_aligned(grid, (slice(*pair),))[0] for pair in pairwise(cuts)]
    assert (moved[0].start, moved[-1].stop) == (0, length)
    assert all(a.stop == b.start for a, b in pairwise(moved))
    for cut, part in zip(cuts[1:], moved, strict=True):
        assert part.stop == length or part.stop % chunk == 0
        assert abs(part.stop - cut) <= chunk / 2
    again = [nearest_aligned(grid, (part,))[0] for part in moved]
    assert again == moved
