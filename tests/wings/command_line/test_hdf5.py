from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.wings.command_line.conftest import Run

h5py = pytest.importorskip("h5py")


@pytest.fixture
def file(here: Path) -> Path:
    with h5py.File("data.h5", "w") as file:
        file.attrs["title"] = "data"
        u = file.create_dataset("g/u", shape=(6, 8), chunks=(2, 4), dtype="f4", fillvalue=-1)
        u[:3] = np.arange(24).reshape(3, 8)
        u.attrs["units"] = b"m"
        u.attrs["range"] = np.array([0.5, 1.5])
        file.create_dataset("x", data=np.arange(8.0)).make_scale("x")
        u.dims[1].attach_scale(file["x"])
        u.dims[0].label = "y"
        file["texts"] = np.array(["a", "üb"], object)
        file["again"] = file["g"]
        file["soft"] = h5py.SoftLink("/g/u")
        file["flags"] = np.array([True, False])
        file["pair"] = np.array([(1, 2.0)], [("n", "i4"), ("x", "f8")])
    return here


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_attributes_dimensions_and_fill_values(file: Path, run: Run, version: int) -> None:
    done = run("import", "data.h5", "data.zarr", "--format", version)
    assert (done.code, done.err) == (0, "")
    group = zchunk.open("data.zarr", mode="r")
    u = group["g/u"] if "g" in group else group["again/u"]
    assert (u.chunks, u.fill_value, u.dtype, group.zarr_format) == ((2, 4), -1, np.dtype("f4"), version)
    assert (u.attrs["units"], u.attrs["range"]) == ("m", [0.5, 1.5])
    assert group.attrs["title"] == "data"
    names = u.attrs["_ARRAY_DIMENSIONS"] if version == 2 else [*u.dimension_names]
    assert names == ["y", "x"]
    assert (u[0, 3], u[5, 0]) == (3, -1)
    assert group["texts"][...].tolist() == ["a", "üb"]
    assert group["flags"].dtype == bool
    assert group["pair"][0]["x"] == 2
    # Each object once, and links by a path not at all.
    assert "soft" not in group
    assert len({"g", "again"} & set(group)) == 1


def test_one_dataset_or_group(file: Path, run: Run) -> None:
    assert run("import", "data.h5", "u.zarr", "--only", "/g/u", "--chunks=-1,2").code == 0
    u = zchunk.open("u.zarr", mode="r")
    assert (u.chunks, u.fill_value, u.attrs["units"]) == ((6, 2), -1, "m")
    assert run("import", "data.h5", "t.zarr", "--only", "texts").code == 0
    assert zchunk.open("t.zarr", mode="r")[...].tolist() == ["a", "üb"]
    assert run("import", "data.h5", "g.zarr", "--only", "g").code == 0
    assert [*zchunk.open("g.zarr", mode="r")] == ["u"]
    assert "did you mean 'texts'" in run("import", "data.h5", "n.zarr", "--only", "textz").err


def test_what_zarr_does_not_have_is_said_before_anything_is_written(file: Path, run: Run) -> None:
    with h5py.File("data.h5", "a") as opened:
        opened["ref"] = opened["x"].ref
        opened["empty"] = h5py.Empty("f4")
    done = run("import", "data.h5", "data.zarr")
    assert done.code == 2
    assert "--skip" in done.err
    assert not (file / "data.zarr").exists()
    assert run("import", "data.h5", "data.zarr", "--skip", "ref", "--skip", "/empty").code == 0


def test_groups_in_a_circle(here: Path, run: Run) -> None:
    with h5py.File("loop.h5", "w") as opened:
        opened["a/b/c"] = [1]
        opened["a/b/up"] = opened["a"]
    assert run("import", "loop.h5", "loop.zarr").code == 0
    assert "up" not in zchunk.open("loop.zarr", mode="r")["a/b"]


@pytest.mark.parametrize("version", [2, 3])
def test_netcdf_means_the_same_to_xarray(here: Path, run: Run, version: int) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    u = (("time", "x"), np.array([[1.0, np.nan, 0.0], [4, 5, 6]], "f4"), {"units": "m"})
    data = xarray.Dataset(
        {
            "u": u,
            "n": ("x", np.array([0, 1, 2], "i2")),
            "one": ((), 5.0, {"note": ""}),
        },
        coords={"time": np.array(["2020-01-01", "2020-01-02"], "M8[ns]")},
        attrs={"title": "test", "levels": [1, 2]},
    )
    encoding = {"u": {"_FillValue": -9.0, "chunksizes": (1, 3)}}
    data.to_netcdf("data.nc", engine="h5netcdf", encoding=encoding)
    assert run("import", "data.nc", "data.zarr", "--format", version).code == 0
    assert zchunk.open("data.zarr", mode="r")["u"].chunks == (1, 3)
    assert zchunk.open("data.zarr", mode="r")["u"].fill_value == -9
    with xarray.open_dataset("data.zarr", engine="zchunk") as found:
        xarray.testing.assert_identical(found.load(), data)
    # And back.
    assert run("export", "data.zarr", "back.nc").code == 0
    with xarray.open_dataset("back.nc", engine="h5netcdf") as found:
        xarray.testing.assert_equal(found.load(), data)


def test_dimensions_without_a_variable(here: Path, run: Run) -> None:
    h5netcdf = pytest.importorskip("h5netcdf")
    with h5netcdf.File("d.nc", "w") as opened:
        opened.dimensions = {"t": 4, "x": 3}
        opened.create_variable("u", ("t", "x"), "f4")[...] = 1
    assert run("import", "d.nc", "d.zarr").code == 0
    group = zchunk.open("d.zarr", mode="r")
    assert [*group] == ["u"]
    assert group["u"].attrs["_ARRAY_DIMENSIONS"] == ["t", "x"]
