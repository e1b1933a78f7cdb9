"""What the engine knows of an array: it never changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from zchunk.engine import execute
from zchunk.engine.shard import Shard


def test_attributes_cannot_be_assigned_or_deleted(tmp_path: Path) -> None:
    array = zchunk.zeros(4, store=tmp_path)._current
    for name in ("metadata", "store", "source", "layout", "anything"):
        with pytest.raises(AttributeError, match=f"immutable: '{name}'"):
            setattr(array, name, None)
    with pytest.raises(AttributeError, match="immutable: 'path'"):
        del array.path
    assert (array.path, array.source) == ("", None)


def test_other_arrays_leave_it_as_it_is(tmp_path: Path) -> None:
    z = zchunk.create((8, 8), chunks=2, shards=4, store=tmp_path, zarr_format=3)
    array = z._current
    # What is kept is made first.
    assert array.index.shape == (2, 2)
    before = dict(vars(array))
    longer = array.with_shape((9, 8))
    converting = array.converting(longer)
    elsewhere = array.in_store(zchunk.MemoryStore())
    assert (longer.metadata.shape, converting.source, elsewhere.folder) == ((9, 8), longer, None)
    assert elsewhere.where == array.where
    assert {name: value for name, value in vars(array).items() if name in before} == before
    assert array.metadata.shape == (8, 8)


def test_arrays_in_shards_share_the_routes_that_they_take(tmp_path: Path) -> None:
    """Those with a cache of chunks, and those without one."""
    items = np.arange(16, dtype="i4").reshape(4, 4)
    z = zchunk.create(
        (4, 4), chunks=2, shards=4, dtype="i4", store=tmp_path, zarr_format=3, cache_bytes=1 << 20
    )
    z[...] = items
    np.testing.assert_array_equal(z[...], items)
    array = z._current
    with Shard(array, (0, 0)) as shard:
        found = []
        for cached in (True, False):
            inner = array.inner(shard, shard.name, shard.stamp, cached)
            expected = [(route.read, route.write) for route in execute.ROUTES if route.takes(inner)]
            # The write asked for one of them, the read for the other.
            assert inner.routes[execute.native_enabled] == expected
            found.append(expected)
        assert found[0] != found[1]
