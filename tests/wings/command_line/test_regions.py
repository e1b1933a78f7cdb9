from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.wings.command_line.regions import regions


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=3), st.integers(1, 400))
def test_every_item_is_in_one_region(axes: list[tuple[int, int]], most: int) -> None:
    shape, chunks = tuple(n for n, _ in axes), tuple(c for _, c in axes)
    z = zchunk.zeros(shape, chunks=chunks, dtype="u1")
    seen = np.zeros(shape, int)
    for region in regions(z, most):
        seen[region] += 1
        size = seen[region].size
        assert 0 < size <= max(most, z.metadata.chunk_nbytes)
    assert (seen == 1).all()


def test_shards_are_read_whole_and_views_too() -> None:
    z = zchunk.zeros((8, 8), chunks=2, shards=4, dtype="u1", zarr_format=3)
    assert len([*regions(z, 1)]) == 4
    assert len([*regions(z.lazy[:, :4], 1 << 20)]) == 1
