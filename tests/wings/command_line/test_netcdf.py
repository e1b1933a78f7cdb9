from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.wings.command_line.conftest import Run

h5netcdf = pytest.importorskip("h5netcdf")


def test_groups_variables_dimensions_attributes_and_chunks(here: Path, run: Run) -> None:
    zchunk.open("run.zarr")["u"].attrs["flags"] = {"a": None}
    assert run("export", "run.zarr", "run.nc").code == 0
    with h5netcdf.File("run.nc") as file:
        u = file.variables["u"]
        assert u.dimensions == ("time", "lat", "lon")
        assert u.chunks == (1, 3, 8)
        assert u.attrs["units"] == "m s-1"
        assert u.attrs["flags"] == '{"a": null}'
        assert file.attrs["title"] == "a run"
        assert np.array_equal(u[...], zchunk.open("run.zarr/u", mode="r")[...])
        assert file["sub"].variables["v"].dimensions == ("v_dim_0",)


@pytest.mark.parametrize(
    "values",
    [np.array([True, False]), np.array(["a", "üb"]), np.array([b"a", b"b"]), np.array(5.0), np.zeros((3, 0))],
)
def test_items_of_other_kinds(here: Path, run: Run, values: np.ndarray) -> None:
    zchunk.array(values, store="a.zarr")
    assert run("export", "a.zarr", "a.nc").code == 0
    with h5netcdf.File("a.nc") as file:
        assert file.variables["a"].shape == values.shape


@pytest.mark.parametrize(
    ("parameters", "fill"), [({}, 0), ({"fill_value": None}, None), ({"zarr_format": 3}, None)]
)
def test_the_fill_value_of_format_2_alone_stands_for_missing_items(
    here: Path, run: Run, parameters: dict[str, int | None], fill: float | None
) -> None:
    zchunk.create(3, dtype="f8", store="a.zarr", **parameters)[:] = [0, 1, 2]
    assert run("export", "a.zarr", "a.nc").code == 0
    with h5netcdf.File("a.nc") as file:
        assert file.variables["a"].attrs.get("_FillValue") == fill
        assert file.variables["a"][...].tolist() == [0, 1, 2]


def test_what_netcdf_does_not_have(here: Path, run: Run) -> None:
    group = zchunk.open_group("odd.zarr")
    for name, length in (("a", 3), ("b", 4)):
        group.create(name, shape=length, attributes={"_ARRAY_DIMENSIONS": ["x"]})
    assert "'x' has length" in run("export", "odd.zarr", "odd.nc").err
    zchunk.array([1j], store="c.zarr")
    assert "NetCDF does not have" in run("export", "c.zarr", "c.nc").err
