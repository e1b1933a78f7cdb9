"""zarr's public helpers for selections: what they say of each kind of entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk import indexing
from zchunk.errors import BoundsCheckError, SelectionError
from zchunk.wings.zarr2 import indexing as h

A = np.arange(12).reshape(3, 4)

KINDS: list[tuple[Any, str]] = [
    (1, "integer basic"),
    (np.int16(1), "integer basic"),
    (True, "integer basic"),
    (1.5, ""),
    (slice(None), "slice contiguous positive basic"),
    (slice(0, 9, 1), "slice contiguous positive basic"),
    (slice(0, 9, 2), "slice positive basic"),
    (slice(9, 0, -1), "slice"),
    ([1, 2], "integer_list"),
    ([], ""),
    (["a"], ""),
    (np.array([1, 2]), "integer_array"),
    (np.array([1, 2], "u1"), "integer_array"),
    (np.array([True, False]), "bool_array"),
    (np.array([1.0]), ""),
    (Ellipsis, ""),
]


@pytest.mark.parametrize(("entry", "kinds"), KINDS, ids=lambda x: str(x))
def test_kinds(entry: Any, kinds: str) -> None:
    asked = {
        "integer": h.is_integer, "integer_list": h.is_integer_list, "integer_array": h.is_integer_array,
        "bool_array": h.is_bool_array, "slice": h.is_slice, "contiguous": h.is_contiguous_slice,
        "positive": h.is_positive_slice, "basic": h.is_basic_selection,
    }  # fmt: skip
    assert {name for name, ask in asked.items() if ask(entry)} == set(kinds.split())


def test_number_of_axes() -> None:
    assert h.is_integer_array(A, ndim=2)
    assert not h.is_integer_array(A, ndim=1)
    assert h.is_bool_array(A > 1, 2)
    assert not h.is_bool_array(A > 1, 1)
    assert h.is_coordinate_selection(([1, 2][0], np.array([1])), A)
    assert not h.is_coordinate_selection((slice(1), 1), A)
    assert not h.is_coordinate_selection(1, A)
    assert h.is_mask_selection(A > 1, A)
    assert not h.is_mask_selection(A[1] > 1, A)


def test_scalars() -> None:
    pair = np.dtype("i4,f4")
    assert h.is_scalar(1, np.dtype("i4"))
    assert h.is_scalar("a", np.dtype("U1"))
    assert h.is_scalar((1, 2.0), pair)
    assert not h.is_scalar((1,), pair)
    assert not h.is_scalar([1], np.dtype("i4"))
    assert h.is_scalar([1], np.dtype("O"))
    assert not h.is_scalar(A, np.dtype("O"))


def test_total_slices() -> None:
    for item in (..., slice(None), slice(0, 3), (slice(0, 3), slice(None)), (slice(3), slice(0, 4, 1))):
        assert h.is_total_slice(item, A.shape)
    for item in (slice(1, 3), slice(0, 3, 2), (0, slice(None)), (slice(None), [1])):
        assert not h.is_total_slice(item, A.shape)
    assert h.is_total_slice((0, slice(None)), (1, 4))
    with pytest.raises(TypeError, match="slice"):
        h.is_total_slice(0, (1,))


def test_other_forms() -> None:
    assert [h.ceildiv(a, 3) for a in (0, 1, 3, 4)] == [0, 1, 1, 2]
    assert h.ensure_tuple(1) == (1,)
    assert h.ensure_tuple((1, 2)) == (1, 2)
    listed, whole = h.replace_lists(([1, 2], slice(None)))
    assert (listed.tolist(), whole) == ([1, 2], slice(None))
    assert list(h.slice_to_range(slice(1, None, 2), 6)) == [1, 3, 5]
    for selection in ((1, [0, 2]), ([True, False, True], slice(1, 3)), ([-1], ...), slice(1)):
        expected = indexing.oindex(A, selection)
        np.testing.assert_array_equal(A[h.ix_(selection, A.shape)].reshape(expected.shape), expected)


def test_fields() -> None:
    pair = np.dtype([("a", "i4"), ("b", "f4")])
    assert h.check_fields(None, pair) == h.check_fields([], pair) == pair
    assert h.check_fields("a", pair) == np.dtype("i4")
    assert h.check_fields(["b"], pair) == np.dtype([("b", "f4")])
    with pytest.raises(SelectionError, match="'c'"):
        h.check_fields("c", pair)


def test_selections_in_brackets() -> None:
    z = zchunk.array(A, chunks=2)
    assert h.OIndex(z)[[0, 2], 1].tolist() == [1, 9]
    assert h.VIndex(z)[[0, 2], [1, 3]].tolist() == [1, 11]
    assert h.BlockIndex(z)[1, 0].tolist() == [[8, 9]]
    h.OIndex(z)[[0], [0]] = 5
    h.VIndex(z)[[1], [1]] = 6
    h.BlockIndex(z)[1, 1] = 7
    assert (z[0, 0], z[1, 1], z[2, 2], z[2, 3]) == (5, 6, 7, 7)


def test_they_are_names_of_indexing() -> None:
    assert indexing.OIndex is h.OIndex
    assert not hasattr(indexing, "import_numpy")
    assert not hasattr(indexing, "_kind")


def test_pure_kinds() -> None:
    array = np.array([1, 2])
    for selection, ndim, fancy, orthogonal in [
        ([1, 2], 1, True, True),
        (array, 1, True, True),
        (array, 2, False, True),
        (([0, 1], array), 2, True, False),
        (([0, 1], 1), 2, True, True),
        ((1, 1), 2, False, True),
        ((slice(2), [0, 1]), 2, False, True),
        ((slice(2), slice(2)), 2, False, True),
        (([0, 1], [0], slice(1)), 3, False, False),
        (([0, 1],), 2, False, False),
        ((..., [0, 1]), 2, False, False),
        (slice(3), 1, False, False),
        ([], 0, False, False),
        ((), 0, False, False),
    ]:
        assert h.is_pure_fancy_indexing(selection, ndim) is fancy, selection
        assert h.is_pure_orthogonal_indexing(selection, ndim) is orthogonal, selection
    assert h.is_contiguous_selection((slice(1), ..., array))
    assert not h.is_contiguous_selection((slice(0, 5, 2),))
    assert not h.is_contiguous_selection(3)


def test_checks() -> None:
    h.check_selection_length((1, 2), (3, 3))
    with pytest.raises(SelectionError):
        h.check_selection_length((1, 2), (3,))
    assert [h.check_no_multi_fields(f) for f in (None, "a", ["a"], [])] == [None, "a", "a", []]
    with pytest.raises(SelectionError, match="one field"):
        h.check_no_multi_fields(["a", "b"])
    x = np.array([-1, 0, 2])
    with pytest.raises(BoundsCheckError, match="length 3"):
        h.boundscheck_indices(x, 3)
    h.wraparound_indices(x, 3)
    assert x.tolist() == [2, 0, 2]
    h.boundscheck_indices(x, 3)
    with pytest.raises(BoundsCheckError):
        h.boundscheck_indices(x, 2)


def test_slices_in_place_of_integers() -> None:
    entries = (1, np.uint64(2), np.array([3]), np.array(4), slice(5, None), np.array([6], "u8"))
    assert h.make_slice_selection(entries) == [
        slice(1, 2, 1), slice(2, 3, 1), slice(3, 4, 1), slice(4, 5, 1), slice(5, None), slice(6, 7, 1)
    ]  # fmt: skip
    with pytest.raises(h.ArrayIndexError):
        h.make_slice_selection((np.array([1, 2]),))


@pytest.mark.parametrize(
    "selection",
    [
        (),
        (2,),
        (slice(1, 3),),
        (slice(None), slice(None), slice(None)),
        (slice(1, 3), slice(None), slice(None)),
        (slice(1, 3), slice(1, 2), slice(None)),
        (slice(0, 4, 2), 1, slice(1, 4)),
        (slice(None), slice(0, 3, 2), slice(0, 5, 3)),
        (slice(0, 4, 3), slice(None), slice(None)),
        (slice(-2, None), slice(2, 2), 0),
        (3, 2, np.array([4])),
    ],
    ids=str,
)
def test_runs_of_a_chunk(selection: Any) -> None:
    shape = (4, 3, 5)
    chunk = np.arange(60).reshape(shape)
    taken = np.zeros(shape, bool)
    runs = list(indexing.PartialChunkIterator(selection, shape))
    assert len({nitems for _, nitems, _ in runs}) <= 1
    for start, nitems, part in runs:
        assert chunk[part].ravel().tolist() == list(range(start, start + nitems))
        assert not taken[part].any()
        taken[part] = True
    wanted = np.zeros(shape, bool)
    wanted[tuple(h.make_slice_selection(selection))] = True
    assert (taken == wanted).all()
    assert runs == sorted(runs, key=lambda run: run[0])


def test_no_runs() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        h.PartialChunkIterator((0, 0, 0), (2, 2))
    with pytest.raises(h.NegativeStepError):
        h.PartialChunkIterator((slice(None, None, -1),), (2, 2))
