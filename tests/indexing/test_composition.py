"""Compositions: maps of axes beside NumPy, and the plans that they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.indexing.test_brackets import in_brackets
from zchunk._ext.selection.positions import OrthogonalPlan, PointsPlan
from zchunk._ext.selection.slices import Plan
from zchunk.errors import BoundsCheckError
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.brackets import select, select_orthogonal, select_vindex
from zchunk.indexing.composition import Composition, Listed, Span, listed, transposed, whole
from zchunk.spec.regular_grid import RegularGrid

SHAPE = (6, 7, 8)
ITEMS = np.arange(6 * 7 * 8).reshape(SHAPE)
GRID = RegularGrid(SHAPE, (2, 3, 4))


def items_at(items: np.ndarray, selection: Composition) -> np.ndarray:
    """Return what a composition says, item by item: its definition."""
    found = np.empty(selection.shape, items.dtype)
    for place in np.ndindex(*selection.shape):
        index = []
        for m in selection.maps:
            if isinstance(m, Span):
                index.append(m.start + m.step * place[m.along])
            elif isinstance(m, Listed):
                index.append(int(m.positions[tuple([place[axis] for axis in m.along])]))
            else:
                index.append(m)
        assert min(index, default=0) >= 0
        found[place] = items[tuple(index)]
    return found


@given(data=st.data())
def test_one_composition_after_another(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    items = np.arange(int(np.prod(shape))).reshape(shape)
    selection, wanted = whole(shape), items
    for _ in range(3):
        if wanted.size > 500:
            break
        entry = data.draw(in_brackets(wanted.shape))
        try:
            wanted = np.asarray(wanted[entry])
        except IndexError:
            with pytest.raises(IndexError):
                select(entry, wanted.shape)
            break
        selection = selection.then(select(entry, selection.shape))
        axes = tuple(data.draw(st.permutations(range(wanted.ndim))))
        selection, wanted = selection.then(transposed(selection.shape, axes)), wanted.transpose(axes)
    assert selection.shape == wanted.shape
    np.testing.assert_array_equal(items_at(items, selection), wanted)


@pytest.mark.parametrize(
    ("selections", "maps"),
    [
        ([np.s_[1:5], np.s_[::-1], np.s_[1]], (3, Span(0, 0, 1), Span(1, 0, 1))),
        ([np.s_[:, 1::2], np.s_[..., ::-3]], (Span(0, 0, 1), Span(1, 1, 2), Span(2, 7, -3))),
        ([np.s_[[4, 2, 0]], np.s_[1]], (2, Span(0, 0, 1), Span(1, 0, 1))),
        ([np.s_[[4]]], (4, Span(1, 0, 1), Span(2, 0, 1))),
        ([np.s_[[4, 2], [1, 0]], np.s_[1, ::2]], (2, 0, Span(0, 0, 2))),
    ],
)
def test_what_positions_become(selections: list[Any], maps: tuple[Any, ...]) -> None:
    selection = whole(SHAPE)
    for entry in selections:
        selection = selection.then(select(entry, selection.shape))
    assert selection.maps == maps


def test_positions_do_not_depend_on_axes_of_length_1() -> None:
    assert listed([[3]], (0, 1)) == 3
    found = listed(np.array([[[1], [2]]]), (4, 2, 0))
    assert isinstance(found, Listed)
    assert (found.along, found.positions.tolist()) == ((2,), [1, 2])
    found = listed(np.arange(6).reshape(2, 3), (5, 1))
    assert isinstance(found, Listed)
    assert (found.along, found.positions.tolist()) == ((1, 5), [[0, 3], [1, 4], [2, 5]])


@pytest.mark.parametrize(
    ("selections", "kind", "touched"),
    [
        ([np.s_[::2], np.s_[:, 5], np.s_[1:]], Plan, 4),
        ([np.s_[[1, 0]], np.s_[:, [2, 1, 0]]], OrthogonalPlan, 2),
        ([np.ix_([0, 5], [0, 6])], OrthogonalPlan, 8),
        ([np.s_[[1, 0], [1, 0]], np.s_[:, 4:]], PointsPlan, 1),
        ([np.s_[[1, 0, 5], [1, 0, 5]], np.s_[[0, 1]], np.s_[:, 0]], PointsPlan, 1),
        ([np.s_[[1, 0, 5], [1, 0, 5]], np.s_[0, 0]], Plan, 1),
    ],
)
def test_the_plan_is_of_the_simplest_kind(selections: list[Any], kind: type, touched: int) -> None:
    selection = whole(SHAPE)
    for entry in selections:
        selection = selection.then(select(entry, selection.shape))
    found = selection.plan(GRID, "C")
    plan = found.plan if isinstance(found, Arranged) else found
    assert type(plan) is kind
    assert plan.touched == touched
    assert found.shape == selection.shape


def test_orthogonal_and_points() -> None:
    selection = select_orthogonal(([3, 1], slice(None, None, -3), 2), SHAPE)
    np.testing.assert_array_equal(items_at(ITEMS, selection), ITEMS[[3, 1], ::-3, 2])
    selection = select_orthogonal((ITEMS[:, 0, 0] > 60, ..., [1, 0, 1]), SHAPE)
    np.testing.assert_array_equal(items_at(ITEMS, selection), ITEMS[2:][..., [1, 0, 1]])
    selection = select_vindex(([1, 2], [[3], [4]], 5), SHAPE)
    np.testing.assert_array_equal(items_at(ITEMS, selection), ITEMS[[1, 2], [[3], [4]], 5])
    selection = select_vindex(ITEMS % 7 == 0, SHAPE)
    np.testing.assert_array_equal(items_at(ITEMS, selection), ITEMS[ITEMS % 7 == 0])
    assert select_vindex((1, 2, 3), SHAPE).shape == (1,)


def test_a_smaller_array() -> None:
    for entry in (5, np.s_[::-1], [0, 5], np.s_[5:]):
        select(entry, SHAPE).check_within(SHAPE)
        with pytest.raises(BoundsCheckError, match="item 5 of axis 0, which now has the length 5"):
            select(entry, SHAPE).check_within((5, 7, 8))
    # Of which nothing is selected.
    select(np.s_[5:5], SHAPE).check_within((0, 7, 8))
    select(np.s_[4::-1], SHAPE).check_within((5, 7, 8))
