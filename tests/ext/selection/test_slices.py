"""Plans against what Python and NumPy mean, with everything that users may put between brackets."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zchunk._ext.selection.slices import Plan, plan_basic
from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.indexing import plans
from zchunk.spec.regular_grid import RegularGrid

MOST = 2**63 - 1


class Refused(Exception):
    pass


def reference(selection: Any, shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Start, step and count per axis: the step of a slice as the user has it, 0 of an integer."""
    entries = list(selection) if isinstance(selection, tuple) else [selection]
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    missing = len(shape) - len(entries) + len(dots)
    if len(dots) > 1 or missing < 0:
        raise Refused
    at = dots[0] if dots else len(entries)
    entries[at : at + 1] = [slice(None)] * missing
    found = []
    for entry, length in zip(entries, shape, strict=True):
        try:
            if isinstance(entry, slice):
                chosen = range(*entry.indices(length))
                found.append((chosen.start, chosen.step, len(chosen)))
                continue
            index = operator.index(entry)
        except (TypeError, ValueError):
            raise Refused from None
        if isinstance(entry, bool) or not -length <= index < length:
            raise Refused
        found.append((index % length, 0, 1))
    return found


class Three:
    def __index__(self) -> int:
        return 3


class Broken:
    def __index__(self) -> int:
        raise TypeError("no")


near = st.integers(-7, 7)
huge = st.sampled_from([MOST - 1, MOST, MOST + 1, 2**64, 10**30, MOST // 2]).flatmap(
    lambda n: st.sampled_from([n, -n])
)
number = near | huge | near.map(np.int8) | st.builds(Three)
odd = st.sampled_from([None, True, np.True_, 1.0, "a", [0], np.array([0, 1]), np.array(1), Broken(), 1j, {}])
bound = st.none() | number | st.sampled_from([True, 1.5, "a", np.array(1), np.array([1, 2]), Broken()])
plain = near | st.builds(slice, st.none() | near, st.none() | near, st.none() | near.filter(bool))
entry = plain | plain | st.builds(slice, bound, bound, bound) | number | odd | st.just(...)
selections = entry | st.lists(entry, max_size=4).map(tuple)
length = st.integers(0, 7) | st.sampled_from([MOST, MOST - 1, 2**62])
shapes = st.lists(length, max_size=3).map(tuple)


@given(selections, shapes, st.integers(1, 9))
@example((slice(None, None, -(10**30)),), (MOST,), 1)
@example((slice(MOST, -(10**30), -MOST),), (MOST,), 1)
@example((slice(None, None, -MOST),), (0,), 1)
@example((slice(-(2**63), 2**63, -(2**63)),), (7,), 1)
@example((MOST - 1, -MOST), (MOST, MOST), 1)
def test_plan_is_what_python_means(selection: Any, shape: tuple[int, ...], chunk: int) -> None:
    chunks = (chunk,) * len(shape)
    plan = plan_basic(selection, shape, chunks)
    try:
        expected = reference(selection, shape)
    except Refused:
        assert plan is None
        # Where there is no plan, there is something to say about it.
        with pytest.raises((SelectionError, BoundsCheckError)):
            plans.plan_basic(selection, RegularGrid(shape, chunks))
        return
    assert plan is not None
    assert plan.shape == tuple(count for _, step, count in expected if step)
    assert plan.size == np.prod(np.array(plan.shape, object))
    entries = selection if isinstance(selection, tuple) else (selection,)
    assert plan.scalar == (plan.shape == () and not any(e is ... for e in entries))
    expand = [slice(None, None, -1 if step < 0 else None) if step else None for _, step, _ in expected]
    assert plan.expand == (None if expand == [slice(None)] * len(shape) else tuple(expand))
    for found, (start, step, count), n in zip(plan.axes, expected, shape, strict=True):
        assert found[2:] == (count, chunk, n)
        assert 1 <= found[1] <= MOST
        items = range(start, start + count * (step or 1), step or 1)
        again = range(found[0], found[0] + count * found[1], found[1])
        assert again == (items if step >= 0 else items[::-1])


@pytest.mark.parametrize(
    ("shape", "chunks"), [((2,), ()), ((2, 2), (1,)), ((2,), (0,)), ((-1,), (1,)), ((1,) * 65, (1,) * 65)]
)
def test_impossible_grids(shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="for shape"):
        plan_basic((), shape, chunks)
    with pytest.raises(OverflowError):
        plan_basic(..., (2**63,), (1,))


def test_as_many_axes_as_numpy_has() -> None:
    plan = plan_basic((0,) * 63 + (slice(None, None, -1),), (2,) * 64, (1,) * 64)
    assert plan is not None
    assert (plan.shape, plan.scalar, len(plan.axes)) == ((2,), False, 64)
    assert plan.expand == (None,) * 63 + (slice(None, None, -1),)
    assert plan.view(np.array([1, 2])).shape == (1,) * 63 + (2,)
    plan = plan_basic((1,) * 64, (2,) * 64, (1,) * 64)
    assert plan is not None
    assert plan.scalar
    assert [part.coords for part in plan.parts()] == [(1,) * 64]


def test_an_error_of_index_is_the_users() -> None:
    class Bad:
        def __index__(self) -> int:
            raise RuntimeError("mine")

    for selection in (Bad(), slice(Bad()), (0, Bad())):
        with pytest.raises(RuntimeError, match="mine"):
            plan_basic(selection, (2, 2), (1, 1))


def a_plan(selection: Any, shape: tuple[int, ...]) -> Plan:
    plan = plan_basic(selection, shape, (1,) * len(shape))
    assert plan is not None
    return plan


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "S0", "U0", "V0", "M8[s]", ">c16", [("a", "i1"), ("b", "f4")]])
@pytest.mark.parametrize("selection", [..., (0, 0, 0), slice(0), (0, slice(1, 3))], ids=str)
def test_empty_is_numpys(selection: Any, dtype: Any, order: Any) -> None:
    plan = a_plan(selection, (2, 3, 4))
    found = plan.empty(np.dtype(dtype), order)
    expected = (np.empty if np.dtype(dtype).itemsize else np.zeros)(plan.shape, dtype, order)
    assert (found.shape, found.dtype, found.strides) == (expected.shape, expected.dtype, expected.strides)
    assert found.flags.owndata
    if not np.dtype(dtype).itemsize:
        assert found.tobytes() == expected.tobytes()


@given(st.tuples(plain, plain, plain), st.booleans())
def test_view_is_one_axis_per_axis(selection: Any, writeable: bool) -> None:
    shape = (7, 8, 9)
    try:
        plan = a_plan(selection, shape)
    except AssertionError:
        return
    memory = np.arange(2 * plan.size).reshape(*plan.shape, 2)[..., 1]
    memory.flags.writeable = writeable
    expected = memory if plan.expand is None else memory[plan.expand]
    view = plan.view(memory)
    assert (view.shape, view.dtype) == (expected.shape, expected.dtype)
    assert view.flags.writeable == writeable
    np.testing.assert_array_equal(view, expected)
    assert np.shares_memory(view, memory) or not plan.size
    for other in (memory[None], np.zeros(10)):
        with pytest.raises(ValueError, match="memory of shape"):
            plan.view(other)


@given(
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.lists(st.integers(0, 3) | st.just(1), max_size=5).map(tuple),
)
def test_broadcast_is_numpys_assignment(shape: tuple[int, ...], given: tuple[int, ...]) -> None:
    items = np.arange(2 * np.prod(given, dtype=int)).reshape(*given, 2)[..., ::2].reshape(given)
    target = np.full(shape, -1)
    plan = a_plan(..., shape)
    found = plan.broadcast(items)
    try:
        target[...] = items
    except ValueError:
        assert found is None
        return
    assert found is not None
    np.testing.assert_array_equal(found, target)
    assert found.shape == shape
    assert found is items or not found.flags.writeable
    # Without a copy.
    assert np.shares_memory(found, items) or not found.size


def test_views_keep_memory_alive() -> None:
    view = a_plan((slice(None, None, -1), 0), (1000, 2)).view(np.arange(1000.0))
    repeated = a_plan(..., (3, 1000)).broadcast(np.arange(1000.0))
    assert repeated is not None
    np.arange(1000.0)[:] = -1
    assert (view[0, 0], view.shape) == (999, (1000, 1))
    assert (repeated == np.arange(1000)).all()


def test_none_is_refused() -> None:
    plan = a_plan(..., (2,))
    for call in (plan.view, plan.broadcast, lambda x: plan.empty(x, "C"), lambda x: plan_basic(..., x, (1,))):
        with pytest.raises(TypeError):
            call(None)  # type: ignore[arg-type]


def test_references_are_counted() -> None:
    plan, dtype, items = a_plan((0, slice(None, None, -1)), (2, 3)), np.dtype("i8,f4"), np.zeros(1, "i8,f4")
    own = items.dtype
    before = sys.getrefcount(dtype), sys.getrefcount(own), sys.getrefcount(items)
    for _ in range(100):
        plan.empty(dtype, "C")
        plan.view(plan.empty(own, "F"))
        plan.broadcast(items)
        plan_basic((0, slice(2)), (2, 3), (1, 1))
    assert (sys.getrefcount(dtype), sys.getrefcount(own), sys.getrefcount(items)) == before
