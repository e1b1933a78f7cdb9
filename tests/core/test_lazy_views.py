"""Lazy views beside NumPy: random compositions, read and written, natively and generically."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.core.test_selections import arrays, both, orthogonal, points, shown
from tests.engine.test_execute import STRUCTURED, items_of, same
from tests.indexing.test_brackets import in_brackets
from tests.variants import Variant, only_v2
from zchunk.core.lazy_views import LazyArray, LazyItems, LazyView
from zchunk.errors import BoundsCheckError, ReadOnlyError, SelectionError
from zchunk.indexing import plans

pytestmark = pytest.mark.usefixtures("variant")

ITEMS = np.arange(6 * 7 * 8).reshape(6, 7, 8)


def made(items: np.ndarray = ITEMS, **keywords: Any) -> zchunk.Array:
    return zchunk.array(items, chunks=(2, 3, 4)[: items.ndim], **keywords)


# ---- beside NumPy


@st.composite
def steps(draw: st.DrawFn, places: np.ndarray) -> tuple[list[tuple[str, Any]], np.ndarray]:
    """Draw selections of each other, and apply them to the numbers of the items of an array."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        if places.size > 3000 or places.ndim > 6:
            break
        kinds = ["brackets", "brackets", "transpose", "oindex"] + ["vindex"] * (places.ndim > 0)
        kind, selection = draw(st.sampled_from(kinds)), None
        try:
            if kind == "brackets":
                selection = draw(in_brackets(places.shape))
                if all(entry is ... for entry in selection):
                    # These read.
                    selection = (..., None)
                places = places[selection]
            elif kind == "transpose":
                selection = tuple(draw(st.permutations(range(places.ndim))))
                places = places.transpose(selection)
            elif kind == "oindex":
                selection = draw(orthogonal(places.shape))
                places = np.asarray(plans.oindex(places, selection))
            else:
                selection = draw(points(places.shape))
                places = np.atleast_1d(places[selection])
        except IndexError:
            # Arrays that do not fit together.
            continue
        found.append((kind, selection))
    return found, np.asarray(places)


def applied(items: LazyItems, found: list[tuple[str, Any]]) -> Any:
    view: Any = items
    for kind, selection in found:
        if kind == "transpose":
            view = view.transpose(selection)
        else:
            view = (view if kind == "brackets" else getattr(view, kind))[selection]
    return view


@given(data=st.data(), case=arrays(), seed=st.integers(0, 99))
def test_as_in_numpy(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    source = items_of(dtype, case["shape"], seed)
    found, places = data.draw(steps(np.arange(source.size).reshape(source.shape)))
    case["cache_bytes"] = data.draw(st.sampled_from([None, 10**6]))
    # A scalar of NumPy has no byte order.
    wanted = np.asarray(source.reshape(-1)[places], dtype)
    values = items_of(dtype, wanted.shape, seed + 1)
    expected = source.copy()
    expected.reshape(-1)[places] = values
    files = []
    for z in both(case, variant):
        z[...] = source
        view = applied(z.lazy, found)
        assert (view.shape, view.dtype) == (wanted.shape, dtype)
        assert tuple(map(sum, view.chunks)) == view.shape
        assert same(np.asarray(view), wanted)
        out = np.zeros((*wanted.shape, 2), dtype)[..., 0].T.copy().T
        assert view.read(out) is out
        assert same(out, wanted)
        view[...] = values
        assert same(z[...], expected)
        files.append(variant.values(z))
    assert files[0] == files[1]


CASES: list[Any] = [
    lambda v: v[2:5][::2, :, 5].T,
    lambda v: v[::-1][1:, ::-2],
    lambda v: v[[5, 0, 0]][[2, 1], 3],
    lambda v: v[:, [6, 2]][..., [1, 0, 7]],
    lambda v: v[[0, 1], [2, 3]][:, [4, 4, 2]],
    lambda v: v[[0, 1], [2, 3]].T[[7, 0], [1, 1]],
    lambda v: v[ITEMS % 5 == 0][3:9:2],
    lambda v: v[:, None][:, [0, 0, 0], 2],
    lambda v: v[:, None][:, 0:0],
    lambda v: v[None][[0, 0]],
    lambda v: v[1, 2][3],
    lambda v: v[1, 2, 3],
    lambda v: v[[[0, 1], [2, 3]]][:, 1, [0, 6]],
    lambda v: v[np.ix_([0, 2], [1, 1], [7, 0])][::-1],
    lambda v: v[[0, 1], :, [2, 3]].T[::-1][2],
    lambda v: v[3:3],
    lambda v: v[[]][:, 1],
]


@pytest.mark.each_value
@pytest.mark.parametrize("number", range(len(CASES)))
def test_every_kind(number: int) -> None:
    case = CASES[number]
    z = made()
    view, wanted = case(z.lazy), case(ITEMS)
    assert isinstance(view, LazyView)
    assert view.shape == wanted.shape
    assert view[...].shape == wanted.shape
    np.testing.assert_array_equal(view[...], wanted)
    places = case(np.arange(ITEMS.size).reshape(ITEMS.shape))
    expected = ITEMS.copy()
    expected.reshape(-1)[places] = -wanted
    view[...] = -wanted
    np.testing.assert_array_equal(z[...], expected)


def test_one_read_of_the_chunks_that_are_touched() -> None:
    """A composition is one plan: not one of its steps is read."""

    class Counting(dict[str, Any]):
        asked: list[str]

        def __getitem__(self, key: str) -> Any:
            self.asked.append(key)
            return super().__getitem__(key)

    store = Counting()
    store.asked = []
    zchunk.array(ITEMS, chunks=(2, 3, 4), store=store)
    z = zchunk.open_array(store, "r")
    del store.asked[:]
    view = z.lazy[1:][::2, :, 5].T[3:][:, [0, 1]]
    assert (view.shape, view.chunks) == ((4, 2), ((3, 1), (1, 1)))
    assert not store.asked
    direct = z[[1, 3], 3:, 5]
    wanted = sorted(store.asked)
    del store.asked[:]
    np.testing.assert_array_equal(view.read(), direct.T)
    assert sorted(store.asked) == wanted


# ---- what a view is


def test_properties() -> None:
    z = made()
    view = z.lazy[1:, ::-1]
    assert (view.ndim, view.size, view.nbytes, len(view)) == (3, 280, 2240, 5)
    assert view.dtype == z.dtype
    assert repr(view) == f"<LazyView (5, 7, 8) int64 of {z!r}>"
    assert repr(z.lazy) == f"<LazyArray (6, 7, 8) int64 of {z!r}>"
    assert [row.shape for row in view] == [(7, 8)] * 5
    np.testing.assert_array_equal(np.stack([row[...] for row in view]), ITEMS[1:, ::-1])
    with pytest.raises(TypeError, match="len"):
        len(z.lazy[0, 0, 0])
    with pytest.raises(TypeError, match="0-d"):
        list(z.lazy[0, 0, 0])


def test_what_reads_and_what_does_not() -> None:
    z = made()
    whole = z.lazy
    assert isinstance(whole, LazyArray)
    assert isinstance(whole[...], LazyView)
    assert isinstance(whole[...][:], LazyView)
    assert isinstance(whole[...][...], np.ndarray)
    assert type(z.lazy[1, 2, 3][()]) is np.int64
    assert z.lazy[1, 2, 3][...].shape == ()
    np.testing.assert_array_equal(whole.read(), ITEMS)
    np.testing.assert_array_equal(np.asarray(whole.T, "f4"), ITEMS.T.astype("f4"))
    np.testing.assert_array_equal(whole[0] + z.lazy[1][...], ITEMS[0] + ITEMS[1])


def test_chunks_are_those_that_are_touched() -> None:
    z = zchunk.zeros((100, 100, 5), chunks=(10, 30, 5))
    assert z.lazy.chunks == ((10,) * 10, (30, 30, 30, 10), (5,))
    assert z.lazy[5:31:2, ::-1, 0].chunks == ((3, 5, 5), (10, 30, 30, 30))
    assert z.lazy[[1, 2, 15, 99]].chunks[0] == (2, 1, 1)
    assert z.lazy[[15, 1, 16]].chunks[0] == (3,)
    assert z.lazy[[1, 15], [1, 50]].chunks == ((2,), (5,))
    assert z.lazy[3:3, None].chunks == ((0,), (1,), (30, 30, 30, 10), (5,))


def test_transpose_takes_what_numpy_does() -> None:
    v = made().lazy
    for axes in [(), (None,), (2, 0, 1), ((2, 0, 1),), ([-1, 0, -2],)]:
        np.testing.assert_array_equal(v.transpose(*axes)[...], ITEMS.transpose(*axes))
    assert v[0, 0].transpose(0).shape == (8,)
    assert v[0, 0, 0].T.shape == ()
    for axes in [(0, 1), (0, 0, 1), (0, 1, 3), (0, 1, -4)]:
        with pytest.raises(ValueError, match="is no order of the 3 axes"):
            v.transpose(*axes)


def test_a_view_keeps_what_was_selected() -> None:
    z, index = made(), np.array([5, 0])
    view = z.lazy[index]
    index[:] = 3
    np.testing.assert_array_equal(view[...], ITEMS[[5, 0]])


def test_pickles(tmp_path: Path) -> None:
    z = made(store=str(tmp_path / "a"))
    for view in (z.lazy, z.lazy[1:, [3, 0]].T, zchunk.concat([z, z.lazy[:2]])[::3]):
        copy = pickle.loads(pickle.dumps(view))
        assert type(copy) is type(view)
        assert repr(copy) == repr(view)
        np.testing.assert_array_equal(copy.read(), view.read())


# ---- errors


@pytest.mark.each_value
@pytest.mark.parametrize(
    ("selection", "error", "message"),
    [
        (5, BoundsCheckError, "index 5 is out of bounds for axis 0 of length 5"),
        ((0, [3]), BoundsCheckError, "index 3 is out of bounds for axis 1 of length 3"),
        ((0, 0, 0, 0), SelectionError, "too many indices: the array has 3 dimensions"),
        (np.ones(6, bool), SelectionError, r"mask of shape \(6,\) for axis 0 of shape \(5,\)"),
        (1.5, SelectionError, "index 1.5 of type float"),
        ("a", SelectionError, "no field 'a'"),
    ],
)
def test_errors_are_of_the_selection(selection: Any, error: type[Exception], message: str) -> None:
    view = made().lazy[1:, [0, 1, 2]]
    with pytest.raises(error, match=message):
        view[selection]
    with pytest.raises(error, match=message):
        view[selection] = 1


def test_errors_of_reading_and_writing() -> None:
    z = made()
    with pytest.raises(ValueError, match="out has shape"):
        z.lazy[0].T.read(np.empty((7, 8)))
    with pytest.raises(TypeError, match="out is a list"):
        z.lazy[0].read([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot assign values of shape"):
        z.lazy[0].T[...] = np.zeros((7, 8))
    z.read_only = True
    with pytest.raises(ReadOnlyError):
        z.lazy[0][...] = 0
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(z.lazy, copy=False)
    np.testing.assert_array_equal(z[...], ITEMS)


def test_an_array_that_is_resized() -> None:
    z = made()
    views = [z.lazy[3:], z.lazy[[5, 0]], z.lazy[5], z.lazy[::-1], z.lazy[[5], [0]]]
    z.resize(5, 7, 8)
    for view in views:
        with pytest.raises(BoundsCheckError, match=r"item 5 of axis 0, .* length 5: .* resized"):
            view.read()
        with pytest.raises(BoundsCheckError, match="resized"):
            view[...] = 0
    assert z.lazy[4:].shape == (1, 7, 8)
    view = z.lazy[1:]
    z.resize(6, 7, 9)
    assert view.shape == (4, 7, 8)
    np.testing.assert_array_equal(view[...], ITEMS[1:5])


# ---- kinds of items


def test_fields() -> None:
    items = items_of(STRUCTURED[3].newbyteorder("="), (6, 7), 3)
    z = made(items)
    items = z[...]
    names = list(items.dtype.names or ())
    view = z.lazy[::-2].T
    for name in names:
        assert view[name].dtype == items.dtype[name]
        np.testing.assert_array_equal(view[name, 1:][...], items[::-2].T[1:][name])
        np.testing.assert_array_equal(view[names][name].read(), items[::-2].T[name])
    assert view[names[:1]].dtype.names == (names[0],)
    assert view[names[:1]][...].dtype.names == (names[0],)
    with pytest.raises(SelectionError, match="no field 'q'"):
        view["q"]
    with pytest.raises(SelectionError, match="no field 'a' in dtype int16"):
        view["a"]["a"]
    with pytest.raises(SelectionError, match="'c' in field 'b'"):
        view["b"]["c"]
    items[::-2].T["a"] = 5
    view["a"][...] = 5
    assert same(z[...], items)


@only_v2("format 3 has no fields with axes")
def test_a_field_that_has_axes_is_not_selected() -> None:
    z = zchunk.zeros(3, dtype=[("a", "i4", 2), ("b", "u1")])
    with pytest.raises(SelectionError, match="has axes of its own"):
        z.lazy["a"]


def test_objects() -> None:
    items = np.array([["a", "b", "c"], ["d", "e", "f"]], object)
    z = zchunk.array(items, dtype=str, chunks=(1, 2))
    view = z.lazy[::-1].T[[2, 0]]
    np.testing.assert_array_equal(view[...], items[::-1].T[[2, 0]])
    view[...] = [["x", "y"], ["z", "t"]]
    np.testing.assert_array_equal(z[...], np.array([["t", "b", "y"], ["z", "e", "x"]], object))
    z.lazy[0, 0][...] = "q"
    assert z[0, 0] == "q"


def test_arrays_without_axes() -> None:
    z = zchunk.array(np.array(5))
    assert z.lazy.shape == z.lazy.T.shape == ()
    assert z.lazy.chunks == ()
    assert z.lazy[...][()] == 5
    np.testing.assert_array_equal(z.lazy[None][[0, 0]].read(), [5, 5])
    assert z.lazy[False].read().shape == (0,)
    z.lazy[...][...] = 6
    assert z[()] == 6
    with pytest.raises(SelectionError):
        z.lazy.vindex[()]
