"""xarray's own tests of its Zarr engine, from its wheel, with zchunk in the place of zarr.

They call xarray's functions, which here go to zchunk; what they look at with zarr itself is a folder on disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

xr = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")
pytest.importorskip("dask")
theirs = pytest.importorskip("xarray.tests.test_backends")
trees = pytest.importorskip("xarray.tests.test_backends_datatree")

from zchunk.xarray import ZchunkBackendEntrypoint, to_zarr  # noqa: E402

default_zarr_format = theirs.default_zarr_format


def _write(data: Any, store: Any = None, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
    if kwargs.get("zarr_format") is None:
        kwargs["zarr_format"] = zarr.config.get("default_zarr_format")
    return to_zarr(data, store, mode, *args, **kwargs)


class _Engine(ZchunkBackendEntrypoint):
    """Takes what xarray's engine takes besides."""

    open_dataset_parameters = xr.backends.list_engines()["zarr"].open_dataset_parameters

    def open_dataset(self, source: Any, *, mode: str = "r", store: Any = None, **kwargs: Any) -> Any:
        assert mode == "r"
        assert store is None
        return super().open_dataset(source, **kwargs)


@pytest.fixture(autouse=True)
def zchunk_for_zarr(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let xarray's functions for Zarr use zchunk."""
    for mark in request.node.iter_markers("skip_if_param"):
        given = dict(mark.kwargs)
        reason, condition = given.pop("reason"), given.pop("condition", True)
        params = request.node.callspec.params
        if condition and all(params.get(name) == value for name, value in given.items()):
            pytest.skip(reason)
    monkeypatch.setitem(xr.backends.list_engines(), "zarr", _Engine())
    monkeypatch.setattr("xarray.backends.writers.to_zarr", _write)
    monkeypatch.setattr("xarray.backends.writers._datatree_to_zarr", _write)


class TestDirectory(theirs.TestZarrDirectoryStore):
    pass


class TestWriteEmpty(theirs.TestZarrWriteEmpty):
    pass


class TestRegionAuto(theirs.TestZarrRegionAuto):
    pass


class TestDataArray(theirs.TestDataArrayToZarr):
    pass


class TestTree(trees.TestZarrDatatreeIO):
    pass
