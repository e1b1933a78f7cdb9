"""Every kind of selection against NumPy, natively and generically: reading, writing, `out`, fields."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zchunk
from tests.engine.test_execute import COMPRESSORS, STRUCTURED, executor, items_of, same, slices
from tests.variants import Variant
from zchunk.errors import BoundsCheckError, ReadOnlyError, SelectionError, VindexInvalidSelectionError
from zchunk.indexing import plans

pytestmark = pytest.mark.usefixtures("variant")

SMALL = [
    np.dtype(name) for name in ("|u1", "<i2", ">f4", "<f8", "<c16", "<M8[s]", "|S3", "<U2")
] + [STRUCTURED[0], STRUCTURED[1], STRUCTURED[3]]


@pytest.fixture(params=["native", "generic"], autouse=True)
def _executor(request: pytest.FixtureRequest) -> Iterator[None]:
    # The tests with hypothesis run both themselves.
    with executor(request.param):
        yield


@st.composite
def lists(draw: st.DrawFn, length: int) -> Any:
    """Positions in any order, repeated, negative; as a list or an array of some dtype."""
    found = draw(st.lists(st.integers(-length, length - 1), max_size=12)) if length else []
    if draw(st.booleans()):
        found.sort()
    return (
        np.array(found, draw(st.sampled_from(["i8", "i4", "i1"])))
        if not found or draw(st.booleans())
        else found
    )


@st.composite
def masks(draw: st.DrawFn, length: int) -> np.ndarray:
    return np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)), bool)


@st.composite
def orthogonal(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    entries = []
    for n in shape:
        kinds = [slices(n), lists(n), masks(n)] + ([st.integers(-n, n - 1)] if n else [])
        entries.append(draw(st.one_of(kinds)))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(entries)))
        entries[at : draw(st.integers(at, len(entries)))] = [...]
    return tuple(entries)


@st.composite
def points(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    count = draw(st.integers(0, 20)) if all(shape) else 0
    columns = [
        draw(st.lists(st.integers(-n, n - 1) if n else st.nothing(), min_size=count, max_size=count))
        for n in shape
    ]
    arrays: list[Any] = [np.array(column, int) for column in columns]
    form = draw(st.sampled_from(["flat", "matrix", "open", "integer"]))
    if form == "matrix" and count % 2 == 0:
        arrays = [a.reshape(2, -1) for a in arrays]
    elif form == "open" and len(shape) > 1:
        arrays[0] = arrays[0][:, None]
    elif form == "integer" and count:
        arrays[-1] = int(arrays[-1][0])
    return tuple(arrays)


@st.composite
def arrays(draw: st.DrawFn, least: int = 0) -> dict[str, Any]:
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=least, max_size=4)))
    while np.prod(shape, dtype=int) > 2000:
        shape = shape[1:]
    return {
        "shape": shape,
        "chunks": tuple(draw(st.integers(1, max(n, 1) + 2)) for n in shape),
        "dtype": draw(st.sampled_from(SMALL)),
        "order": draw(st.sampled_from("CF")),
        "compressor": draw(st.sampled_from(COMPRESSORS)),
        "write_empty_chunks": draw(st.booleans()),
    }


def both(case: dict[str, Any], variant: Variant) -> Iterator[zchunk.Array]:
    for name in ("native", "generic"):
        with executor(name), tempfile.TemporaryDirectory() as folder:
            yield zchunk.create(store=folder, **case)


def shown(case: dict[str, Any], variant: Variant) -> np.dtype:
    """The dtype of what is read."""
    assume(variant.takes(case["dtype"]))
    return variant.dtype(case["dtype"])


@given(data=st.data(), case=arrays(), seed=st.integers(0, 99))
def test_orthogonal(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    write, read = data.draw(orthogonal(case["shape"])), data.draw(orthogonal(case["shape"]))
    source = items_of(dtype, case["shape"], seed)
    expected = np.zeros(case["shape"], dtype)
    values = np.asarray(plans.oindex(source, write))
    plans.oindex_set(expected, write, values)
    files = []
    for z in both(case, variant):
        z.oindex[write] = values
        assert same(z[...], expected)
        wanted = plans.oindex(expected, read)
        found = z.oindex[read]
        # A scalar of NumPy has no byte order.
        assert same(np.asarray(found, dtype), np.asarray(wanted, dtype))
        out = np.zeros((*wanted.shape, 2), dtype)[..., 0]
        assert z.get_orthogonal_selection(read, out=out) is out
        assert same(out.copy(), np.asarray(wanted, dtype))
        files.append(variant.values(z))
    assert files[0] == files[1]


@given(data=st.data(), case=arrays(least=1), seed=st.integers(0, 99))
def test_points(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    write, read = data.draw(points(case["shape"])), data.draw(points(case["shape"]))
    source = items_of(dtype, case["shape"], seed)
    expected = np.zeros(case["shape"], dtype)
    # Every point another value, so that it shows which of them stays where points are equal.
    values = items_of(dtype, np.broadcast_shapes(*map(np.shape, write)) or (1,), seed + 1)
    for place, value in zip(
        zip(*(a.flat for a in np.broadcast_arrays(*write)), strict=True), values.flat, strict=True
    ):
        expected[place] = value
    files = []
    for z in both(case, variant):
        z.vindex[write] = values
        assert same(z[...], expected)
        z[...] = source
        wanted = np.atleast_1d(np.asarray(source[read], dtype))
        assert same(z.vindex[read], wanted)
        assert same(z.get_coordinate_selection(read), wanted)
        out = np.zeros((*wanted.shape, 2), dtype, "F")[..., 0]
        assert z.get_coordinate_selection(read, out=out) is out
        assert same(out.copy(), wanted)
        files.append(variant.values(z))
    assert files[0] == files[1]


@given(data=st.data(), case=arrays(least=1), seed=st.integers(0, 99))
def test_masks(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    mask = data.draw(masks(int(np.prod(case["shape"])))).reshape(case["shape"])
    source = items_of(dtype, case["shape"], seed)
    expected = np.zeros(case["shape"], dtype)
    expected[mask] = source[mask]
    for z in both(case, variant):
        z.set_mask_selection(mask, source[mask])
        assert same(z[...], expected)
        assert same(z.vindex[mask], expected[mask])
        assert same(z.get_mask_selection(mask), expected[mask])


@given(data=st.data(), case=arrays(), seed=st.integers(0, 99))
def test_blocks(data: st.DataObject, case: dict[str, Any], seed: int, variant: Variant) -> None:
    dtype = shown(case, variant)
    # Blocks are shards if there are some, as in zarr 3.
    chunks, selection, items = variant.blocks(case["chunks"]), [], []
    for n, c in zip(case["shape"], chunks, strict=True):
        count = -(-n // c)
        start = data.draw(st.integers(-count, count - 1)) if count else None
        if start is not None and data.draw(st.booleans()):
            selection.append(start)
            items.append(slice(start % count * c, (start % count + 1) * c))
        else:
            stop = data.draw(st.none() | st.integers(-count, count + 2))
            first, last, _ = slice(start, stop).indices(count)
            if start is None and not count:
                continue
            selection.append(slice(start, stop))
            items.append(slice(first * c, max(first, last) * c))
    if len(selection) < len(chunks):
        return
    source = items_of(dtype, case["shape"], seed)
    for z in both(case, variant):
        z.blocks[tuple(selection)] = source[tuple(items)]
        assert same(z.blocks[tuple(selection)], source[tuple(items)])
        expected = np.zeros(case["shape"], dtype)
        expected[tuple(items)] = source[tuple(items)]
        assert same(z[...], expected)


# ---- what stands in z[...]

ITEMS = np.arange(6 * 7 * 8).reshape(6, 7, 8)


@pytest.mark.parametrize(
    "selection",
    [
        ([0, 2], [1, 3], [2, 5]),
        (0, [1, 3], [2, 5]),
        ([[0, 2]], [[1], [3]], 4),
        (np.array([5, 0]), slice(None), slice(None)),
        (slice(1, 3), [4, 0, 0], slice(None, None, 2)),
        (slice(None), slice(None), [7, -1]),
        [3, 1],
        np.array([3, 1], "u1"),
    ],
)
def test_lists_in_brackets_select_as_in_numpy(selection: Any) -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    np.testing.assert_array_equal(z[selection], ITEMS[selection])
    z[selection] = -1
    expected = ITEMS.copy()
    expected[selection] = -1
    np.testing.assert_array_equal(z[...], expected)


@pytest.mark.parametrize(
    "selection",
    [
        [True, False],
        ITEMS[0] > 5,
        (ITEMS > 5, 0),
        (0, 0, ITEMS[0, 0] > 5, None, 0),
        ([0, 1], [0, 1, 2]),
        ([0, 1], slice(None), [0, 1, 2]),
        ([0, 1], slice(None), [0, 8]),
        ([0, 1], 7, slice(None), None),
        ([0], ..., [0], ...),
        (None, 6),
        (None, ..., 0, ...),
        "f",
        0.5,
        {},
        (None, "f"),
        [0, "f"],
        [2**70],
        ([0.5], 0, 0),
        ([9], 0, 0),
        (..., [-9]),
    ],
    ids=lambda entry: f"{entry!r:.50}",
)
def test_what_brackets_do_not_take(selection: Any) -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    with pytest.raises(IndexError):
        ITEMS[selection]
    with pytest.raises(IndexError):
        z[selection]
    with pytest.raises(IndexError):
        z[selection] = 0


# ---- errors


@pytest.mark.parametrize(
    ("name", "selection", "error", "message"),
    [
        ("oindex", ([0, 6], 0, 0), BoundsCheckError, "index 6 .*axis 0 of length 6"),
        ("oindex", (slice(None), [-8]), BoundsCheckError, "index -8 .*axis 1 of length 7"),
        ("oindex", (7,), BoundsCheckError, "index 7 .*axis 0"),
        ("oindex", (np.ones(5, bool),), SelectionError, "5 values of bool for axis 0 of length 6"),
        ("oindex", (np.ones((6, 7), bool),), SelectionError, "1-dimensional"),
        ("oindex", ([[0], [1]],), SelectionError, "1-dimensional"),
        ("oindex", ([0.5],), SelectionError, "float64"),
        ("oindex", (0, 0, 0, 0), SelectionError, "too many"),
        ("oindex", (..., ...), SelectionError, "Ellipsis"),
        ("oindex", (None,), SelectionError, "NoneType"),
        ("vindex", (0, 0), VindexInvalidSelectionError, "3 axes"),
        ("vindex", (slice(None), [0], [0]), VindexInvalidSelectionError, "3 axes"),
        ("vindex", (np.ones((6, 7, 9), bool),), SelectionError, "shape"),
        ("vindex", ([0], [0], [8]), BoundsCheckError, "index 8 .*axis 2"),
        ("vindex", ([0, 1], [0, 1, 2], 0), SelectionError, "fit together"),
        ("blocks", (3,), BoundsCheckError, "3"),
        ("blocks", (slice(3, None),), BoundsCheckError, "3"),
        ("blocks", (slice(0, 2, 2),), SelectionError, "no step"),
        ("blocks", ([0],), SelectionError, "blocks"),
    ],
)
def test_what_is_refused(name: str, selection: Any, error: type[Exception], message: str) -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    with pytest.raises(error, match=message):
        getattr(z, name)[selection]
    with pytest.raises(error, match=message):
        getattr(z, name)[selection] = 0
    np.testing.assert_array_equal(z[...], ITEMS)


@pytest.mark.parametrize("method", ["get_coordinate_selection", "get_mask_selection"])
@pytest.mark.parametrize("selection", [(0, 0), ([0.5], [0], [0]), (None, 0, 0), "a"])
def test_methods_refuse_other_kinds(method: str, selection: Any) -> None:
    with pytest.raises(SelectionError):
        getattr(zchunk.array(ITEMS), method)(selection)


def test_values_that_do_not_fit() -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    for index, selection in ((z.oindex, ([0, 1], 0, 0)), (z.vindex, ([0, 1], [0, 1], [0, 1])), (z.blocks, 0)):
        with pytest.raises(ValueError, match="shape"):
            index[selection] = np.zeros(3)
    np.testing.assert_array_equal(z[...], ITEMS)


def test_values_are_broadcast() -> None:
    z, expected = zchunk.array(ITEMS, chunks=(2, 3, 4)), ITEMS.copy()
    z.oindex[[4, 1], :, [0, 0, 3]] = np.array([[1], [2], [3], [4], [5], [6], [7]])
    expected[np.ix_([4, 1], range(7), [0, 0, 3])] = np.array([[1], [2], [3], [4], [5], [6], [7]])
    at = ([[0, 5]], [[1], [2]], 3)
    z.vindex[at] = [[-1], [-2]]
    expected[at] = [[-1], [-2]]
    # As many items as points, of any shape, as in zarr 2.
    z.vindex[at[:2] + (4,)] = np.array([7, 8, 9, 10])
    expected[at[:2] + (4,)] = [[7, 8], [9, 10]]
    np.testing.assert_array_equal(z[...], expected)


def test_selecting_changes_no_index_of_the_user() -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4))
    index = np.array([-1, 2])
    index.flags.writeable = False
    z.oindex[index]
    z.vindex[index, index, index]
    assert index.tolist() == [-1, 2]


def test_read_only() -> None:
    z = zchunk.array(ITEMS, chunks=(2, 3, 4), read_only=True)
    for index, selection in ((z.oindex, [0]), (z.vindex, (0, 0, 0)), (z.blocks, 0)):
        with pytest.raises(ReadOnlyError):
            index[selection] = 0


def test_grid_of_more_chunks_than_can_be_counted(variant: Variant) -> None:
    z = zchunk.zeros((2**40, 2**40, 2**40), chunks=(1, 2, 3), dtype="i4", compressor=None)
    at = (np.array([2**40 - 1, 5]), np.array([7, 2**39]), np.array([3, 3]))
    z.vindex[at] = [1, 2]
    assert z.vindex[at].tolist() == [1, 2]
    assert z.oindex[at[0], 7, [3, 3]].tolist() == [[1, 1], [0, 0]]
    assert z.nchunks_initialized == variant.initialized(z, (2**40 - 1, 3, 1), (5, 2**38, 1))


class Counting(dict):  # type: ignore[type-arg]
    """Counts how often each key is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def __getitem__(self, key: str) -> Any:
        self.reads[key] += 1
        return super().__getitem__(key)


def test_each_chunk_is_read_once() -> None:
    store = Counting()
    z = zchunk.array(np.arange(10_000).reshape(100, 100), chunks=(10, 10), store=store)
    rng = np.random.default_rng(0)
    for select in (
        lambda: z.oindex[rng.integers(0, 100, 50), rng.integers(0, 100, 50)],
        lambda: z.vindex[rng.integers(0, 100, 500), rng.integers(0, 100, 500)],
        lambda: z.vindex[np.asarray(rng.random((100, 100)) < 0.3)],
    ):
        store.reads.clear()
        select()
        assert len(store.reads) > (15 if z.shards else 50)
        assert max(store.reads.values()) == 1


@pytest.mark.one_in(2)
@pytest.mark.parametrize("compressor", [None, zchunk.Blosc(), zchunk.Blosc("zstd", shuffle=0), zchunk.Zstd()])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.each_value
def test_chunks_of_many_blocks(compressor: Any, order: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    items = rng.integers(0, 5000, (150, 160, 170)).astype("i4")
    z = zchunk.array(items, chunks=(130, 140, 150), store=tmp_path, compressor=compressor, order=order)
    axes = [rng.integers(0, n, 23) for n in items.shape]
    np.testing.assert_array_equal(z.oindex[tuple(axes)], items[np.ix_(*axes)])
    ordered = [np.unique(a) for a in axes]
    np.testing.assert_array_equal(z.oindex[tuple(ordered)], items[np.ix_(*ordered)])
    np.testing.assert_array_equal(z.oindex[:, ordered[1], 3:], items[:, ordered[1], 3:])
    at = tuple(rng.integers(0, n, 300) for n in items.shape)
    np.testing.assert_array_equal(z.vindex[at], items[at])
    z.vindex[at] = 7
    items[at] = 7
    z.oindex[tuple(ordered)] = 9
    items[np.ix_(*ordered)] = 9
    np.testing.assert_array_equal(z[...], items)


# ---- fields

@pytest.fixture
def items(variant: Variant) -> np.ndarray:
    order = ">" if variant.kind == "v2" else "<"
    return np.array(
        [(1, 2.5, b"ab"), (3, 4.5, b"c"), (5, 6.5, b"")] * 4, [("n", "<i4"), ("x", order + "f8"), ("s", "S2")]
    )


@pytest.fixture
def records(items: np.ndarray) -> zchunk.Array:
    return zchunk.array(items, chunks=5)


def test_fields_are_read(records: zchunk.Array, items: np.ndarray) -> None:
    assert same(records["n"], items["n"].copy())
    assert same(records["x", 2:9:3], items["x"][2:9:3].copy())
    assert records["x", 1] == 4.5
    assert same(records["n", "s"], np.array(items[["n", "s"]].tolist(), [("n", "<i4"), ("s", "S2")]))
    assert same(records.oindex["x", [7, 0]], items["x"][[7, 0]])
    assert same(records.vindex["x", [7, 0]], items["x"][[7, 0]])
    size = records.metadata.chunk_shape[0]
    assert same(records.blocks["x", 1], items["x"][size : 2 * size].copy())
    assert same(
        records.get_basic_selection(slice(3), fields=["x"]),
        np.array([(2.5,), (4.5,), (6.5,)], [("x", items.dtype["x"])]),
    )
    assert same(records.get_basic_selection(fields=[]), items)
    out = np.zeros(12, "i8")
    assert records.get_basic_selection(fields="n", out=out) is out
    assert out.tolist() == items["n"].tolist()


def test_fields_are_written_and_the_others_stay(records: zchunk.Array, items: np.ndarray) -> None:
    expected = items.copy()
    records["n", 2:7] = np.arange(5)
    expected["n"][2:7] = np.arange(5)
    records.oindex["x", [8, 1]] = -1
    expected["x"][[8, 1]] = -1
    records.set_mask_selection(items["n"] == 5, b"zz", fields=["s"])
    expected["s"][items["n"] == 5] = b"zz"
    records["x"] = 0.5
    expected["x"] = 0.5
    assert same(records[...], expected)


def test_field_of_a_chunk_that_is_not_there(variant: Variant) -> None:
    z = zchunk.full(
        6, np.array((1, 2.0), [("n", "i4"), ("x", "f8")])[()], dtype=[("n", "i4"), ("x", "f8")], chunks=4
    )
    z["n", 1] = 9
    assert z[...].tolist() == [(1, 2.0), (9, 2.0)] + [(1, 2.0)] * 4
    assert z.nchunks_initialized == variant.initialized(z, 0)


@pytest.mark.parametrize("fields", ["no", ["n", "no"], 3, [3]])
def test_fields_that_are_not_there(records: zchunk.Array, fields: Any) -> None:
    with pytest.raises(SelectionError, match="field"):
        records.get_basic_selection(fields=fields)


def test_fields_that_cannot_be_assigned(records: zchunk.Array) -> None:
    with pytest.raises(SelectionError, match="one field"):
        records["n", "x"] = 0
    with pytest.raises(SelectionError, match="no fields"):
        zchunk.zeros(3)["n"] = 0
    nested = zchunk.zeros(3, dtype=[("m", "f4", (2, 2))], zarr_format=2)
    assert nested["m"].shape == (3, 2, 2)
    with pytest.raises(SelectionError, match="axes of its own"):
        nested["m"] = 0


def test_arrays_that_are_not_numpys_select() -> None:
    z = zchunk.array(np.arange(10), chunks=3)
    mask, points = zchunk.array(np.arange(10) % 2 == 1, chunks=4), zchunk.array([0, 2, 4, 5], chunks=3)
    assert z.oindex[mask].tolist() == z.vindex[mask].tolist() == z[mask].tolist() == [1, 3, 5, 7, 9]
    assert z.oindex[points].tolist() == z.vindex[points].tolist() == z[points].tolist() == [0, 2, 4, 5]
