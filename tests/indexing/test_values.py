"""What is assigned: mappings are no data, masked items become the fill value, sequences are objects."""

from __future__ import annotations

import warnings
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk.indexing.values import convert

# ---- mappings


def _group() -> Any:
    group = zchunk.group()
    group["x"] = np.arange(3)
    return group


def _h5py() -> Any:
    h5py = pytest.importorskip("h5py")
    file = h5py.File("x", "w", driver="core", backing_store=False)
    file["x"] = [1]
    return file


def _npz(tmp_path: Path) -> Any:
    np.savez(tmp_path / "x.npz", x=[1])
    return np.load(tmp_path / "x.npz")


MAPPINGS: dict[str, Callable[[Path], Any]] = {
    "group": lambda _: _group(),
    "root": lambda _: _group(),
    "list of groups": lambda _: [_group(), _group()],
    "h5py": lambda _: _h5py(),
    "npz": _npz,
    "store": lambda _: _group().store,
    "UserDict": lambda _: UserDict(x=[1]),
}
USES: dict[str, Callable[[zchunk.Group, Any], object]] = {
    "save": lambda g, data: zchunk.save(g.store, data),
    "save_array": lambda g, data: zchunk.save_array(g.store, data),
    "save_group": lambda g, data: zchunk.save_group(g.store, a=np.arange(2), b=data),
    "array": lambda g, data: zchunk.array(data, store=g.store, overwrite=True),
    "create_array": lambda g, data: zchunk.create_array(g.store, data=data, overwrite=True),
    "__setitem__": lambda g, data: g.__setitem__("x", data),
    "update": lambda g, data: g.update({"x": data}),
    "create_dataset": lambda g, data: g.create_dataset("x", data=data, overwrite=True),
    "Group.array": lambda g, data: g.array("x", data, overwrite=True),
    "zeros_like": lambda g, data: zchunk.zeros_like(data, store=g.store, overwrite=True),
    "z[:]": lambda g, data: g["x"].__setitem__(slice(None), data),
    "z[0]": lambda g, data: g["x"].__setitem__(0, data),
    "oindex": lambda g, data: g["x"].oindex.__setitem__([0], data),
    "append": lambda g, data: g["x"].append(data),
}


@pytest.mark.parametrize("make", MAPPINGS.values(), ids=MAPPINGS)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_mappings_are_no_data(
    make: Callable[[Path], Any], use: Callable[[zchunk.Group, Any], object], tmp_path: Path
) -> None:
    group = zchunk.group()
    group["x"] = np.array(["a", "b"])
    stored = dict(group.store)
    with pytest.raises(TypeError, match=r"zchunk\.copy"):
        use(group, make(tmp_path))
    assert dict(group.store) == stored


def test_dicts_are_objects() -> None:
    z = zchunk.create(2, dtype=object, object_codec=numcodecs.JSON())
    z[0] = {"a": 1}
    z[1:] = {"b": 2}
    assert z[:].tolist() == [{"a": 1}, {"b": 2}]
    with pytest.raises(TypeError, match=r"zchunk\.save\(store, \*\*mapping\)"):
        zchunk.save({}, {"a": [1]})


# ---- masked values

RECORD = np.dtype("i4,f8")
SET: dict[str, Callable[[zchunk.Array, Any], object]] = {
    "basic": lambda z, value: z.__setitem__(slice(0, 2), value),
    "orthogonal": lambda z, value: z.oindex.__setitem__([0, 1], value),
    "points": lambda z, value: z.vindex.__setitem__([0, 1], value),
    "mask": lambda z, value: z.set_mask_selection(np.array([1, 1, 0, 0], bool), value),
    "blocks": lambda z, value: z.blocks.__setitem__(0, value),
}


def _ones(dtype: Any, fill_value: Any) -> zchunk.Array:
    z = zchunk.create(4, 2, dtype, fill_value=fill_value)
    z[:] = np.ones(4, "i8").astype(z.dtype)
    return z


@pytest.mark.parametrize("assign", SET.values(), ids=SET)
@pytest.mark.parametrize("dtype", ["f4", "i8", "?", "M8[s]", "c8", "U2", "S2", RECORD], ids=str)
def test_masked_items_become_the_fill_value(
    assign: Callable[[zchunk.Array, Any], object], dtype: Any
) -> None:
    fill_value = np.zeros((), dtype)[()] if np.dtype(dtype) == RECORD else np.array(0).astype(dtype)[()]
    z, items = _ones(dtype, fill_value), np.array([7, 8]).astype(dtype)
    assign(z, np.ma.array(items, mask=[True, False]))
    assert z[:].tolist() == [fill_value.item(), *items[1:].tolist(), *_ones(dtype, fill_value)[2:].tolist()]
    # Nothing is hidden.
    assign(z, np.ma.array(items, mask=[False, False]))
    assert z[:2].tolist() == items.tolist()
    bare = _ones(dtype, None)
    before = bare[:].tolist()
    with pytest.raises(ValueError, match="without a fill value"):
        assign(bare, np.ma.array(items, mask=[True, False]))
    assert bare[:].tolist() == before


@pytest.mark.parametrize("assign", SET.values(), ids=SET)
@pytest.mark.parametrize("value", [np.ma.masked, np.ma.array(5, mask=True)], ids=["constant", "0-d"])
@pytest.mark.parametrize("fill_value", [0, None])
def test_one_masked_value_is_nan_or_an_error(
    assign: Callable[[zchunk.Array, Any], object], value: Any, fill_value: Any
) -> None:
    for dtype in ("f8", "f2", "c16"):
        z = _ones(dtype, fill_value)
        with pytest.warns(UserWarning, match="NaN"):
            assign(z, value)
        assert np.isnan(z[:]).tolist() == [True, True, False, False]
        with pytest.warns(UserWarning, match="NaN"):
            z[3] = value
        assert np.isnan(z[3])
    for dtype in ("i4", "?", "M8[s]", "m8[s]", "U3", "S3", RECORD):
        z = _ones(dtype, fill_value)
        before = z[:].tolist()
        for change in (assign, lambda z, value: z.__setitem__(3, value)):
            with pytest.raises(ValueError, match="masked"):
                change(z, value)
        assert z[:].tolist() == before


def test_masked_items_elsewhere() -> None:
    data = np.ma.array([1.5, np.nan], mask=[False, True])
    z = zchunk.create(1, dtype="i4", fill_value=9)
    with warnings.catch_warnings():
        # What lies below a mask is no value of the dtype.
        warnings.simplefilter("error")
        z.append(data)
    assert z[:].tolist() == [9, 1, 9]
    assert zchunk.array(data)[:].tolist() == [1.5, 0]
    assert zchunk.array(data, fill_value=3)[:].tolist() == [1.5, 3]
    with pytest.raises(ValueError, match="without a fill value"):
        zchunk.array(data, fill_value=None)
    store: dict[str, Any] = {}
    zchunk.save(store, data)
    assert zchunk.load(store).tolist() == [1.5, 0]
    records = zchunk.create(2, dtype="i4,f8", fill_value=np.array((7, 8), RECORD)[()])
    records["f1", :] = data
    assert records[:].tolist() == [(7, 1.5), (7, 8.0)]
    some = np.ma.array(np.zeros(2, RECORD), mask=[(True, False), (False, False)])
    records[:] = some
    assert records[:].tolist() == [(7, 0.0), (0, 0.0)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_masked_values_are_no_attributes(zarr_format: Any) -> None:
    z = zchunk.create(2, zarr_format=zarr_format, attributes={"old": 1})
    for value in (np.ma.masked, [1, {"a": np.ma.array([1, 2], mask=[0, 1])}], np.ma.array("a", mask=True)):
        with pytest.raises(TypeError, match="masked"):
            z.attrs["mean"] = value
    z.attrs["all"] = np.ma.array([1, 2], mask=[0, 0])
    assert z.attrs.asdict() == {"old": 1, "all": [1, 2]}


# ---- arrays of arrays


def _lists(items: Any) -> Any:
    return [_lists(item) for item in items] if isinstance(items, np.ndarray) else items


def _ragged(*lengths: int) -> list[np.ndarray[Any, Any]]:
    return [np.arange(n, dtype="i4") for n in lengths]


@pytest.mark.parametrize("lengths", [(2, 2), (2, 3), (1, 1), (0, 0), (0, 2), (1, 2)])
@pytest.mark.parametrize("as_lists", [False, True])
def test_the_target_decides_what_an_item_is(lengths: tuple[int, ...], as_lists: bool) -> None:
    expected = [list(range(n)) for n in lengths]
    given: Any = expected if as_lists else _ragged(*lengths)
    z = zchunk.create(2, dtype="array:i4")
    z[:] = given
    assert _lists(z[:]) == expected
    z[1] = given[0]
    assert _lists(z[1:]) == expected[:1]
    z.oindex[[1, 0]] = given
    assert _lists(z[::-1]) == expected
    z.vindex[[0, 1]] = given
    z.append(given)
    assert _lists(z[:]) == expected * 2
    made = zchunk.array(given, dtype="array:i4")
    assert (made.shape, _lists(made[:])) == ((2,), expected)
    store: dict[str, Any] = {}
    zchunk.save_array(store, given, dtype="array:i4")
    assert _lists(zchunk.load(store)) == expected
    square = zchunk.create((2, 2), dtype="array:i4")
    square[:] = [given, given]
    assert _lists(square[:]) == [expected, expected]
    square[1:, :] = given
    assert _lists(square[1]) == expected
    made = zchunk.array([given, given], dtype="array:i4")
    assert (made.shape, _lists(made[:])) == ((2, 2), [expected, expected])
    other = zchunk.create(2, dtype=object, object_codec=numcodecs.JSON())
    other[:] = expected
    assert other[:].tolist() == expected
    other[:] = [expected[1]]
    other.append(expected)
    assert other[:].tolist() == [expected[1]] * 2 + expected


def test_arrays_of_numbers_are_arrays_of_rows() -> None:
    z = zchunk.create(2, dtype="array:i4")
    z[:] = np.array([[1, 2], [3, 4]])
    assert _lists(z[:]) == [[1, 2], [3, 4]]
    assert zchunk.array(np.zeros((3, 2)), dtype="array:i4").shape == (3,)
    assert zchunk.array([], dtype="array:i4").shape == (0,)
    with pytest.raises(ValueError, match="cannot assign"):
        z[:] = [[1], [2], [3]]


def test_text_is_as_deep_as_numpy_has_it() -> None:
    z = zchunk.create((2, 2), dtype=str)
    z[:] = [["a", "b"], ["c", "d"]]
    z[0] = ["x", "y"]
    z[:, 1] = "z"
    assert z[:].tolist() == [["x", "z"], ["c", "z"]]


@pytest.mark.parametrize("item", ["U", "S", "O", "M8[s]", "m8[D]"])
def test_arrays_that_could_not_be_read_again_are_refused(item: str) -> None:
    store: dict[str, Any] = {}
    with pytest.raises(ValueError, match="give their items a size"):
        zchunk.create(2, dtype="array:" + item, store=store)
    with pytest.raises(ValueError, match="give their items a size"):
        zchunk.create(2, dtype=object, object_codec=numcodecs.VLenArray(item), store=store)
    assert not store
    z = zchunk.create(1, dtype="array:U2")
    z[0] = np.array(["ab", "c"])
    assert _lists(z[:]) == [["ab", "c"]]


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", ">i4", "f2", "f8", "c8"])
@pytest.mark.parametrize("value", [True, 0, -1, 300, 2**70, 1.5, float("nan"), float("inf"), 1e300, 1 + 2j])
def test_a_number_becomes_what_a_sequence_of_it_does(value: Any, dtype: str) -> None:
    def outcome(make: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = make()
            except (OverflowError, TypeError, ValueError) as err:
                return type(err)
            return found.dtype, found.tobytes()

    # A sequence takes the plain path.
    plain = outcome(lambda: convert([value], np.dtype(dtype), "").reshape(()))
    assert outcome(lambda: convert(value, np.dtype(dtype), "")) == plain
