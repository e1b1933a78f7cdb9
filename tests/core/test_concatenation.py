"""`concat` and `stack` beside NumPy's `concatenate` and `stack`: reading and writing."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.core.test_lazy_views import applied, steps
from tests.engine.test_execute import STRUCTURED, items_of, same
from tests.variants import Variant
from zchunk.errors import BoundsCheckError, ReadOnlyError, SelectionError

pytestmark = pytest.mark.usefixtures("variant")


@st.composite
def parts(draw: st.DrawFn, stacked: bool) -> tuple[list[np.ndarray], int]:
    shape = draw(st.lists(st.integers(1, 5), min_size=0 if stacked else 1, max_size=3))
    axis = draw(st.integers(-len(shape) - stacked, len(shape) - (not stacked)))
    found, first = [], 0
    for _ in range(draw(st.integers(1, 4))):
        if not stacked:
            shape[axis] = draw(st.integers(0, 5))
        size = int(np.prod(shape))
        found.append(np.arange(first, first + size).reshape(shape))
        first += size
    return found, axis


@given(data=st.data(), stacked=st.booleans())
def test_as_in_numpy(data: st.DataObject, stacked: bool, variant: Variant) -> None:
    items, axis = data.draw(parts(stacked))
    together = (np.stack if stacked else np.concatenate)(items, axis)  # type: ignore[operator]
    chunks = data.draw(st.integers(1, 4))
    stored = [zchunk.array(part, chunks=(chunks,) * part.ndim or None) for part in items]
    # Some are views: backwards twice, which is as it was.
    views: list[Any] = [
        z.lazy[::-1][::-1] if z.ndim and data.draw(st.booleans()) else z for z in stored
    ]
    view = (zchunk.stack if stacked else zchunk.concat)(views, axis)
    assert (view.shape, view.dtype) == (together.shape, together.dtype)
    np.testing.assert_array_equal(view[...], together)
    found, places = data.draw(steps(together))
    selected = applied(view, found)
    assert selected.shape == places.shape
    assert tuple(map(sum, selected.chunks)) == selected.shape
    np.testing.assert_array_equal(np.asarray(selected), places)
    out = np.zeros((*places.shape, 2), "f8")[..., 0]
    assert selected.read(out) is out
    np.testing.assert_array_equal(out, places)
    values = -1 - np.arange(places.size).reshape(places.shape)
    every = np.concatenate([np.ravel(part) for part in items])
    every[places] = values
    selected[...] = values
    np.testing.assert_array_equal(np.concatenate([np.ravel(z[...]) for z in stored]), every)


def test_chunks_are_those_of_the_parts() -> None:
    a, b = zchunk.zeros((10, 6), chunks=(4, 4)), zchunk.zeros((5, 6), chunks=(3, 3))
    view = zchunk.concat([a, b, a.lazy[::-1]])
    assert view.chunks == ((4, 4, 2, 3, 2, 2, 4, 4), (4, 2))
    assert view[5:12].chunks[0] == (3, 2, 2)
    assert view[::-1].chunks[0] == (4, 4, 2, 2, 3, 2, 4, 4)


def test_concatenations_of_concatenations() -> None:
    items = np.arange(12).reshape(3, 4)
    z = zchunk.array(items, chunks=2)
    inner = zchunk.concat([z, z.lazy[::-1]], 1)
    view = zchunk.stack([inner, inner[:, ::-1]])[:, [2, 0], 3:6]
    wanted = np.concatenate([items, items[::-1]], 1)
    wanted = np.stack([wanted, wanted[:, ::-1]])[:, [2, 0], 3:6]
    np.testing.assert_array_equal(view[...], wanted)
    assert repr(view) == "<LazyView (2, 2, 3) int64 of 2 arrays side by side along axis 0>"


def test_only_parts_with_selected_items_are_read() -> None:
    z, gone = zchunk.array([1, 2, 3]), zchunk.array([4, 5, 6])
    view = zchunk.concat([z, gone, z])
    gone.resize(0)
    np.testing.assert_array_equal(view[[0, 2, -1]].read(), [1, 3, 3])
    np.testing.assert_array_equal(view[::6].read(), [1, 1])
    with pytest.raises(BoundsCheckError, match="resized"):
        view[...]


def test_dtypes_become_one() -> None:
    view = zchunk.concat([zchunk.array([1, 2], dtype="i2"), zchunk.array([0.5])])
    assert view.dtype == np.float64
    np.testing.assert_array_equal(view[...], [1, 2, 0.5])


def test_fields_and_objects() -> None:
    items = items_of(STRUCTURED[3].newbyteorder("="), (4,), 3)
    z = zchunk.array(items, chunks=2)
    view = zchunk.concat([z, z])
    np.testing.assert_array_equal(view["a", 1:6].read(), np.concatenate([items, items])["a"][1:6])
    view["a"][...] = np.arange(8)
    assert z[...]["a"].tolist() == [4, 5, 6, 7]
    assert same(view[...]["b"].copy(), np.concatenate([items, items])["b"].copy())
    text = zchunk.array(np.array(["a", "b"], object), dtype=str)
    view = zchunk.stack([text, text])
    assert view[:, 1].read().tolist() == ["b", "b"]
    view[0] = ["x", "y"]
    assert text[...].tolist() == ["x", "y"]


@pytest.mark.each_value
@pytest.mark.parametrize(
    ("arrays", "axis", "error", "message"),
    [
        ([], 0, ValueError, "no arrays to concatenate"),
        ([zchunk.zeros(3), np.zeros(3)], 0, TypeError, "array 1 is a ndarray, neither a stored array"),
        ([zchunk.zeros((3, 2)), zchunk.zeros((3, 3))], 0, ValueError, r"array 1 has shape \(3, 3\)"),
        ([zchunk.zeros(3), zchunk.zeros((3, 3))], 0, ValueError, "along axis 0 only"),
        ([zchunk.zeros(3)], 1, ValueError, "axis 1 is out of bounds for 1 axes"),
        ([zchunk.zeros(())], 0, ValueError, "stack them"),
        ([zchunk.zeros(3)], 1.5, TypeError, "float"),
    ],
)
def test_errors_of_concat(arrays: Any, axis: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        zchunk.concat(arrays, axis)
    assert zchunk.zeros(1).shape == (1,)


def test_errors() -> None:
    z, other = zchunk.array([1, 2]), zchunk.array([3, 4])
    with pytest.raises(ValueError, match="no arrays to stack"):
        zchunk.stack([])
    with pytest.raises(ValueError, match=r"array 1 has shape \(1,\), the first \(2,\)"):
        zchunk.stack([z, z.lazy[1:]])
    with pytest.raises(ValueError, match="axis -3 is out of bounds for 2 axes"):
        zchunk.stack([z], -3)
    view = zchunk.concat([z, other])
    with pytest.raises(ValueError, match="out has shape"):
        view.read(np.empty(3))
    with pytest.raises(SelectionError, match="no field"):
        view["a"]
    with pytest.raises(ValueError, match="cannot assign values of shape"):
        view[...] = [1, 2, 3]
    other.read_only = True
    with pytest.raises(ReadOnlyError):
        view[...] = 0
    # Nothing was written to the part that can be.
    assert z[...].tolist() == [1, 2]


class Together(zchunk.MemoryStore):
    """A store that answers requests for chunks only when as many come at a time as there are parts."""

    concurrency = 8

    def __init__(self, count: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(count)
        self.waits = False

    def __getitem__(self, key: str) -> Any:
        if self.waits:
            self.barrier.wait(60)
        return super().__getitem__(key)


def test_parts_in_remote_stores_are_read_at_the_same_time(variant: Variant) -> None:
    store = Together(3)
    parts = [zchunk.array(np.full(4, i), chunks=4, store=store, path=str(i)) for i in range(3)]
    view = zchunk.concat(parts)
    store.waits = True
    np.testing.assert_array_equal(view[...], np.repeat(range(3), 4))
