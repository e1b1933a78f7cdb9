"""What zarr-python selects as one plan, from the tuples that it hands over itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")

import zchunk.zarr_pipeline  # noqa: E402
from zchunk.wings.zarr_pipeline import batches, pipeline  # noqa: E402

SHAPE, CHUNKS = (11, 7), (4, 3)
ITEMS = np.arange(77).reshape(SHAPE)


def array(**options: Any) -> Any:
    with zchunk.zarr_pipeline.install():
        z = zarr.create_array({}, shape=SHAPE, chunks=CHUNKS, dtype="i8", **options)
    z[...] = ITEMS
    return z


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is found of every batch."""
    found: list[Any] = []

    def noted(*args: Any) -> Any:
        found.append(batches.find_selection(*args))
        return found[-1]

    monkeypatch.setattr(pipeline, "find_selection", noted)
    return found


POSITIONS = st.lists(st.integers(0, 6), min_size=1, max_size=9)
ENTRIES = st.one_of(
    st.integers(0, 6),
    st.slices(7).filter(lambda s: (s.step or 1) > 0),
    POSITIONS,
)


@given(entries=st.tuples(ENTRIES, ENTRIES), mask=st.lists(st.booleans(), min_size=7, max_size=7))
def test_orthogonal(entries: tuple[Any, Any], mask: list[bool]) -> None:
    z = array()
    before = dict(pipeline.calls)
    for selection in (entries, (entries[0], np.array(mask))):
        rows = np.atleast_1d(np.arange(11)[selection[0]])
        columns = np.atleast_1d(np.arange(7)[selection[1]])
        expected = ITEMS[np.ix_(rows, columns)].reshape(
            [
                len(axis)
                for axis, entry in zip((rows, columns), selection, strict=True)
                if not isinstance(entry, int)
            ]
        )
        np.testing.assert_array_equal(z.oindex[selection], expected)
    assert pipeline.calls["other_reads"] == before["other_reads"]


@given(rows=POSITIONS, columns=POSITIONS)
def test_points(rows: list[int], columns: list[int]) -> None:
    z = array()
    n = min(len(rows), len(columns))
    points = rows[:n], columns[:n]
    before = dict(pipeline.calls)
    np.testing.assert_array_equal(z.vindex[points], ITEMS[points])
    mask = np.zeros(SHAPE, bool)
    mask[points] = True
    np.testing.assert_array_equal(z.vindex[mask], ITEMS[mask])
    z.vindex[points] = -1
    expected = ITEMS.copy()
    expected[points] = -1
    np.testing.assert_array_equal(z[...], expected)
    assert pipeline.calls["other_reads"] == before["other_reads"]
    assert pipeline.calls["other_writes"] == before["other_writes"]


def test_writes_by_positions() -> None:
    for options in ({}, {"shards": (8, 6)}):
        z, expected = array(**options), ITEMS.copy()
        before = dict(pipeline.calls)
        z.oindex[[9, 0, 3], 2] = np.array([1, 2, 3])
        expected[[9, 0, 3], 2] = [1, 2, 3]
        z.oindex[1:9:3, [6, 0]] = -5
        expected[np.ix_([1, 4, 7], [6, 0])] = -5
        np.testing.assert_array_equal(z[...], expected)
        assert pipeline.calls["other_writes"] == before["other_writes"]


def test_one_call_for_a_selection(taken: list[Any]) -> None:
    z = array(name="a/b")
    z[2:9, ::2]
    path, plan = taken[-1]
    assert path == "a/b"
    assert plan.touched == 9
    assert plan.axes == ((2, 1, 7, 4, 12), (0, 2, 4, 3, 9))
    z.oindex[[1, 9], [2, 3]]
    assert taken[-1].plan.touched == 4


def test_what_is_no_batch(taken: list[Any]) -> None:
    z = array()
    z[1:9]
    source = z._async_array.codec_pipeline.source
    assert batches.find_selection(source, [], ()) is None
    assert batches.find_selection(source, [(1, 2)], ()) is None  # type: ignore[list-item]
    for path in ("c/0", "c/0/x", "0/0", "c/0/00"):
        item = (zarr.storage.StorePath(z.store, path), None, (slice(0, 1),) * 2, (slice(0, 1),) * 2, False)
        assert batches.find_selection(source, [item], ()) is None
    assert batches.find_selection(source, [("c/0/0", *item[1:])], ()) is None
