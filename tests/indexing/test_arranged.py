"""Plans whose results have their axes in another order, or new ones: beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.indexing.arranged import Arranged
from zchunk.indexing.brackets import select
from zchunk.indexing.composition import transposed
from zchunk.indexing.plans import plan_basic
from zchunk.spec.regular_grid import RegularGrid

SHAPE = (6, 7, 8)
GRID = RegularGrid(SHAPE, (2, 3, 4))
ITEMS = np.arange(336.0).reshape(SHAPE)


def test_memory_of_the_result_is_memory_of_the_plan() -> None:
    selection = select(np.s_[1:, None, 2], SHAPE)
    selection = selection.then(transposed(selection.shape, (2, 0, 1)))
    plan = selection.plan(GRID, "C")
    assert isinstance(plan, Arranged)
    assert plan.shape == (8, 5, 1)
    out = np.zeros(plan.shape)
    memory = plan.memory(out)
    assert memory.shape == plan.plan.shape == (5, 8)
    memory[...] = ITEMS[1:, 2]
    np.testing.assert_array_equal(out, ITEMS[1:, None, 2].transpose(2, 0, 1))


@given(order=st.permutations(range(3)), new=st.sets(st.integers(0, 4), max_size=2), lengths=st.data())
def test_results_and_what_is_assigned_are_those_of_numpy(
    order: list[int], new: set[int], lengths: st.DataObject
) -> None:
    places = tuple(sorted(place for place in new if place < 3 + len(new)))
    counts = tuple(lengths.draw(st.integers(0, 2)) for _ in places)
    plan = Arranged(plan_basic((), GRID), tuple(order), places, counts)
    expected = ITEMS.transpose(order)
    for place, count in zip(places, counts, strict=True):
        expected = np.repeat(np.expand_dims(expected, place), count, axis=place)
    assert plan.shape == expected.shape
    assert plan.repeats == any(count != 1 for count in counts)
    assert not plan.scalar
    np.testing.assert_array_equal(plan.result(ITEMS), expected)
    given = plan.broadcast(expected)
    assert given is not None
    assert given.size == 0 or np.array_equal(given, ITEMS)


@pytest.mark.parametrize("value", [np.zeros((1, 1, 8, 7, 6)), np.zeros(6), 5.0])
def test_what_is_assigned_broadcasts(value: Any) -> None:
    plan = Arranged(plan_basic((), GRID), (2, 1, 0), (), ())
    given = plan.broadcast(np.asarray(value))
    assert given is not None
    assert given.shape == SHAPE


def test_what_does_not_fit_is_none() -> None:
    assert Arranged(plan_basic((), GRID), (2, 1, 0), (), ()).broadcast(np.zeros(SHAPE)) is None
