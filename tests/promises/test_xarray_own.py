"""xarray's own tests of its Zarr engine, from its wheel, with zchunk in the place of zarr.

They call xarray's functions, which here go to zchunk; what they look at with zarr itself is a folder on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

xr = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")
pytest.importorskip("dask")
theirs = pytest.importorskip("xarray.tests.test_backends")
if tuple(map(int, xr.__version__.split(".")[:2])) < (2026, 9):
    pytest.skip("tests of an older xarray, made for an older zarr", allow_module_level=True)
common = pytest.importorskip("xarray.tests.conftest")
trees = pytest.importorskip("xarray.tests.test_backends_datatree")

from xarray.backends.common import BACKEND_ENTRYPOINTS  # noqa: E402
from xarray.backends.plugins import detect_parameters  # noqa: E402

import zchunk  # noqa: E402
from zchunk.xarray import WritableStore, ZchunkBackendEntrypoint, to_zarr  # noqa: E402

# Their fixtures, which pytest finds by the names here.
tmp_store = theirs.tmp_store
create_test_datatree, simple_datatree = common.create_test_datatree, common.simple_datatree
time_unit, use_dask = common.time_unit, common.use_dask
unaligned_datatree_zarr_factory = trees.unaligned_datatree_zarr_factory


@pytest.fixture(params=[pytest.param(2, marks=pytest.mark.slow), 3])
def default_zarr_format(request: pytest.FixtureRequest) -> Iterator[None]:
    """Theirs runs every test for both formats; by default it is format 3 here, and trees have both."""
    with zarr.config.set(default_zarr_format=request.param):
        yield


def _write(data: Any, store: Any = None, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
    with zchunk.config.set({"default_zarr_format": zarr.config.get("default_zarr_format")}):
        return to_zarr(data, store, mode, *args, **kwargs)


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("this is about zchunk")


class _Engine(ZchunkBackendEntrypoint):
    """Takes what xarray's engine takes besides."""

    open_dataset_parameters = (*detect_parameters(ZchunkBackendEntrypoint.open_dataset), "mode")

    def open_dataset(self, filename_or_obj: Any, *, mode: str = "r", **kwargs: Any) -> Any:
        assert mode == "r"
        # xarray's engine takes it and does nothing with it (2026.9), which its tests rely on.
        kwargs.pop("use_zarr_fill_value_as_mask", None)
        return super().open_dataset(filename_or_obj, **kwargs)


class _Store(WritableStore):
    @property
    def ds(self) -> Any:
        """xarray's name for the group."""
        return self.group


# What fails, and why that is as it should be.
_OTHERWISE = {
    "test_read_non_consolidated_warning": "no warning: opening without consolidated metadata is not slow",
    "test_to_zarr_not_consolidated[": "no warning: opening without consolidated metadata is not slow",
    "test_cache_members[": "about an option of xarray's ZarrStore",
    "test_avoid_excess_metadata_calls[": "counts calls of zarr's Group.getitem",
    "test_compressor_encoding[3]": "codecs of format 3 are JSON in encodings, not objects of zarr's",
    "test_to_zarr_compute_false[zarr_format=2]": "without a fill value zeros are stored",
    "test_zarr_encoding[zarr_format=3]": "codecs of format 3 are JSON in encodings, not objects of zarr's",
}


@pytest.fixture(autouse=True)
def zchunk_for_zarr(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let xarray's functions for Zarr use zchunk."""
    for mark in request.node.iter_markers("skip_if_param"):
        given = dict(mark.kwargs)
        reason, condition = given.pop("reason"), given.pop("condition", True)
        params = request.node.callspec.params
        if condition and all(params.get(name) == value for name, value in given.items()):
            pytest.skip(reason)
    for name, why in _OTHERWISE.items():
        if request.node.name.startswith(name):
            request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    # Keeps what it finds: the real ones.
    xr.backends.list_engines()
    monkeypatch.setitem(BACKEND_ENTRYPOINTS, "zarr", ("zarr", _Engine))
    monkeypatch.setattr("xarray.backends.writers.to_zarr", _write)
    monkeypatch.setattr("xarray.backends.writers._datatree_to_zarr", _write)
    monkeypatch.setattr("xarray.backends.zarr.ZarrStore.__init__", _refuse)


class TestDirectory(theirs.TestZarrWriteEmpty):
    """`ZarrBase`, on a folder."""

    @contextlib.contextmanager
    def create_store(self, cache_members: bool = False) -> Iterator[_Store]:
        with self.create_zarr_target() as target:
            version = zarr.config.get("default_zarr_format")
            yield _Store(zchunk.open_group(target, "w", zarr_format=version), "w")

    def test_load_async(self) -> None:
        asyncio.run(super().test_load_async())


@pytest.mark.slow
class TestRegionAuto(theirs.TestZarrRegionAuto):
    pass


class TestDataArray(theirs.TestDataArrayToZarr):
    pass


@pytest.mark.slow
class TestTree(trees.TestZarrDatatreeIO):
    pass
