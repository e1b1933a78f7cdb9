"""Plans of rechunking against brute force: they fit in memory, and every chunk has its task."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.spec.regular_grid import RegularGrid
from zchunk.wings.rechunking.plan import (
    Box,
    Plan,
    box_of,
    least_items,
    make_plan,
    meeting,
    reads_of,
    shape_of,
    within,
)

Shape = tuple[int, ...]


@st.composite
def rechunkings(draw: st.DrawFn) -> tuple[Shape, Shape, Shape]:
    """Shape of an array, and of its chunks before and after."""
    shape = tuple(draw(st.lists(st.integers(0, 12), min_size=0, max_size=3)))
    chunks = st.tuples(*(st.integers(1, 15) for _ in shape))
    return shape, draw(chunks), draw(chunks)


def boxes(grid: RegularGrid) -> list[Box]:
    return [box_of(grid, number) for number in range(grid.nchunks)]


def check_whole_chunks(shape: Shape, grid: RegularGrid, chunks: Shape) -> None:
    """Check that the regions cover the array once, and that each chunk is in one of them."""
    seen = np.zeros(shape, int)
    for box in boxes(grid):
        seen[box] += 1
        for s, n, c in zip(box, shape, chunks, strict=True):
            assert s.start % c == 0
            assert s.stop % c == 0 or s.stop == n
    assert (seen == 1).all()


def check_pieces(plan: Plan) -> None:
    """Check that what regions that are read have of those that are written covers the array once."""
    found: Counter[tuple[int, int]] = Counter()
    items = 0
    for number, box in enumerate(boxes(plan.read)):
        count, each = meeting(plan.write, box)
        pieces = list(each)
        assert count == len(pieces)
        for write, part in pieces:
            found[number, write] += 1
            items += math.prod(shape_of(part))
            assert math.prod(shape_of(part)) > 0
            assert shape_of(within(part, box)) == shape_of(part)
    again = {
        (read, write) for write, box in enumerate(boxes(plan.write)) for read, _ in meeting(plan.read, box)[1]
    }
    assert found == Counter(again)
    assert items == math.prod(plan.read.shape)


@given(rechunkings(), st.integers(0, 3000), st.integers(1, 4), st.integers(1, 3000))
def test_each_chunk_is_read_and_written_once_within_the_memory(
    case: tuple[Shape, Shape, Shape], more: int, threads: int, enough: int
) -> None:
    shape, source, target = case
    items = least_items(shape, source, target) + more
    plan = make_plan(shape, source, target, items, threads, enough)
    assert plan.items <= items
    assert all(c >= 1 for grid in plan.stages for c in grid.chunk_shape)
    if 0 not in shape:
        check_whole_chunks(shape, plan.read, source)
        check_whole_chunks(shape, plan.write, target)
    if not plan.direct:
        assert plan.copies <= threads
        check_pieces(plan)


@given(rechunkings(), st.integers(0, 3000), st.floats(1, 3))
def test_chunks_are_read_again_as_often_as_allowed(
    case: tuple[Shape, Shape, Shape], more: int, reads: float
) -> None:
    shape, source, target = case
    items = least_items(shape, source, target) + more
    plan = make_plan(shape, source, target, items, 2, 100, reads)
    assert plan.items <= items
    if 0 in shape or not plan.direct:
        return
    check_whole_chunks(shape, plan.write, target)
    grid = RegularGrid(shape, source)
    read = 0
    for box in boxes(plan.read):
        read += sum(math.prod(shape_of(box_of(grid, number))) for number, _ in meeting(grid, box)[1])
    assert read <= reads * math.prod(shape) * (1 + 1e-9)
    assert read == pytest.approx(math.prod(shape) * reads_of(shape, source, plan.read.chunk_shape))


@given(rechunkings(), st.integers(1, 3000))
def test_too_little_memory(case: tuple[Shape, Shape, Shape], less: int) -> None:
    shape, source, target = case
    items = least_items(shape, source, target) - less
    with pytest.raises(ValueError, match="items"):
        make_plan(shape, source, target, items, 2, 100)


def test_all_fits() -> None:
    plan = make_plan((400, 400, 400), (1, 400, 400), (400, 20, 20), 400**3, 2, 1)
    assert plan.direct
    assert plan.read.nchunks == 1


def test_no_more_than_enough() -> None:
    plan = make_plan((1000, 100), (10, 100), (20, 50), 100_000, 2, 8000)
    assert plan.direct
    assert plan.read.chunk_shape == (80, 100)


def test_from_time_first_to_space_first() -> None:
    plan = make_plan((400, 400, 400), (1, 400, 400), (400, 20, 20), 16_000_000, 2, 1 << 23)
    assert plan.read.chunk_shape[1:] == (400, 400)
    assert (plan.write.chunk_shape[0], plan.write.chunk_shape[2]) == (400, 400)
    # As many pieces as pairs of regions.
    pieces = sum(meeting(plan.write, box)[0] for box in boxes(plan.read))
    assert pieces == plan.read.nchunks * plan.write.nchunks <= 49


def test_regions_are_of_about_one_size() -> None:
    plan = make_plan((100, 10), (1, 10), (1, 10), 90 * 10, 1, 90 * 10)
    assert plan.read.chunk_shape == (50, 10)


def test_runs_of_uncompressed_chunks_are_read_by_themselves() -> None:
    shape, source, target = (400, 400, 400), (1, 400, 400), (400, 20, 20)
    plan = make_plan(shape, source, target, 8_000_000, 2, 8_000_000, run=1000)
    assert plan.direct
    assert reads_of(shape, source, plan.read.chunk_shape) > 5
    # Columns would be short runs.
    assert reads_of(shape, source, (400, 400, 20), run=1000) == 20


@pytest.mark.parametrize("length", [1, 7, 10**6, 2**62])
def test_long_axes_take_no_time(length: int) -> None:
    shape = (2**62, 2**62)
    plan = make_plan(shape, (10, 7), (7, 10), 10**6, 2, 10**6, 1.5)
    assert plan.items <= 10**6
    for number, box in itertools.islice(meeting(plan.write, box_of(plan.read, length))[1], 3):
        assert 0 <= number < plan.write.nchunks
        assert math.prod(shape_of(box)) > 0
