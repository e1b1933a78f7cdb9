"""What stands in ``z[...]`` against NumPy: reading and writing, natively and generically, in all formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.core.test_selections import arrays, both, lists, shown
from tests.engine.test_execute import STRUCTURED, executor, items_of, same, slices
from tests.variants import NO_ARRAYS, Variant, only_v2
from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.brackets import plan_items
from zchunk.spec.regular_grid import RegularGrid

pytestmark = pytest.mark.usefixtures("variant")

ITEMS = np.arange(6 * 7 * 8).reshape(6, 7, 8)


@st.composite
def positions(draw: st.DrawFn, shape: tuple[int, ...], n: int) -> np.ndarray:
    """Positions along an axis, of a shape that others are broadcast with."""
    size = int(np.prod(shape)) if n else 0
    found = draw(st.lists(st.integers(-n, max(n - 1, 0)), min_size=size, max_size=size))
    return np.array(found, draw(st.sampled_from(["i8", "i2"]))).reshape(shape if n else 0)


@st.composite
def in_brackets(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Everything that NumPy takes: several arrays that can be broadcast, masks, new axes, an Ellipsis."""
    count = draw(st.integers(1, 3))
    several = [(count,), (1,), (2, count), (2, 1)] if all(shape) and draw(st.booleans()) else None
    entries: list[Any] = []
    axis = 0
    while axis < len(shape):
        n, kind = shape[axis], draw(st.sampled_from(["basic", "basic", "index", "mask", "new"]))
        if kind == "new":
            entries.append(None)
            continue
        if kind == "index" and several:
            entries.append(draw(st.sampled_from(several).flatmap(lambda s, n=n: positions(s, n))))
        elif kind == "index" and not any(isinstance(e, list | np.ndarray) for e in entries):
            entries.append(draw(lists(n)))
        elif kind == "mask" and not any(isinstance(e, list | np.ndarray) for e in entries):
            covered = shape[axis : axis + draw(st.integers(1, len(shape) - axis))]
            flat = draw(
                st.lists(st.booleans(), min_size=int(np.prod(covered)), max_size=int(np.prod(covered)))
            )
            entries.append(np.array(flat, bool).reshape(covered))
            axis += len(covered) - 1
            several = None
        else:
            entries.append(draw(slices(n) | st.integers(-n, n - 1) if n else slices(n)))
        axis += 1
    if draw(st.integers(0, 7)) == 0:
        entries.insert(draw(st.integers(0, len(entries))), draw(st.sampled_from([None, True, np.True_])))
    whole = [i for i, entry in enumerate(entries) if isinstance(entry, slice)]
    if draw(st.booleans()):
        at = draw(st.sampled_from(whole)) if whole else draw(st.integers(0, len(entries)))
        entries[at : at + bool(whole)] = [...]
    return tuple(entries)


@given(data=st.data(), case=arrays(), seed=st.integers(0, 99))
def test_as_in_numpy(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    selection = data.draw(in_brackets(case["shape"]))
    case["cache_bytes"] = data.draw(st.sampled_from([None, 10**6]))
    source = items_of(dtype, case["shape"], seed)
    try:
        wanted = np.asarray(source[selection], dtype)
    except IndexError:
        for z in both(case, variant):
            with pytest.raises(IndexError):
                z[selection]
            with pytest.raises(IndexError):
                z[selection] = source.flat[:1]
        return
    values = items_of(dtype, wanted.shape, seed + 1)
    # As many axes as are wanted, or fewer and shorter ones that are broadcast.
    values = values[data.draw(st.sampled_from([..., (slice(1), ...)] if values.ndim else [...]))]
    expected = source.copy()
    try:
        expected[selection] = values
    except ValueError:
        # Nothing can be repeated so that it fits an empty axis.
        values = items_of(dtype, wanted.shape, seed + 1)
        expected[selection] = values
    files = []
    for z in both(case, variant):
        z[...] = source
        assert same(np.asarray(z[selection], dtype), wanted)
        z[selection] = values
        assert same(z[...], expected)
        assert same(np.asarray(z[selection], dtype), np.asarray(expected[selection], dtype))
        files.append(variant.values(z))
    assert files[0] == files[1]


MASK = ITEMS % 3 == 0


@pytest.mark.parametrize(
    "selection",
    [
        MASK,
        (MASK, None),
        MASK[:, 0, 0],
        (MASK[:, 0, 0], slice(None)),
        (MASK[:, 0, 0], 1, [2]),
        (slice(None), MASK[0]),
        (MASK[:, :, 0], slice(None, None, -2)),
        (0, MASK[0]),
        (0, slice(None), [1, 2, 2]),
        (0, [1, 2, 2]),
        (slice(None), [0, 2], [5, 1]),
        ([0, 5, 0], slice(1, 5), [7, -8, 0]),
        ([[0], [5]], slice(None), [7, -8, 0]),
        (..., [0, 2]),
        ([0, 2], ...),
        (..., [0, 2], 3),
        (0, ..., [1]),
        (0, 1, ..., [1]),
        (slice(None), 1, ..., [1]),
        (None, 0, [1]),
        ([1], None, [2], ...),
        np.newaxis,
        (slice(None), None, 2, None),
        (0, None, 0, 0),
        (0, 0, 0, None, ...),
        [[1, 2], [0, 5]],
        (range(3), (1, 2, 0)),
        (np.array(2), slice(None), np.array([3])),
        [],
        ([], slice(None), []),
        np.zeros((6, 7, 8), bool),
        True,
        np.False_,
        (np.array(True), 1),
        (True, [0, 1, 2], slice(None), [1]),
    ],
    ids=lambda entry: f"{entry!r:.50}",
)
def test_every_kind(selection: Any) -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    found, wanted = z[selection], ITEMS[selection]
    assert type(found) is type(wanted)
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found, wanted)
    expected = ITEMS.copy()
    expected[selection] = -ITEMS[selection]
    z[selection] = -ITEMS[selection]
    np.testing.assert_array_equal(z[...], expected)
    z[selection] = 7
    expected[selection] = 7
    np.testing.assert_array_equal(z[...], expected)


def test_arrays_without_axes() -> None:
    items = np.array(5)
    z = zchunk.array(items)
    for selection in (None, (None, ...), True, False, np.array(True), (..., None), (True, None)):
        np.testing.assert_array_equal(z[selection], items[selection])
        assert z[selection].shape == items[selection].shape
    z[z[...] > 9] = 3
    assert z[()] == 5
    z[z[...] > 4] = 3
    assert z[()] == 3


def test_a_mask_that_is_an_array_in_a_store() -> None:
    z, mask = zchunk.array(ITEMS, chunks=(2, 3, 4)), zchunk.array(MASK, chunks=(3, 3, 3))
    np.testing.assert_array_equal(z[mask], ITEMS[MASK])


def test_what_is_set_repeatedly_has_the_last_value() -> None:
    for order in "CF":
        z = zchunk.zeros((4, 5, 6), chunks=(2, 5, 3), order=order, dtype="i4")
        z[[1, 0, 1], :, [5, 0, 5]] = np.arange(15).reshape(3, 5)
        np.testing.assert_array_equal(z[1, :, 5], np.arange(10, 15))
        np.testing.assert_array_equal(z[0, :, 0], np.arange(5, 10))


@pytest.mark.parametrize(
    "selection", [([0, 2], slice(None), [1, 0]), (MASK[:, :, 0], None), (0, slice(None), [3])]
)
def test_with_fields(selection: tuple[Any, ...]) -> None:
    items = items_of(STRUCTURED[3].newbyteorder("="), ITEMS.shape, 3)
    names = list(items.dtype.names or ())
    for kind in ("native", "generic"):
        with executor(kind):
            z = zchunk.array(items, chunks=(2, 3, 4))
            for name in names:
                np.testing.assert_array_equal(z[name, *selection], items[selection][name])
            assert z[tuple(names)].dtype.names == z[names].dtype.names == tuple(names)
            assert same(z[(*names, *selection)].copy(), items[selection])
            expected = items.copy()
            expected[names[0]][selection] = items[names[0]].flat[0]
            z[names[0], *selection] = items[names[0]].flat[0]
            assert same(z[...], expected)


@only_v2("format 3 has no fields with axes")
def test_a_field_that_has_axes() -> None:
    dtype = np.dtype([("a", "i4", (2, 3)), ("b", "u1")])
    items = np.zeros((4, 5), dtype)
    items["a"] = np.arange(120).reshape(4, 5, 2, 3)
    z = zchunk.array(items, chunks=(2, 2))
    for selection in ((0, None, [1, 2]), (None, slice(None), [0, 3]), ([[0, 1]], slice(None))):
        np.testing.assert_array_equal(z["a", *selection], items["a"][selection])


def test_objects() -> None:
    items = np.array([["a", "b", "c"], ["d", "e", "f"]], object)
    z = zchunk.array(items, dtype=str, chunks=(1, 2))
    for selection in ((None, slice(None), [2, 0]), items > "b", (slice(None), [[0], [1]])):
        np.testing.assert_array_equal(z[selection], items[selection])
    z[:, None, [2, 0]] = [[["x", "y"]], [["z", "t"]]]
    np.testing.assert_array_equal(z[...], np.array([["y", "b", "x"], ["t", "e", "z"]], object))


@pytest.mark.parametrize(
    ("selection", "error", "message"),
    [
        (
            (0, np.ones((7, 9), bool)),
            SelectionError,
            r"mask of shape \(7, 9\) for axes 1 to 2 of shape \(7, 8\)",
        ),
        (np.ones(5, bool), SelectionError, r"mask of shape \(5,\) for axis 0 of shape \(6,\)"),
        ((np.ones((6, 7), bool), 0, 0), SelectionError, "too many indices: the array has 3 dimensions"),
        (([0, 1], slice(None), [0, 1, 2]), SelectionError, "do not fit together"),
        (([0, 1], slice(None), [0, 8]), BoundsCheckError, "index 8 is out of bounds for axis 2 of length 8"),
        ((..., [-9]), BoundsCheckError, "index -9 is out of bounds for axis 2 of length 8"),
        (([0, 1], 7, [0, 1], None), BoundsCheckError, "index 7 is out of bounds for axis 1 of length 7"),
        (([0, 1], 7, slice(None), None), BoundsCheckError, "index 7 is out of bounds for axis 1 of length 7"),
        (([0, 1], slice("a"), [0, 1]), SelectionError, "no slice of integers"),
        (("a", None), SelectionError, "no field 'a'"),
        ((0, {}), SelectionError, r"index \{\} of type dict at place 1: integers, slices"),
        ([0.5], SelectionError, r"index \[0.5\] of type list at place 0: integers, slices"),
        ([[1, 2], [3]], SelectionError, "inhomogeneous"),
        ((..., None, ...), SelectionError, "at most one Ellipsis"),
        (([0], ..., ...), SelectionError, "at most one Ellipsis"),
    ],
)
def test_errors(selection: Any, error: type[Exception], message: str) -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    with pytest.raises(error, match=message):
        z[selection]
    with pytest.raises(error, match=message):
        z[selection] = 0
    np.testing.assert_array_equal(z[...], ITEMS)


def test_values_that_do_not_fit() -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) to a selection of shape \(2, 7\) of array"):
        z[[0, 1], :, [0, 1]] = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"shape \(2, 7\) to a selection of shape \(2, 7, 1\) of array"):
        z[0, :, None, [0, 1][:1] * 2] = np.zeros((2, 7))


# ---- plans

GRID = RegularGrid((6, 7, 8), (2, 3, 4))


@NO_ARRAYS
def test_what_needs_no_arranging_is_a_plan_of_its_own() -> None:
    for selection in (
        (slice(None), [0, 2]),
        ([0, 1], [0, 2]),
        ([[0, 1], [1, 0]], slice(None)),
        MASK,
        (MASK[:, :, 0],),
    ):
        assert not isinstance(plan_items(selection, GRID, "C"), Arranged)


@NO_ARRAYS
@pytest.mark.parametrize(
    ("selection", "touched"),
    [
        (([0, 1, 0], slice(None), [0, 1, 2]), 3),
        (([0, 1, 5], slice(0, 3), [0, 1, 7]), 2),
        (([0, 5], 0, slice(None), None), 4),
        ((MASK[:, :, 0] & False, slice(None)), 0),
        ((True, 0, 0, 0), 1),
    ],
)
def test_only_chunks_with_selected_items_are_touched(selection: Any, touched: int) -> None:
    plan = plan_items(selection, GRID, "C")
    assert (plan.plan if isinstance(plan, Arranged) else plan).touched == touched


@NO_ARRAYS
def test_ten_million_ranges_cost_no_memory() -> None:
    plan = plan_items(([0, 1], slice(None), [5, 5]), RegularGrid((4, 10**15, 10), (1, 1, 1)), "C")
    assert plan.shape == (2, 10**15)


@pytest.mark.parametrize("selection", [([[0, 1, 2], [1, 2, 3]], [[0, 0, 0], [1, 1, 1]]), np.eye(4) > 0])
def test_values_are_not_reshaped_to_the_points(selection: Any) -> None:
    """As NumPy has it; `vindex` takes as many values as there are points, as zarr does."""
    z = zchunk.zeros((4, 4), chunks=2, dtype="i4")
    count = np.zeros((4, 4))[selection].size
    values = np.arange(1, count + 1).reshape(-1, 2)
    with pytest.raises((ValueError, TypeError)):
        np.zeros((4, 4))[selection] = values
    with pytest.raises(ValueError, match="cannot assign values of shape"):
        z[selection] = values
    assert not z[...].any()
    z.vindex[selection] = values
    assert np.ravel(z[selection]).tolist() == list(range(1, count + 1))


@only_v2("makes arrays of both formats")
@pytest.mark.skipif(np.__version__ < "2", reason="NumPy 1 has 32 axes")
@pytest.mark.parametrize("ndim", [33, 35, 62, 63])
@pytest.mark.parametrize("name", ["native", "generic"])
def test_points_and_ranges_of_many_axes(ndim: int, name: str) -> None:
    items = np.arange(12).reshape(2, 3, *[1] * (ndim - 3), 2)
    shards: list[Any] = [{}, {"shards": items.shape, "zarr_format": 3}]
    for keywords in shards:
        z = zchunk.zeros(items.shape, chunks=[1] * ndim, dtype="i8", **keywords)
        with executor(name):
            z[...] = wanted = items.copy()
            for selection in (([0, 1], [2, 0]), ([[0], [1]], [0, 1]), ([0, 1], ..., [1, 0])):
                np.testing.assert_array_equal(z[selection], wanted[selection])
            z[[0, 1], [2, 0]] = wanted[[0, 1], [2, 0]] = 7
            np.testing.assert_array_equal(z[...], wanted)
