"""Pieces: chunks along the axes of a composition, and its share of each part of a concatenation."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_execute import slices
from tests.indexing.test_brackets import in_brackets
from tests.indexing.test_composition import items_at
from zchunk.indexing import pieces
from zchunk.indexing.brackets import select
from zchunk.indexing.composition import Span


def edges_of(starts: list[int]) -> pieces.Edges:
    return lambda axis, first, last: [edge for edge in starts if first < edge <= last]


@given(data=st.data(), n=st.integers(0, 12))
def test_lengths_along_a_slice(data: st.DataObject, n: int) -> None:
    entry = data.draw(slices(n))
    starts = sorted(data.draw(st.sets(st.integers(1, 12))))
    chunk = [bisect_right(starts, place) for place in range(n)[entry]]
    runs = [[c for c in chunk if c == number] for number in dict.fromkeys(chunk)]
    (found,) = pieces.lengths(select(entry, (n,)), edges_of(starts))
    assert found == (tuple(map(len, runs)) or (0,))


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ([0, 1, 4, 11], (2, 1, 1)),
        ([11, 8, 7, 7], (2, 2)),
        ([0, 11, 0], (3,)),
        ([], (0,)),
        ([5], (1,)),
        (np.s_[[[0, 5]]], (1,)),
    ],
)
def test_lengths_along_lists(entry: Any, wanted: tuple[int, ...]) -> None:
    assert pieces.lengths(select(entry, (12,)), edges_of([4, 8]))[0] == wanted


def test_points_are_one_piece() -> None:
    found = pieces.lengths(select(np.s_[[0, 11], :, [0, 11]], (12, 12, 12)), edges_of([4, 8]))
    assert found == ((2,), (4, 4, 4))


def test_crossing() -> None:
    ahead, back = Span(0, 2, 3), Span(0, 11, -3)
    assert [pieces.crossing(ahead, 4, edge) for edge in (0, 2, 3, 5, 6, 12)] == [0, 0, 1, 1, 2, 4]
    assert [pieces.crossing(back, 4, edge) for edge in (0, 2, 3, 5, 9, 12)] == [4, 4, 3, 3, 1, 0]


@given(data=st.data())
def test_parts_are_the_whole(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    inside = data.draw(st.lists(st.integers(0, shape[axis]), max_size=3))
    starts = [0, *sorted(inside), shape[axis]]
    items = np.arange(int(np.prod(shape))).reshape(shape)
    entry = data.draw(in_brackets(shape))
    try:
        wanted = np.asarray(items[entry])
    except IndexError:
        return
    selection = select(entry, shape)
    found = np.full(selection.shape, -1)
    for number, key, inner in pieces.split(selection, axis, starts):
        part = items[(*[slice(None)] * axis, slice(starts[number], starts[number + 1]))]
        assert (found[key] == -1).all()
        found[key] = items_at(part, inner)
    np.testing.assert_array_equal(found, wanted)


def test_lists_that_go_on_along_one_axis_are_slices() -> None:
    selection = select([0, 2, 4, 5, 3, 4], (8,))
    found = [(number, key) for number, key, _ in pieces.split(selection, 0, [0, 4, 8])]
    assert [number for number, _ in found] == [0, 1]
    assert [k.tolist() for _, (k,) in found] == [[0, 1, 4], [2, 3, 5]]
    assert [key for _, key, _ in pieces.split(select([0, 2, 4, 5], (8,)), 0, [0, 4, 8])] == [
        (slice(0, 2),),
        (slice(2, 4),),
    ]
