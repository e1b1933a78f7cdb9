"""Whole reads and writes of `zarr.Array`: what is not for zchunk goes to the methods of zarr-python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")
from zarr.core.buffer import cpu  # noqa: E402

import zchunk.zarr_pipeline  # noqa: E402
from tests.wings.zarr_pipeline.counting import counted  # noqa: E402

ITEMS = np.arange(60, dtype="i4").reshape(6, 10)


@pytest.fixture
def engine() -> Iterator[None]:
    with zchunk.zarr_pipeline.install(engine=True):
        yield


@pytest.fixture
def z(engine: None, store: Any) -> Any:
    z = zarr.create_array(store, shape=(6, 10), chunks=(4, 3), dtype="i4")
    z[...] = ITEMS
    return z


class Stop(Exception):
    """Raised in place of what zarr-python would do."""


@pytest.fixture
def no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done in zarr-python's event loop."""

    def stop(coroutine: Any, *args: Any, **kwargs: Any) -> Any:
        coroutine.close()
        raise Stop

    monkeypatch.setattr(zarr.core.array, "sync", stop)


def test_nothing_is_left_to_zarr(z: Any, no_loop: None) -> None:
    with counted(native_reads=12, native_writes=7):
        np.testing.assert_array_equal(z[...], ITEMS)
        np.testing.assert_array_equal(z[-2:, 1::4], ITEMS[-2:, 1::4])
        np.testing.assert_array_equal(z[np.int64(3)], ITEMS[3])
        np.testing.assert_array_equal(z.get_basic_selection((slice(1, 3), 2)), ITEMS[1:3, 2])
        z[2] = ITEMS[3]
        z[:, 4] = 5
        z.set_basic_selection((0, 0), 9)
        z[3:5, 6:] = np.ones((2, 4), "f8")
        expected = [[5, 35, 36, 37, 38, 39], [5, 35, 1, 1, 1, 1], [5, 45, 1, 1, 1, 1]]
        np.testing.assert_array_equal(z[2:5, 4:], expected)
        assert z[0, 0] == 9
        z[...] = ITEMS
        mask = ITEMS % 7 == 1
        np.testing.assert_array_equal(z.oindex[[1, 5], ::3], ITEMS[[1, 5], ::3])
        np.testing.assert_array_equal(z[2:, [0, 9]], ITEMS[2:, [0, 9]])
        np.testing.assert_array_equal(z.vindex[[1, 5], [2, 3]], ITEMS[[1, 5], [2, 3]])
        np.testing.assert_array_equal(z[mask], ITEMS[mask])
        np.testing.assert_array_equal(z.blocks[1, 0], ITEMS[4:, :3])
        z.oindex[[1, 5], 0] = 0
        z[[1, 5], [2, 3]] = np.array([70, 80], "i2")
        assert z[5, 3] == 80
    with pytest.raises(Stop):
        z.get_basic_selection(out=cpu.NDBuffer(np.empty((6, 10), "i4")))


@pytest.mark.parametrize(
    "selection",
    [(1, 2), (np.int64(1), 2), (1, 2, ...), (..., 1, 2), (slice(1, 2), 3), slice(3, 3), (-1, -1), (), ...],
    ids=str,
)
def test_results_are_of_the_same_types(selection: Any, z: Any, engine: None) -> None:
    with counted(native_reads=2):
        ours, basic = z[selection], z.get_basic_selection(selection)
    zchunk.zarr_pipeline.uninstall()
    for found, expected in ((ours, z[selection]), (basic, z.get_basic_selection(selection))):
        assert type(found) is type(expected)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("selection", [3, -1, (3,), (3, ...), np.int64(3), slice(3, 4), slice(4, 4)], ids=str)
def test_items_of_one_axis_are_of_the_same_types(selection: Any, store: Any, engine: None) -> None:
    z = zarr.create_array(store, shape=5, chunks=2, dtype="i4")
    z[...] = range(5)
    with counted(native_reads=1):
        found = z[selection]
    zchunk.zarr_pipeline.uninstall()
    expected = z[selection]
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "selection",
    [(6, 0), (0, 0, 0), (slice(None, None, -1), 0), "field", (None, 1), 1.5, (..., ...), ([9], [0])],
    ids=str,
)
def test_errors_are_zarrs(selection: Any, z: Any, engine: None) -> None:
    raised = []
    for _ in range(2):
        for call in (lambda: z[selection], lambda: z.__setitem__(selection, 1)):
            with pytest.raises(Exception) as error:
                call()
            raised.append((type(error.value), str(error.value)))
        zchunk.zarr_pipeline.uninstall()
    assert raised[:2] == raised[2:]
    np.testing.assert_array_equal(z[...], ITEMS)


def test_other_options_are_zarrs(z: Any) -> None:
    with counted(native_reads=1):
        z.get_orthogonal_selection((0, [1, 2]), fields=[], out=None)
    # No buffer, though it is as empty as no fields are.
    with counted(), pytest.raises(TypeError):
        z.get_basic_selection(..., out=[])
    # By the pipeline.
    with counted(native_reads=1):
        z.get_orthogonal_selection((0, [1, 2]), out=cpu.NDBuffer(np.empty(2, "i4")))


def test_values(z: Any, engine: None) -> None:
    with counted(native_writes=2):
        z[0] = 3
        z[1] = np.float64(2.7)
    assert (z[:2] == [[3], [2]]).all()
    # Lists are converted by zarr-python, and so are other arrays of it.
    z[2] = list(range(10))
    np.testing.assert_array_equal(z[2], np.arange(10))
    z[...] = z
    np.testing.assert_array_equal(z[1], [2] * 10)
    for value in (np.zeros(3), 2**40, "text", [[1, 2]]):
        with pytest.raises((ValueError, OverflowError, IndexError, TypeError)):
            z[1] = value


def test_arrays_with_other_pipelines(store: Any) -> None:
    z = zarr.create_array(store, shape=4, chunks=2, dtype="i4")
    with zchunk.zarr_pipeline.install(engine=True), counted():
        z[:] = 1
        assert (z[:] == 1).all()
