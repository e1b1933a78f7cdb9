"""Selections recovered from what zarr-python has planned of them, chunk by chunk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zchunk._ext.selection.batch import plan_batch
from zchunk._ext.selection.slices import Plan, plan_basic


class Place:
    def __init__(self, store: object, path: str) -> None:
        self.store, self.path = store, path


class Spec:
    shape, config = (2, 3), "config"


STORE = object()
SPEC = Spec()


def batch_of(selection: tuple[Any, ...], shape: tuple[int, ...], chunks: tuple[int, ...]) -> list[Any]:
    """What zarr-python makes of a selection: `tests/wings/zarr_pipeline` has its own."""
    plan = plan_basic(selection, shape, chunks)
    assert plan is not None
    found = []
    for part in plan.parts():
        inner, outer = [], []
        for d, entry in enumerate(selection):
            ours, (_, _, _, chunk, extent) = part.inner[d], plan.axes[d]
            if isinstance(entry, int):
                inner.append(ours.start)
                continue
            # To the end of the selection, or of the chunk in the array.
            begin, end = part.coords[d] * chunk, entry.indices(extent)[1]
            inner.append(slice(ours.start, min(end - begin, chunk, extent - begin), entry.indices(extent)[2]))
            outer.append(part.outer[d])
        key = "a/c/" + "/".join(map(str, part.coords))
        found.append((Place(STORE, key), SPEC, tuple(inner), tuple(outer), part.full))
    return found


def recovered(batch: list[Any], chunks: tuple[int, ...], edges: bool = True) -> Plan | None:
    first, last = (tuple(map(int, batch[k][0].path.split("/")[2:])) for k in (0, -1))
    return plan_batch(batch, STORE, Place, "a/c/", "/", chunks, first, last, edges)


shapes = st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple)


@given(data=st.data(), shape=shapes)
def test_plans_are_recovered(data: Any, shape: tuple[int, ...]) -> None:
    chunks = data.draw(st.tuples(*[st.integers(1, 6) for _ in shape]))
    entry = [
        st.one_of(st.integers(0, n - 1), st.slices(n).filter(lambda s: (s.step or 1) > 0)) for n in shape
    ]
    selection = data.draw(st.tuples(*entry))
    expected = plan_basic(selection, shape, chunks)
    assert expected is not None
    assume(expected.size)
    batch = batch_of(selection, shape, chunks)
    found = recovered(batch, chunks)
    assert found is not None
    assert [axis[:4] for axis in found.axes] == [axis[:4] for axis in expected.axes]
    assert found.shape == expected.shape
    # Which chunks need not be read before they are written.
    assert [part.full for part in found.parts()] == [part.full for part in expected.parts()]


def test_shards_keep_what_lies_beyond_the_edge() -> None:
    batch = batch_of((slice(None),), (5,), (4,))
    for edges in (True, False):
        plan = recovered(batch, (4,), edges)
        assert plan is not None
        assert [part.full for part in plan.parts()] == [True, edges]


def changed(batch: list[Any], k: int, member: int, value: Any) -> list[Any]:
    item = list(batch[k])
    item[member] = value
    return [*batch[:k], tuple(item), *batch[k + 1 :]]


SELECTION, SHAPE, CHUNKS = (slice(1, 8), 4, slice(0, 9, 2)), (9, 9, 9), (3, 3, 4)
INNER, OUTER = (slice(0, 3, 1), 1, slice(0, 4, 2)), (slice(2, 5), slice(2, 4))


def test_the_tuple_that_is_changed_below() -> None:
    batch = batch_of(SELECTION, SHAPE, CHUNKS)
    assert len(batch) == 9
    assert batch[4][0].path == "a/c/1/1/1"
    assert batch[4][2:] == (INNER, OUTER, False)
    assert recovered(batch, CHUNKS) is not None


PATHS = [
    "a/c/1/1/2", "a/c/1/1/1/1", "a/c/1/1", "a/c/1/1/x", "b/c/1/1/1", "a/c/1.1.1", "",
    "a/c/1/1/99999999999999999999",
]  # fmt: skip


@pytest.mark.parametrize(
    ("member", "value"),
    [
        (0, Place(object(), "a/c/1/1/1")),
        (0, type("Other", (Place,), {})(STORE, "a/c/1/1/1")),
        *((0, Place(STORE, path)) for path in PATHS),
        (1, type("Other", (), {"shape": (2, 4), "config": "config"})()),
        (1, type("Other", (), {"shape": (2, 3), "config": "another"})()),
        (2, INNER[:2]),
        (2, list(INNER)),
        (2, (slice(1, 3, 1), *INNER[1:])),
        (2, (slice(0, 2, 1), *INNER[1:])),
        (2, (slice(0, 3, 2), *INNER[1:])),
        (2, (slice(None, 3, 1), 2, INNER[2])),
        (2, (INNER[0], slice(1, 2), INNER[2])),
        (2, (0, *INNER[1:])),
        (2, (INNER[0], True, INNER[2])),
        (2, (INNER[0], "1", INNER[2])),
        (3, OUTER[:1]),
        (3, (*OUTER, slice(0, 1))),
        (3, (slice(1, 4), OUTER[1])),
        (3, (slice(2, 4), OUTER[1])),
        (3, (slice(2, 5, 2), OUTER[1])),
        (3, (2, OUTER[1])),
        (3, OUTER[0]),
        (4, True),
    ],
)  # fmt: skip
def test_a_tuple_that_differs_is_found(member: int, value: Any) -> None:
    batch = changed(batch_of(SELECTION, SHAPE, CHUNKS), 4, member, value)
    assert recovered(batch, CHUNKS) is None


def test_other_batches_are_none() -> None:
    batch = batch_of(SELECTION, SHAPE, CHUNKS)
    assert recovered(batch[:-1], CHUNKS) is None
    assert recovered(batch[::-1], CHUNKS) is None
    assert recovered([*batch, batch[-1]], CHUNKS) is None
    assert recovered([batch[0], *batch[:-1]], CHUNKS) is None
    assert recovered([(*batch[0], 1), *batch[1:]], CHUNKS) is None
    assert plan_batch([], STORE, Place, "", "/", (), (), (), True) is None
    assert plan_batch(batch, STORE, Place, "a/c/", "/", CHUNKS, (0,), (2,), True) is None
    far = (2**62, 1, 0)
    assert plan_batch(batch, STORE, Place, "a/c/", "/", CHUNKS, far, far, True) is None


def test_no_axes() -> None:
    batch = [(Place(STORE, "a/c"), SPEC, (), (), True)]
    found = plan_batch(batch, STORE, Place, "a/c", "/", (), (), (), True)
    assert found is not None
    assert found.shape == ()
    assert found.touched == 1
