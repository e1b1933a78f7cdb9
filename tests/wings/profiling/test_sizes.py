from __future__ import annotations

import numpy as np

import zchunk
from zchunk.wings.profiling.sizes import inner_ranges, object_sizes


def test_sizes_are_those_of_the_store() -> None:
    z = zchunk.array(np.arange(100).reshape(10, 10), chunks=4)
    found = object_sizes(z._current, np.ndindex(3, 3))
    assert found == {(i, j): len(z.store[f"{i}.{j}"]) for i in range(3) for j in range(3)}


def test_sizes_of_chunks_in_a_shard() -> None:
    z = zchunk.zeros((4, 4), chunks=2, shards=4, dtype="u1", zarr_format=3, compressors=None)
    assert inner_ranges(z._current, (0, 0), np.ndindex(2, 2)) == []
    z[:2, :2] = 1
    assert inner_ranges(z._current, (0, 0), np.ndindex(2, 2)) == [(0, 4)]
