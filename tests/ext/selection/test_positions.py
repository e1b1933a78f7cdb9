"""The planning of positions: grouped by chunk, ascending within it, and what the boundary refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk._ext.selection.positions import plan_orthogonal, plan_points


@given(
    positions=st.lists(st.integers(-20, 19), max_size=30),
    chunk=st.integers(1, 25),
)
def test_positions_are_grouped_and_ascend(positions: list[int], chunk: int) -> None:
    index = np.array(positions, int)
    plan = plan_orthogonal((index,), (20,), (chunk,))
    assert plan.shape == (len(positions),)
    found = np.full(len(positions), -1)
    coords = []
    for part in plan.parts():
        (inner,), (outer,) = part.inner, part.outer
        assert (np.diff(inner) >= 0).all()
        # Of equal positions the last comes last, so that its value stays.
        assert all(b > a for a, b, same in zip(outer, outer[1:], np.diff(inner) == 0, strict=False) if same)
        found[outer] = inner + part.coords[0] * chunk
        coords.append(part.coords)
    assert coords == sorted(set(coords))
    assert found.tolist() == (index % 20).tolist()


@given(
    points=st.lists(st.tuples(st.integers(-6, 5), st.integers(-7, 6)), max_size=30),
    chunks=st.tuples(st.integers(1, 7), st.integers(1, 8)),
    order=st.sampled_from("CF"),
)
def test_points_are_grouped_and_ascend(
    points: list[tuple[int, int]], chunks: tuple[int, int], order: str
) -> None:
    rows, columns = np.array([p[0] for p in points], int), np.array([p[1] for p in points], int)
    plan = plan_points((rows, columns), (6, 7), chunks, order)
    found = np.full((len(points), 2), -1)
    seen = []
    for part in plan.parts():
        (outer,) = part.outer
        place = np.ravel_multi_index(part.inner, chunks, order=order)
        assert (np.diff(place) >= 0).all()
        found[outer, 0] = part.inner[0] + part.coords[0] * chunks[0]
        found[outer, 1] = part.inner[1] + part.coords[1] * chunks[1]
        seen.append(part.coords)
    assert len(seen) == len(set(seen))
    assert found.tolist() == np.stack([rows % 6, columns % 7], 1).tolist()


def test_more_chunks_than_a_number_counts() -> None:
    at = np.array([2**62, 5, 2**62])
    plan = plan_points((at, at, at), (2**62 + 1,) * 3, (1, 2, 3), "C")
    assert [part.coords for part in plan.parts()] == [(5, 2, 1), (2**62, 2**61, 2**62 // 3)]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: plan_orthogonal((np.arange(3),), (3, 3), (1, 1)), ValueError),
        (lambda: plan_orthogonal((np.arange(3),), (3,), (0,)), ValueError),
        (lambda: plan_orthogonal((np.arange(4),), (3,), (1,)), IndexError),
        (lambda: plan_orthogonal((np.array([-4]),), (3,), (1,)), IndexError),
        (lambda: plan_orthogonal([0], (3,), (1,)), TypeError),
        (lambda: plan_points((), (), (), "C"), ValueError),
        (lambda: plan_points((np.arange(3),), (3, 3), (1, 1), "C"), ValueError),
        (lambda: plan_points((np.arange(4),), (3,), (1,), "C"), IndexError),
        (lambda: plan_points((np.arange(3), np.arange(2)), (3, 3), (1, 1), "C"), ValueError),
        (lambda: plan_points((slice(None),), (3,), (1,), "C", (2,)), ValueError),
        (lambda: plan_points((np.arange(3), slice(None)), (3, 3), (1, 1), "C", (2,)), ValueError),
    ],
)
def test_what_the_boundary_refuses(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_memory_that_points_cannot_be_read_into_in_one_go() -> None:
    plan = plan_points((np.zeros((2, 3), int),), (5,), (2,), "C")
    memory = np.zeros((2, 3, 2))
    assert plan.takes(memory[..., 0])
    assert plan.takes(np.broadcast_to(0.0, (2, 3)))
    assert not plan.takes(np.zeros((2, 3), order="F"))
    assert not plan.takes(memory[:, :, 0].T)
    assert plan.view(memory[..., 0]).shape == (6,)
    with pytest.raises(ValueError, match="strides"):
        plan.view(np.zeros((2, 3), order="F"))
    # Values are put one after the other where they are not.
    assert plan.broadcast(np.asfortranarray(np.arange(6).reshape(2, 3))).flags.c_contiguous
    assert plan.broadcast(np.arange(6)).shape == (2, 3)
    assert plan.broadcast(np.arange(5)) is None
