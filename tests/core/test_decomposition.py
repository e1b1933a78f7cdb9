"""Arrays that several processes write: each its own region, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from zchunk.errors import ReadOnlyError, SelectionError


def new(**kwargs: Any) -> zchunk.Array:
    given: dict[str, Any] = {"shape": (100, 60), "chunks": (10, 20), "dtype": "i4", "zarr_format": 3}
    return zchunk.create(**given | kwargs)


def test_regions_are_of_whole_shards() -> None:
    assert new().partition(2) == [(slice(0, 50), slice(0, 60)), (slice(50, 100), slice(0, 60))]
    sharded = new(shards=(40, 60))
    assert sharded.partition(2) == [(slice(0, 40), slice(0, 60)), (slice(40, 100), slice(0, 60))]
    assert sharded.partition(4)[3] == (slice(0, 0), slice(0, 0))


@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.none(),
    st.integers(1, 8),
)
def test_every_region_can_be_written(
    shape: tuple[int, ...], chunks: tuple[int, ...], times: tuple[int, ...] | None, n: int
) -> None:
    shards = None if times is None else tuple(c * k for c, k in zip(chunks, times, strict=True))
    z = new(shape=shape, chunks=chunks, shards=shards)
    for number, region in enumerate(z.partition(n)):
        z.write(region, number + 1)
    assert z[...].all()


@given(st.data())
def test_what_is_refused_is_what_shares_a_chunk(data: st.DataObject) -> None:
    shape, chunks = (17, 9), data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    entry = st.slices(17) | st.integers(-9, 8)
    selection = data.draw(st.tuples(entry, entry))
    selected = np.zeros(shape, bool)
    selected[selection] = True
    shared = False
    for rows in range(0, 17, chunks[0]):
        for columns in range(0, 9, chunks[1]):
            chunk = selected[rows : rows + chunks[0], columns : columns + chunks[1]]
            shared |= bool(chunk.any() and not chunk.all())
    z = new(shape=shape, chunks=chunks)
    if shared:
        with pytest.raises(SelectionError, match="shares chunks"):
            z.write(selection, 1)
        assert z.nchunks_initialized == 0
        z.write(selection, 1, aligned=False)
    else:
        z.write(selection, 1)
    np.testing.assert_array_equal(z[...], selected)


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (slice(0, 30), "region [0:30, 0:60] of array '/' shares shards"),
        (slice(0, 30), "nearest region of whole shards is [0:40, 0:60]"),
        (slice(30, 60), "nearest region of whole shards is [40:80, 0:60]"),
        (slice(30, 90), "nearest region of whole shards is [40:100, 0:60]"),
        ((slice(0, 40), 7), "the shards that it lies in are [0:40, 0:20]"),
        (..., None),
        (slice(40, 40), None),
        (slice(80, 100), None),
        ((slice(79, 39, -1), slice(20, None)), None),
    ],
)
def test_the_error_names_the_nearest_region(selection: Any, told: str | None) -> None:
    z = new(shards=(40, 20))
    if told is None:
        z.write(selection, 1)
    else:
        with pytest.raises(SelectionError) as caught:
            z.write(selection, 1)
        assert told in str(caught.value)
        assert "z.partition(n)" in str(caught.value)


def test_other_selections_are_refused() -> None:
    with pytest.raises(SelectionError, match="basic selections"):
        new().write([0, 1], 1)  # type: ignore[arg-type]
    with pytest.raises(ReadOnlyError):
        new(read_only=True).write(..., 1)
