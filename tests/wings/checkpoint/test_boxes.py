"""Boxes, against sets of positions."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zchunk.wings.checkpoint.boxes import Box, cell, cells, whole

AXES = 2
NUMBERS = st.tuples(*[st.integers(0, 6)] * AXES)


def positions(box: Box) -> set[tuple[int, ...]]:
    return set(product(*[range(a, b) for a, b in zip(box.start, box.stop, strict=True)]))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_overlap_is_what_lies_in_both(
    a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...], d: tuple[int, ...]
) -> None:
    one, other = Box(a, b), Box(c, d)
    both = one.overlap(other)
    assert positions(both) == positions(one) & positions(other)
    assert both.size == len(positions(both))


@given(NUMBERS, NUMBERS)
def test_cells_of_a_box_are_those_it_touches(start: tuple[int, ...], shape: tuple[int, ...]) -> None:
    box, lengths, total = Box(start, shape), (2, 3), (20, 20)
    touched = {
        coords
        for coords in product(range(10), range(7))
        if positions(cell(coords, lengths, total)) & positions(box)
    }
    assert set(cells(box, lengths)) == touched


def test_a_cell_ends_where_the_array_does() -> None:
    assert cell((1, 0), (4, 4), (6, 3)) == Box((4, 0), (2, 3))


def test_within() -> None:
    items = np.arange(30).reshape(5, 6)
    outer, inner = Box((1, 2), (4, 4)), Box((2, 3), (2, 2))
    assert (items[outer.slices][inner.within(outer)] == items[inner.slices]).all()


def test_without_axes_there_is_one_item() -> None:
    assert whole(()).size == 1
    assert list(cells(whole(()), ())) == [()]
