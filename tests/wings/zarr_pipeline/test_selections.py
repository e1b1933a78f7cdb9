"""Selections of `zarr.Array` by the engine: the items that zarr-python selects, or its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")
from zarr.storage import MemoryStore  # noqa: E402

import zchunk.zarr_pipeline  # noqa: E402
from tests.wings.zarr_pipeline.counting import counted  # noqa: E402
from zchunk.wings.zarr_pipeline import selections  # noqa: E402

SHAPE, CHUNKS = (11, 7), (4, 3)
ITEMS = np.arange(77, dtype="i4").reshape(SHAPE)
SHARDS = {"shards": (8, 6)}
# Slices go forward, and positions from the end, too.
SLICES = st.slices(7).filter(lambda s: (s.step or 1) > 0)
POSITIONS = st.lists(st.integers(-7, 6), min_size=1, max_size=6)
MASKS = st.lists(st.booleans(), min_size=7, max_size=7).filter(any)
ENTRIES = st.one_of(st.integers(-7, 6), SLICES, POSITIONS.map(np.array))
COLUMNS = st.one_of(ENTRIES, MASKS.map(np.array))


def pair(**options: Any) -> tuple[Any, Any]:
    """The same array, with zchunk and without."""
    found = []
    for installs in (True, False):
        with zchunk.zarr_pipeline.install() if installs else zarr.config.set({}):
            z = zarr.create_array(
                MemoryStore(), shape=SHAPE, chunks=CHUNKS, dtype="i4", fill_value=-1, **options
            )
        z[...] = ITEMS
        found.append(z)
    return found[0], found[1]


def agree(get: Any, ours: Any, zarrs: Any) -> None:
    """Check what is read natively, and its type."""
    with zchunk.zarr_pipeline.install(engine=True), counted(native_reads=1):
        found = get(ours)
    expected = get(zarrs)
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@given(rows=ENTRIES, columns=COLUMNS, sharded=st.booleans())
def test_orthogonal(rows: Any, columns: Any, sharded: bool) -> None:
    ours, zarrs = pair(**(SHARDS if sharded else {}))
    agree(lambda z: z.oindex[rows, columns], ours, zarrs)
    agree(lambda z: z.get_orthogonal_selection((rows, columns)), ours, zarrs)


@given(data=st.data(), sharded=st.booleans())
def test_points(data: Any, sharded: bool) -> None:
    shape = data.draw(st.sampled_from([(3,), (2, 2), (1, 4)]))
    positions = st.lists(st.integers(-7, 6), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
    rows, columns = (np.reshape(data.draw(positions), shape) for _ in range(2))
    if data.draw(st.booleans()):
        # Broadcast.
        rows = rows[..., :1]
    ours, zarrs = pair(**(SHARDS if sharded else {}))
    agree(lambda z: z.vindex[rows, columns], ours, zarrs)
    agree(lambda z: z.get_coordinate_selection((rows, columns)), ours, zarrs)
    agree(lambda z: z.vindex[3, columns], ours, zarrs)
    agree(lambda z: z[rows.reshape(-1)[0], columns.reshape(-1).tolist()], ours, zarrs)


@pytest.mark.parametrize("options", [{}, SHARDS], ids=["chunks", "shards"])
def test_masks_and_blocks(options: dict[str, Any]) -> None:
    ours, zarrs = pair(**options)
    mask = ITEMS % 5 == 2
    for get in (
        lambda z: z.vindex[mask],
        lambda z: z.get_mask_selection(mask),
        lambda z: z[mask],
        lambda z: z.blocks[1],
        lambda z: z.blocks[-1, 0:1],
        lambda z: z.get_block_selection((slice(0, 5), -1)),
    ):
        agree(get, ours, zarrs)


def _writes_points(z: Any) -> bool:
    """Whether zarr-python can write to parts of shards by positions, which not all versions can."""
    try:
        z.vindex[[1, 0], [2, 3]] = ITEMS[[1, 0], [2, 3]]
        z.oindex[1:9:3, [6, 0]] = ITEMS[1:9:3, [6, 0]]
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("options", [{}, SHARDS], ids=["chunks", "shards"])
def test_writes(options: dict[str, Any]) -> None:
    """Of all kinds, with what lies beyond the edge, which shows when the array grows."""
    ours, zarrs = pair(**options)
    if not _writes_points(zarrs):
        zarrs = pair()[1]
    mask = ITEMS % 5 == 2
    steps = [
        lambda z: z.oindex.__setitem__(([9, 0, 3], 2), np.array([1, 2, 3])),
        lambda z: z.oindex.__setitem__((slice(1, 9, 3), [6, 0]), -5),
        lambda z: z.oindex.__setitem__((slice(None), np.arange(7) > 3), np.full((11, 3), 8, "i4")),
        lambda z: z.vindex.__setitem__(([10, 1], [6, 0]), np.array([70, 71], "i8")),
        lambda z: z.vindex.__setitem__(([[9], [2]], [[5, 4]]), np.array([[1, 2], [3, 4]])),
        lambda z: z.vindex.__setitem__(mask, np.arange(mask.sum())),
        lambda z: z.set_mask_selection(mask, 3),
        lambda z: z.set_coordinate_selection((np.array([0, 0]), np.array([1, 2])), 5),
    ]
    blocks = [lambda z: z.blocks.__setitem__((1, 0), 9), lambda z: z.blocks.__setitem__((-1, -1), 61)]
    for shape in (SHAPE, (10, 5), (9, 7)):
        for z in (ours, zarrs):
            z.resize(shape)
        if shape != SHAPE:
            steps = [
                lambda z: z.oindex.__setitem__(([8, 0], slice(2, 5)), 50),
                lambda z: z.vindex.__setitem__(([8, 1], [4, 4]), 60),
            ]
        for number, step in enumerate(steps + (blocks if ours.shards == zarrs.shards else [])):
            with zchunk.zarr_pipeline.install(engine=True), counted(native_writes=1):
                step(ours)
            step(zarrs)
            np.testing.assert_array_equal(ours[...], zarrs[...], err_msg=str((shape, number)))
    if (ours.shards is None) != (zarrs.shards is None):
        return
    for z in (ours, zarrs):
        z.resize((16, 12))
    np.testing.assert_array_equal(ours[...], zarrs[...])


@pytest.mark.parametrize(
    "call",
    [
        lambda z: z.oindex[[11], 0],
        lambda z: z.oindex[[[1, 2]], 0],
        lambda z: z.oindex[np.ones(6, bool), 0],
        lambda z: z.vindex[[0, 1], [0, 7]],
        lambda z: z.vindex[[0, 1]],
        lambda z: z.vindex[[0, 1], [0, 1, 2]],
        lambda z: z.get_mask_selection(np.ones((2, 2), bool)),
        lambda z: z.blocks[3],
        lambda z: z.blocks[-4:1],
        lambda z: z.blocks[::2],
        lambda z: z.vindex.__setitem__(([1, 2], [0, 1]), np.arange(3)),
        lambda z: z.oindex.__setitem__(([1, 2], [0, 1]), np.arange(3)),
    ],
)
def test_errors_are_zarrs(call: Any) -> None:
    ours, zarrs = pair()
    raised = []
    for z in (ours, zarrs):
        with zchunk.zarr_pipeline.install(engine=True), pytest.raises(Exception) as error:
            call(z)
        raised.append((type(error.value), str(error.value)))
    assert raised[0] == raised[1]


def test_nothing_is_left_to_zarr_where_nothing_is_selected() -> None:
    ours, zarrs = pair()
    for get in (lambda z: z.oindex[[], 0], lambda z: z.vindex[[], []], lambda z: z[np.zeros(SHAPE, bool)]):
        with zchunk.zarr_pipeline.install(engine=True):
            found = []
            for z in (ours, zarrs):
                try:
                    found.append(np.asarray(get(z)).tolist())
                except Exception as err:
                    found.append([type(err), str(err)])
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("selection", "shape"),
    [
        ((np.arange(3), 1), (3,)),
        ((np.arange(3)[:, None], np.arange(2)), (3, 2)),
        ((1, 2), None),
        ((np.arange(3),), None),
        ((np.zeros(3), np.zeros(3)), None),
        ((slice(3), np.arange(3)), None),
    ],
)
def test_shape_of_points(selection: Any, shape: Any) -> None:
    assert selections.points_shape(selection, 2) == shape
