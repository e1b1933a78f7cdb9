"""Selections of arrays of as many axes as NumPy allows, beside the same items with fewer axes."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk._ext.selection.slices import assign_at, items_at

MOST_AXES: int = getattr(np, "MAXDIMS", 64)
REST = (1,) * (MOST_AXES - 3)
SHAPE = (2, *REST[:30], 3, *REST[30:], 4)
ITEMS = np.arange(24, dtype="i4").reshape(2, 3, 4)
PLACES = (0, 31, MOST_AXES - 1)


def spread(entries: tuple[Any, ...], other: Any) -> tuple[Any, ...]:
    """Entries for the three axes that are longer than 1, and others between."""
    found = [other] * len(SHAPE)
    for place, entry in zip(PLACES, entries, strict=True):
        found[place] = entry
    return tuple(found)


def made(chunks: tuple[Any, ...] = (1, 2, 3), **kwargs: Any) -> zchunk.Array:
    return zchunk.array(ITEMS.reshape(SHAPE), chunks=spread(chunks, 1), **kwargs)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        # Chunk by chunk in Python.
        {"compressor": numcodecs.BZ2(), "filters": [numcodecs.Delta("i4")]},
        # Shards have an index with one axis more than the array.
        {"zarr_format": 3, "chunks": ([1, 1], [2, 1], [1, 3])},
        {"cache_bytes": 2**20},
    ],
    ids=["native", "generic", "rectilinear", "cache"],
)
def test_selections_of_all_axes(kwargs: Any) -> None:
    z, items = made(**kwargs), ITEMS.copy()
    points = ([1, 0, 1], [2, 2, 0], [3, 0, 3])
    for index in (spread(points, [0, 0, 0]), spread(points, 0)):
        np.testing.assert_array_equal(z.vindex[index], items[points])
        np.testing.assert_array_equal(z[index], items[points])
    mask = ITEMS.reshape(SHAPE) % 5 == 0
    np.testing.assert_array_equal(z[mask], items[items % 5 == 0])
    z[mask] = -1
    items[items % 5 == 0] = -1
    z.vindex[spread(points, [0, 0, 0])] = [7, 8, 9]
    items[points] = [7, 8, 9]
    np.testing.assert_array_equal(z[...].reshape(2, 3, 4), items)
    lists = ([1], [2, 0], [3, 1, 1])
    found = z.oindex[spread(lists, [0])]
    np.testing.assert_array_equal(found.reshape(1, 2, 3), items[np.ix_(*lists)])
    z.oindex[spread(lists, [0])] = 50
    items[np.ix_(*lists)] = 50
    # An axis of length 1 that is repeated.
    entries = list(spread((slice(None), 0, slice(1, 3)), [0]))
    entries[1] = [0, 0, 0]
    found = z.oindex[tuple(entries)]
    np.testing.assert_array_equal(found.reshape(2, 3, 2), np.repeat(items[:, None, 0, 1:3], 3, axis=1))
    np.testing.assert_array_equal(z[:, ..., [2, 0]].reshape(2, 3, 2), items[:, :, [2, 0]])
    np.testing.assert_array_equal(z[[1, 0], ..., [2, 0]].reshape(2, 3), items[[1, 0], :, [2, 0]])
    np.testing.assert_array_equal(z[...].reshape(2, 3, 4), items)


def test_items_at_an_index() -> None:
    items = np.arange(6).reshape(2, 3)
    assert items_at(items, (slice(1), slice(2))).base is items.base
    index = np.array([[0], [1]]), np.array([0, 2])
    np.testing.assert_array_equal(items_at(items, index), items[index])
    assign_at(items, index, 9)
    np.testing.assert_array_equal(items, [[9, 1, 9], [9, 4, 9]])
    zero = np.zeros(())
    assign_at(zero, (), 5)
    assert items_at(zero, ()) == 5
