"""Chunk shapes as zarr 2.18.7 chooses and reads them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.spec.regular_grid import (
    RegularGrid,
    guess_chunks,
    lists_lengths,
    normalize_chunks,
    normalize_shape,
)

# Shape, itemsize, chunks: written by zarr 2.18.7.
GUESSED = [
    ((), 8, ()),
    ((0,), 8, (1,)),
    ((1,), 1, (1,)),
    ((100,), 8, (100,)),
    ((1000000,), 8, (62500,)),
    ((1000000000,), 8, (488282,)),
    ((1000000000000,), 1, (15258790,)),
    ((4611686018427387904,), 16, (2097152,)),
    ((0, 1000), 8, (1, 1000)),
    ((1000, 0, 1000), 4, (250, 1, 500)),
    ((1000, 1000), 8, (250, 250)),
    ((10000, 10000), 8, (313, 625)),
    ((1000, 1000, 1000), 4, (63, 125, 125)),
    ((3, 100000), 2, (2, 50000)),
    ((100000, 3), 2, (50000, 3)),
    ((365, 721, 1440), 4, (46, 91, 180)),
    ((87600, 721, 1440), 4, (2738, 23, 45)),
    ((1, 1, 1), 8, (1, 1, 1)),
    ((100, 200, 300, 400), 8, (13, 25, 38, 50)),
    ((7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7), 1, (2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)),
    ((5,), 67108864, (1,)),
    ((5,), 1000000000, (1,)),
    ((12345, 6789), 3, (772, 849)),
    ((512, 512, 512), 8, (64, 64, 64)),
    ((100000,), 300, (3125,)),
    ((1, 100000000), 8, (1, 195313)),
    ((100000000, 1), 8, (195313, 1)),
    ((5, 0), 0, (5, 1)),
]


@pytest.mark.parametrize(("shape", "itemsize", "chunks"), GUESSED)
def test_guess_equals_zarr_2(shape, itemsize, chunks):
    assert guess_chunks(shape, itemsize) == chunks
    assert normalize_chunks(None, shape, itemsize) == chunks
    assert normalize_chunks(True, shape, itemsize) == chunks


@given(st.lists(st.integers(0, 2**62), max_size=20), st.integers(0, 2**31))
def test_guess_ends_with_chunks_of_the_arrays_size_at_most(shape, itemsize):
    chunks = guess_chunks(tuple(shape), itemsize)
    assert all(type(c) is int and 1 <= c <= max(s, 1) for c, s in zip(chunks, shape, strict=True))
    assert math.prod(chunks) * itemsize < 64 * 2**20 or math.prod(chunks) == 1


@pytest.mark.parametrize(
    ("chunks", "shape", "expected"),
    [
        (False, (5, 6), (5, 6)),
        (3, (5, 6), (3, 3)),
        (np.int64(3), (5,), (3,)),
        (-1, (5, 6), (5, 6)),
        ((3,), (5, 6), (3, 6)),
        ([3], (5, 6), (3, 6)),
        ((3, None), (5, 6), (3, 6)),
        ((-1, 2), (5, 6), (5, 2)),
        ((None, None), (5, 6), (5, 6)),
        (np.array([2, 3]), (5, 6), (2, 3)),
        ((), (5, 6), (5, 6)),
        ((100,), (5,), (100,)),
        ((), (), ()),
        (7, (), ()),
        (False, (), ()),
        # zarr 2.18 writes chunks of length 0 here, and cannot read them.
        (False, (0, 5), (1, 5)),
        ((-1, 2), (0, 5), (1, 2)),
        ((0, 2), (0, 5), (1, 2)),
    ],
)
def test_normalize_chunks(chunks, shape, expected):
    result = normalize_chunks(chunks, shape, 8)
    assert result == expected
    assert all(type(c) is int for c in result)


@pytest.mark.parametrize(
    ("chunks", "shape"),
    [
        (0, (5,)), ((0, 2), (5, 6)), (-2, (5,)), ((1, 2), (5,)), ("foo", (5,)), ((2.5,), (5,)),
        ((True,), (5,)), (("a",), (5,)), (2**63, (5,)), (1.5, (5,)), (b"a", (5,)), ((None, 1), ()),
    ],
)  # fmt: skip
def test_chunks_that_no_grid_has(chunks, shape):
    with pytest.raises(ValueError, match="chunks"):
        normalize_chunks(chunks, shape, 8)


def test_whole_floats_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="2.0"):
        assert normalize_chunks((2.0, 3), (5, 6), 8) == (2, 3)
    with pytest.warns(UserWarning, match="1000.0"):
        assert normalize_shape(1e3) == (1000,)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (5, (5,)), ((), ()), ([2, 3], (2, 3)), (np.int32(4), (4,)), (np.array([1, 2]), (1, 2)), (0, (0,)),
        (iter((1,)), (1,)),
    ],
)  # fmt: skip
def test_normalize_shape(shape, expected):
    result = normalize_shape(shape)
    assert result == expected
    assert all(type(n) is int for n in result)


@pytest.mark.parametrize("shape", [-1, (3, -1), "foo", (1.5,), ("3",), 2**63, (None,), True])
def test_shapes_that_no_array_has(shape):
    with pytest.raises(ValueError, match="shape"):
        normalize_shape(shape)


def test_shape_none():
    with pytest.raises(TypeError, match="shape is None"):
        normalize_shape(None)


@pytest.mark.parametrize(
    ("shape", "chunks", "cdata_shape", "nchunks"),
    [
        ((), (), (), 1),
        ((0,), (1,), (0,), 0),
        ((5, 0), (2, 3), (3, 0), 0),
        ((5, 6), (2, 3), (3, 2), 6),
        ((5,), (100,), (1,), 1),
        ((2**62, 2**62), (1, 3), (2**62, -(-(2**62) // 3)), 2**62 * -(-(2**62) // 3)),
    ],
)
def test_grid(shape, chunks, cdata_shape, nchunks):
    grid = RegularGrid(shape, chunks)
    assert grid.cdata_shape == cdata_shape
    assert grid.nchunks == nchunks


def test_grid_is_a_frozen_value():
    grid = RegularGrid((5,), (2,))
    assert grid == RegularGrid((5,), (2,))
    assert hash(grid) == hash(RegularGrid((5,), (2,)))
    with pytest.raises(AttributeError):
        grid.shape = (6,)


def test_bounds_of_chunks():
    grid = RegularGrid((10, 7), (4, 9))
    assert [grid.begin_of(0, n) for n in (0, 3, 4, 9, 10)] == [0, 0, 4, 8, 8]
    assert [grid.end_of(0, n) for n in (0, 3, 4, 9)] == [4, 4, 8, 12]
    assert grid.steps == (4, 9)


@pytest.mark.parametrize(
    ("chunks", "listed"),
    [
        (None, False), (True, False), (5, False), ("auto", False), ("100MB", False), ((5, 3), False),
        ([5, None], False), (np.array([5, 3]), False), ([np.int64(5), np.array(3)], False), ((), False),
        ({"x": 5}, False), ([[5, 3], 2], True), (((5, 3),), True), ([5, np.array([3, 2])], True),
        (np.array([[5, 3]]), True), ([range(1, 3)], True), ({"x": 5, "y": [1, 2]}, True),
    ],
    ids=str,
)  # fmt: skip
def test_chunks_of_listed_lengths(chunks, listed):
    assert lists_lengths(chunks) is listed
