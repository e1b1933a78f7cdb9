"""`partition`: parts are disjoint, cover the array, and have equal lengths but for the last ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import partition
from zchunk.wings.checkpoint.decomposition import decompose


@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.integers(1, 12))
def test_parts_cover_the_array_once(shape: list[int], size: int) -> None:
    count = np.zeros(shape, int)
    boxes = {}
    for rank in range(size):
        part = partition(shape, size, rank=rank)
        assert math.prod(part.dims) == size
        assert count[part.interior].shape == part.shape
        count[part.interior] += 1
        if math.prod(part.shape):
            boxes[rank] = part.block(np.zeros(part.shape)).box
    assert (count == 1).all()
    # Each is one shard, which its process writes alone.
    assert not decompose("u", tuple(shape), 8, boxes).has_slivers


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 3))
def test_the_interior_in_the_part_with_halo(length: int, size: int, halo: int) -> None:
    items = np.arange(length)
    for rank in range(size):
        part = partition(length, size, rank=rank, halo=halo)
        held = items[part.with_halo]
        assert held.shape == part.local_shape
        assert (held[part.inner] == items[part.interior]).all()
        if part.shape[0]:
            first, last = part.interior[0].start, part.interior[0].stop
            assert part.with_halo == (slice(max(first - halo, 0), min(last + halo, length)),)


def test_a_communicator_tells_the_rank() -> None:
    parts = checked(on_ranks(3, lambda comm: partition((7, 2), comm).interior))
    assert parts == [partition((7, 2), 3, rank=rank).interior for rank in range(3)]
    assert partition(5, None).interior == (slice(0, 5),)


def test_dims_that_are_given() -> None:
    assert partition((8, 8, 8), 12, dims=(0, 1, 3), rank=0).dims == (4, 1, 3)
    assert partition((8, 100), 4, rank=0).dims == (1, 4)


@pytest.mark.parametrize("dims", [(5, 0), (2, 2, 3), (1, 1), (3, 3)])
def test_dims_that_do_not_fit(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="dims"):
        partition((8, 8), 12, dims=dims, rank=0)


def test_a_rank_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="rank is None"):
        partition(8, 2)
    with pytest.raises(ValueError, match="rank is 2"):
        partition(8, 2, rank=2)
    with pytest.raises(ValueError, match="no 0 processes"):
        partition(8, 0, rank=0)


def test_an_array_without_the_halo_is_refused() -> None:
    part = partition((8, 8), 2, rank=0, halo=1)
    with pytest.raises(ValueError, match="the array has shape"):
        part.block(np.zeros(part.shape))
