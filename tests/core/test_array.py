"""Array: properties, reading and assigning as NumPy does, pickling, modes of caching and locking."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zchunk
from tests.variants import NO_ARRAYS, Variant
from zchunk.errors import ArrayNotFoundError, ReadOnlyError

pytestmark = pytest.mark.usefixtures("path", "variant")


def test_len_iter_and_array() -> None:
    source = np.arange(30).reshape(10, 3)
    z = zchunk.array(source, chunks=(4, 2))
    assert len(z) == 10
    for row, expected in zip(z, source, strict=True):
        np.testing.assert_array_equal(row, expected)
    assert list(zchunk.array(np.arange(5), chunks=2)) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.asarray(z), source)
    assert np.array(z, dtype="f4").dtype == "f4"
    assert np.asarray(z, dtype="f4", copy=True).sum() == source.sum()
    with pytest.raises(ValueError, match="copy"):
        np.array(z, copy=False)
    assert isinstance(z[2, 1], np.integer)
    assert isinstance(z[2], np.ndarray)
    assert np.sum(z) == source.sum()


# ---- assignment against NumPy

VALUES: list[Any] = [
    0, 1, -1, 300, 2**40, -(2**70), 1.5, -0.0, float("nan"), float("inf"), True, 1j, 1 + 2j, "7", "abcdef",
    b"7", b"ab\xff",
    "", None, [1, 2, 3], [[1], [2]], [[1, 2, 3], [4, 5, 6]], [1, 2], [], [[1, 2], [3]], ["x", "yy", "zzz"],
    (1, 2.5), [(1, 2.5)] * 3, ((1, 2), 3), {}, object(), range(3), memoryview(b"abc"),
    np.int8(-3), np.float32(1e30), np.float64("nan"), np.str_("5"), np.bytes_(b"xy"),
    np.datetime64("2020-02-03T04:05"),
    np.datetime64("NaT"), np.timedelta64(5, "m"), np.timedelta64(7, "D"), "2021-03-04", "not a date",
    np.arange(3), np.arange(6.0).reshape(2, 3) - 2.5, np.array([True, False, True]),
    np.array(["1", "2", "33"]),
    np.array([b"1", b"2", b"33"]), np.array([1, "a", None], dtype=object), np.array([1, 2, 3], dtype=object),
    np.array(["2020-01-01", "NaT", "1969-01-01"], "M8[D]"), np.array([1, 2, 3], ">u2"),
    np.array([1 + 1j, 2, 3]),
    np.array([(1, 2.0), (3, 4.0), (5, 6.0)], [("x", "i8"), ("y", "f4")]), np.zeros((1, 1, 3)),
    np.zeros((2, 0)), np.zeros((4, 3)),
    np.arange(12)[::-2][:3],
]  # fmt: skip
TARGETS = [
    "b1", "u1", "<i4", ">i8", "f2", "<f8", "c8", "S3", "U2", "V3", "M8[ns]", ">M8[10s]", "m8[h]",
    [("a", "<i4"), ("b", "<f8")], [("a", "u1"), ("b", "f4", (2,))],
]  # fmt: skip


# NumPy's choice among these depends on how far it got.
REFUSED = (ValueError, TypeError, OverflowError, RuntimeError)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("selection", [np.s_[...], np.s_[1], np.s_[::-1, :3], np.s_[0, 2, ...]], ids=repr)
@pytest.mark.each_value
def test_assignment_is_numpys(target: Any, selection: Any, variant: Variant, tmp_path: Path) -> None:
    if not variant.takes(target):
        target = [("a", ">i2"), ("b", [("c", ">f4")])]
    for i, value in enumerate(VALUES):
        expected = np.zeros((2, 3), variant.dtype(target))
        z = zchunk.zeros((2, 3), chunks=2, dtype=target, store=tmp_path / str(i))
        try:
            expected[selection] = value
        except REFUSED:
            with pytest.raises(REFUSED):
                z[selection] = value
            assert z.nchunks_initialized == 0, value
        else:
            z[selection] = value
            assert z[...].tobytes() == expected.tobytes(), value


@given(
    value=st.recursive(
        st.integers(-300, 300) | st.floats(width=16) | st.booleans(),
        lambda s: st.lists(s, max_size=3),
        max_leaves=6,
    ),
    target=st.sampled_from(["u1", "i2", "f4", "c16", "S2", "M8[s]"]),
)
@pytest.mark.filterwarnings("ignore")
def test_assignment_of_lists_is_numpys(value: Any, target: str) -> None:
    expected = np.zeros((2, 3), target)
    z = zchunk.zeros((2, 3), chunks=2, dtype=target)
    try:
        expected[...] = value
    except REFUSED:
        # A list in which leading axes of length 1 are too many is taken, as an array would be.
        assume(np.ndim(np.array(value, object)) <= 2)
        with pytest.raises(REFUSED):
            z[...] = value
    else:
        z[...] = value
        assert z[...].tobytes() == expected.tobytes()


def test_assignment_of_stored_arrays(tmp_path: Path) -> None:
    a = zchunk.array(np.arange(12).reshape(3, 4), chunks=2)
    z = zchunk.zeros((3, 4), chunks=3, dtype="f4", store=tmp_path)
    z[...] = a
    z[0] = a[1:2]
    np.testing.assert_array_equal(z[:], [[4, 5, 6, 7], [4, 5, 6, 7], [8, 9, 10, 11]])


def test_errors_of_assignment_say_where() -> None:
    z = zchunk.zeros((2, 3), path="a/b", store={})
    with pytest.raises(ValueError, match=r"\(2,\) to a selection of shape \(2, 3\) of array '/a/b'"):
        z[...] = [1, 2]
    with pytest.raises(ValueError, match="could not convert") as caught:
        z[...] = "x"
    assert "'/a/b'" in caught.value.__notes__[0]


def test_value_that_is_read_only_or_repeated(tmp_path: Path) -> None:
    z = zchunk.zeros((4, 4), chunks=2, store=tmp_path)
    z[...] = np.broadcast_to(np.arange(4.0), (4, 4))
    z[1::2] = np.frombuffer(np.ones(4).tobytes())
    np.testing.assert_array_equal(z[:], [[0, 1, 2, 3], [1] * 4] * 2)


# ---- what may not be


@pytest.mark.format2
def test_read_only(tmp_path: Path) -> None:
    zchunk.array(np.arange(4), store=tmp_path)
    z = zchunk.open_array(tmp_path, "r")
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    calls = [
        lambda: z.__setitem__(0, 1), lambda: z.resize(9), lambda: z.append([1]),
        lambda: z.attrs.put({"a": 1}),
        lambda: setattr(z, "shape", 2),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ReadOnlyError):
            call()
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
    z.read_only = False
    z[0] = 9
    z.attrs["a"] = 1
    assert z[0] == 9


@NO_ARRAYS
def test_no_array() -> None:
    with pytest.raises(ArrayNotFoundError, match="'/a'"):
        zchunk.Array({}, "a")


def test_metadata_that_are_not_cached(tmp_path: Path) -> None:
    z = zchunk.zeros(4, chunks=2, store=tmp_path)
    fresh = zchunk.open_array(tmp_path, cache_metadata=False)
    z.resize(6)
    other = zchunk.open_array(tmp_path)
    assert fresh.shape == (6,)
    fresh[5] = 1
    z.resize(8)
    assert fresh[:].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert other.shape == (6,)
    other.refresh()
    assert other.shape == (8,)


# ---- synchronizer


class Locks(dict):  # type: ignore[type-arg]
    """Any mapping of keys to locks; notes what is asked for."""

    def __missing__(self, key: str) -> Any:
        self[key] = lock = threading.Lock()
        return lock


def test_synchronizer_locks_chunks_attributes_and_metadata(variant: Variant, tmp_path: Path) -> None:
    locks = Locks()
    z = zchunk.zeros((4, 4), chunks=2, store=tmp_path, path="a", synchronizer=locks)
    z[:, 0] = 1
    assert set(locks) == {f"a/{key}" for key in variant.keys(2, 1)}
    z.attrs["x"] = 1
    z.append(np.ones((1, 4)))
    z.resize(6, 4)
    appended = [variant.chunk(2, 0), variant.chunk(2, 1)]
    keys = [*variant.keys(2, 1), *appended, variant.attrs_key, variant.array_key]
    assert set(locks) == {f"a/{key}" for key in keys}
    assert not any(lock.locked() for lock in locks.values())
    with pytest.raises(ValueError, match="shape"):
        z[0] = [1, 2, 3]
    assert not any(lock.locked() for lock in locks.values())


def test_appends_under_a_synchronizer_see_each_other(tmp_path: Path) -> None:
    """Two arrays stand for two processes: each appends to what the other left."""
    locks = Locks()
    a = zchunk.zeros(0, chunks=3, dtype="i8", store=tmp_path, synchronizer=locks)
    b = zchunk.open_array(tmp_path, synchronizer=locks)

    def work(z: zchunk.Array, values: Iterator[int]) -> None:
        for value in values:
            z.append([value])

    threads = [threading.Thread(target=work, args=(z, range(n, n + 50))) for z, n in ((a, 0), (b, 100))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = zchunk.open_array(tmp_path)[:]
    assert sorted(found.tolist()) == [*range(50), *range(100, 150)]


# ---- layout and shape, as zarr 2.18


@pytest.mark.parametrize("order", ["C", "F"])
def test_results_have_the_arrays_layout(order: str, tmp_path: Path) -> None:
    source = np.arange(60).reshape(3, 4, 5)
    z = zchunk.array(source, chunks=2, order=order, store=tmp_path)
    for selection in (np.s_[...], np.s_[:], np.s_[1:3], np.s_[::-1, 1:, ::2]):
        items = z[selection]
        assert items.flags[f"{order}_CONTIGUOUS"]
        np.testing.assert_array_equal(items, source[selection])
    np.testing.assert_array_equal(list(z), source)
    np.testing.assert_array_equal(z.get_basic_selection(out=np.empty((3, 4, 5), "f4")), source)


def test_resize_with_none_keeps_the_length(tmp_path: Path) -> None:
    z = zchunk.array(np.arange(12).reshape(3, 4), chunks=2, store=tmp_path)
    z.resize(None, 5)
    assert z.shape == (3, 5)
    z.resize((2, None))
    assert z.shape == (2, 5)
    z.resize([None, None])
    assert z[...].tolist() == [[0, 1, 2, 3, 0], [4, 5, 6, 7, 0]]
    for shape in ((None,), (None, None, None), (None, "x"), None):
        with pytest.raises((ValueError, TypeError)):
            z.resize(shape)
    assert zchunk.open(tmp_path).shape == (2, 5)
