"""Basic selections of basic selections, beside the composition of selections of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk._ext.selection import slices
from zchunk._ext.selection.composed import compose_basic, plan_composed
from zchunk.indexing.brackets import select
from zchunk.indexing.composition import Composition, Listed, Span, transposed, whole


@st.composite
def basic(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Draw a basic selection of a shape: integers and slices for some of the axes, perhaps an Ellipsis."""
    entries: list[Any] = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        ends = st.integers(-9, 9)
        kinds: list[Any] = [st.slices(length), st.builds(slice, ends, ends, st.sampled_from([-2, 3]))]
        if length:
            kinds.append(st.integers(-length, length - 1))
        entries.append(draw(st.one_of(kinds)))
    if draw(st.booleans()):
        entries = [..., *entries] if len(entries) == len(shape) else [*entries, ...]
    return tuple(entries)


@given(st.data())
def test_what_is_composed_at_once_is_what_the_general_way_composes(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(0, 7), max_size=4).map(tuple))
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    found = data.draw(st.sampled_from([whole(shape), transposed(shape, order)]))
    items = np.arange(int(np.prod(shape))).reshape(shape)
    expected = items.transpose(order) if found != whole(shape) else items
    for _ in range(data.draw(st.integers(1, 3))):
        selection = data.draw(basic(found.shape))
        at_once = compose_basic(selection, found.shape, found.maps, Span)
        found = found.then(select(selection, found.shape))
        assert at_once is not None
        assert Composition(*at_once) == found
        assert [type(m) for m in at_once[1]] == [type(m) for m in found.maps]
        expected = expected[(*selection, ...)] if ... not in selection else expected[selection]
    chunks = tuple(data.draw(st.integers(1, 4)) for _ in shape)
    plan = plan_composed(found.shape, found.maps, Span, shape, chunks)
    in_order = [m.along for m in found.maps if isinstance(m, Span)] == list(range(len(found.shape)))
    assert (plan is not None) == in_order
    if plan is not None:
        assert (plan.shape, plan.scalar) == (expected.shape, False)
        read = np.empty(plan.shape, items.dtype)
        target = plan.view(read)
        for part in plan.parts():
            where = tuple(
                slice(s.start + c * n, s.stop + c * n, s.step)
                for s, c, n in zip(part.inner, part.coords, chunks, strict=True)
            )
            target[part.outer] = items[where]
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(
    "selection", [None, (0, 0, 0), 5, -6, slice("a"), True, [0], (..., ...), 1.5, "field"]
)
def test_of_other_selections_there_is_none(selection: Any) -> None:
    assert compose_basic(selection, (5, 4), whole((5, 4)).maps, Span) is None


def test_of_other_compositions_there_is_none() -> None:
    listed = Listed((0,), np.array([1, 0]))
    assert compose_basic(0, (2, 4), (listed, Span(1, 0, 1)), Span) is None
    assert plan_composed((2, 4), (listed, Span(1, 0, 1)), Span, (5, 4), (1, 1)) is None
    # A new axis, and an array that has become shorter.
    assert plan_composed((1, 5), (Span(1, 0, 1),), Span, (5,), (2,)) is None
    assert plan_composed((5,), (Span(0, 0, 1),), Span, (4,), (2,)) is None
    assert plan_composed((), (4,), Span, (4,), (2,)) is None
    assert plan_composed((0,), (Span(0, 0, 1),), Span, (0,), (2,)) is not None
    assert plan_composed((1,), (Span(0, 0, 1), 3), Span, (5,), (2,)) is None


def test_the_greatest_positions_do_not_overflow() -> None:
    shape, step = (2**63 - 1,), 2**61
    found = compose_basic(slice(None, None, -step), shape, whole(shape).maps, Span)
    assert found == ((4,), (Span(0, 2**63 - 2, -step),))
    assert found is not None
    assert compose_basic(-1, *found, Span) == ((), (2**63 - 2 - 3 * step,))
    plan = plan_composed(*found, Span, shape, (2**40,))
    direct = slices.plan_basic(slice(None, None, -step), shape, (2**40,))
    assert plan is not None
    assert direct is not None
    assert plan.axes == direct.axes
