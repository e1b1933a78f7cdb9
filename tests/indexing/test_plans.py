"""Selections against NumPy: what is selected, where it goes, which chunks hold it, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.indexing import plan_basic
from zchunk.spec.regular_grid import RegularGrid


@st.composite
def selected(draw: st.DrawFn) -> tuple[RegularGrid, Any]:
    shape = tuple(draw(st.lists(st.integers(0, 12), max_size=3)))
    chunks = tuple(draw(st.integers(1, 5)) for _ in shape)
    bound = st.none() | st.integers(-14, 14)
    entries = [
        draw(
            st.builds(slice, bound, bound, st.none() | st.integers(-5, 5).filter(bool))
            | (st.integers(-n, n - 1) if n else st.just(slice(None)))
        )
        for n in shape
    ]
    return RegularGrid(shape, chunks), tuple(entries)


@given(selected())
def test_parts_are_the_selection(case: tuple[RegularGrid, Any]) -> None:
    grid, selection = case
    items = np.arange(np.prod(grid.shape, dtype=int)).reshape(grid.shape)
    plan = plan_basic(selection, grid)
    found = np.full(plan.shape, -1)
    target = found if plan.expand is None else found[plan.expand]
    seen = []
    for part in plan.parts():
        begin = [c * n for c, n in zip(part.coords, grid.chunk_shape, strict=True)]
        chunk = items[tuple(slice(b, b + n) for b, n in zip(begin, grid.chunk_shape, strict=True))]
        target[part.outer] = chunk[part.inner]
        assert part.full == (chunk[part.inner].size == chunk.size)
        seen.append(part.coords)
    expected = items[selection]
    assert plan.shape == expected.shape
    assert plan.size == expected.size
    np.testing.assert_array_equal(found, expected)
    # Each chunk once, and only chunks that hold something.
    assert len(set(seen)) == len(seen)
    where = [
        np.unique(np.atleast_1d(np.arange(n)[s]) // c)
        for n, s, c in zip(grid.shape, selection, grid.chunk_shape, strict=True)
    ]
    assert set(seen) == (set(itertools.product(*(w.tolist() for w in where))) if expected.size else set())


@pytest.mark.parametrize(
    ("selection", "shape"),
    [
        (..., (4, 6)),
        ((), (4, 6)),
        (1, (6,)),
        ((..., 1), (4,)),
        ((1, ...), (6,)),
        ((1, ..., 2), ()),
        ((1, 2, ...), ()),
        (np.int16(-1), (6,)),
        (np.array(2), (6,)),
        (slice(np.int64(1), np.uint8(3)), (2, 6)),
        (slice(None, None, -(10**30)), (1, 6)),
        (slice(10**30), (4, 6)),
    ],
)
def test_shape(selection: Any, shape: tuple[int, ...]) -> None:
    assert plan_basic(selection, RegularGrid((4, 6), (2, 2))).shape == shape


@pytest.mark.parametrize("selection", [4, -5, (0, 6), (..., -7), 10**30])
def test_out_of_bounds(selection: Any) -> None:
    with pytest.raises(BoundsCheckError, match=r"out of bounds for axis [01] of length [46]"):
        plan_basic(selection, RegularGrid((4, 6), (2, 2)))


@pytest.mark.parametrize(
    "selection",
    [
        (0, 0, 0), (..., ...), (..., 0, 0, 0), None, True, np.True_, 1.0, "a", [0, 1], np.array([0, 1]),
        (0, [1]), {},
        slice("a"), slice(1.5), slice(None, None, 0), slice(np.array([1, 2]), None), np.array([1]), 1j,
    ],
    ids=repr,
)  # fmt: skip
def test_refused(selection: Any) -> None:
    with pytest.raises(SelectionError):
        plan_basic(selection, RegularGrid((4, 6), (2, 2)))


def test_ten_million_chunks_cost_no_memory() -> None:
    plan = plan_basic(..., RegularGrid((10**7,), (1,)))
    assert plan.size == 10**7
    plan = plan_basic((slice(None), 3), RegularGrid((10**18, 10**18), (1, 7)))
    assert plan.shape == (10**18,)
