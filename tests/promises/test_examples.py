"""The examples run, and they notice when data is not what it should be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT

for package in ("h5netcdf", "h5py", "hvsampledata", "iris_sample_data"):
    pytest.importorskip(package)

EXAMPLES = ROOT / "examples"
SIMULATION = EXAMPLES / "simulation.py"
SMALL = ["--size", "20", "--steps", "12", "--every", "3"]


def run(*args: str, example: Path = SIMULATION) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, example, *args], capture_output=True, text=True, timeout=300)


def module_of(name: str) -> Iterator[ModuleType]:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture(scope="module")
def simulation() -> Iterator[ModuleType]:
    yield from module_of("simulation")


@pytest.fixture(scope="module")
def map_example() -> Iterator[ModuleType]:
    for package in ("dask", "xarray", "matplotlib", "hvplot"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    yield from module_of("map")


@pytest.mark.parametrize("version", [pytest.param("0.4", marks=pytest.mark.slow), "0.5"])
def test_ome_zarr(tmp_path: Path, version: str) -> None:
    done = run("--out", str(tmp_path), "--version", version, "--size", "64", example=EXAMPLES / "ome_zarr.py")
    assert done.returncode == 0, done.stderr
    assert f"OME-Zarr {version}" in done.stdout
    image = zchunk.open_group(tmp_path / "image.zarr", mode="r")
    metadata = image.attrs["ome"] if version == "0.5" else image.attrs
    assert [level["path"] for level in metadata["multiscales"][0]["datasets"]] == ["0", "1", "2"]
    assert image["labels/cells/0"].shape == (64, 64)


def test_simulation(tmp_path: Path) -> None:
    out = tmp_path / "run.zarr"
    done = run(*SMALL, "--out", str(out), "--keep")
    assert done.returncode == 0, done.stderr
    assert "Everything verified" in done.stdout
    assert "time series at a point" in done.stdout
    assert "one killed at step 6" in done.stdout
    assert "Their 7 frames and the last state have the bits of a run that was never stopped" in done.stdout

    root = zchunk.open(str(out), mode="r")
    assert root["u"].shape == root["v"].shape == (5, 20, 20, 20)
    assert root["step"][...].tolist() == [0, 3, 6, 9, 12]
    assert root["u"].attrs["_ARRAY_DIMENSIONS"] == ["time", "z", "y", "x"]
    assert root.attrs["last"] == {"step": 12, "time": 24.0}
    assert root["imported/ocean/tos"].shape == (3, 330, 360)
    assert root["imported/ocean/tos"].attrs["units"] == "degree_C"


@pytest.mark.slow
def test_simulation_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "run.zarr"
    assert run(*SMALL, "--out", str(out)).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_simulation_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    done = run(*SMALL, "--out", str(tmp_path))
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert (tmp_path / "precious").read_text() == "data"


def test_a_wrong_value_is_noticed(simulation: ModuleType, tmp_path: Path) -> None:
    done = simulation.simulate(tmp_path, tmp_path / "run.zarr", 12, 6, 2, simulation.Parameters())
    assert simulation.verify(done) == 2 * 4 * 12**3
    assert simulation.restart(done) == (0, 6)

    u = zchunk.open(str(done.store), mode="r+")["u"]
    u[2, 3, 4, 5] = np.nextafter(u[2, 3, 4, 5], np.float32(9))
    for notice in (simulation.verify, simulation.restart, lambda r: simulation.read_back(r, 12)):
        with pytest.raises(simulation.MismatchError):
            notice(done)


def test_a_wrong_import_is_noticed(simulation: ModuleType, tmp_path: Path) -> None:
    sources = dict(simulation.sources())
    group = zchunk.open_group(str(tmp_path / "air.zarr"), mode="w")
    simulation.import_netcdf(group, sources["air"])
    assert simulation.verify_netcdf(group, sources["air"]) > 20 * 25 * 53
    group["lat"].attrs["units"] = "furlongs"
    with pytest.raises(simulation.MismatchError, match="units"):
        simulation.verify_netcdf(group, sources["air"])
    group["lat"].attrs["units"] = "degrees_north"
    group["air"][0, 0, 0] += 1
    with pytest.raises(simulation.MismatchError, match="air"):
        simulation.verify_netcdf(group, sources["air"])


def test_a_run_that_differs_after_a_kill_is_noticed(
    simulation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_one(count: int, folder: Path, *args: Any) -> list[int]:
        """One process in place of some; the first time it changes a value as it is killed."""
        simulation.evolve(simulation.process_communicators(1)[0], folder, *args[:3])
        if count == 3:
            zchunk.open_group(folder / "fields.zarr", mode="r+")["u"][1, 2, 3, 4] = 5
            return [3, 3, -9]
        return [0, 0]

    monkeypatch.setattr(simulation, "on_processes", on_one)
    with pytest.raises(simulation.MismatchError, match="u of the run that was killed"):
        simulation.kill_and_go_on(tmp_path, 8, 6, 2)


def test_training_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    done = run("--check", "--steps", "60", "--every", "20", example=EXAMPLES / "training.py")
    assert done.returncode == 0, done.stderr
    assert "stopped at step 31" in done.stdout
    assert "goes on from step 31" in done.stdout
    assert "the same bits" in done.stdout
    out = tmp_path / "run.ckpt"
    for steps, said in (("20", "ended at step 20"), ("40", "goes on from step 20")):
        done = run("--steps", steps, "--every", "20", "--out", str(out), example=EXAMPLES / "training.py")
        assert said in done.stdout, done.stderr
    group = zchunk.open_group(out / "00000040", mode="r")
    assert group["params/hidden/weight"].shape == (1, 32)


@pytest.mark.slow
def test_map(map_example: ModuleType, tmp_path: Path) -> None:
    done = run("--out", str(tmp_path), "--time", "2014-02-25T05", example=EXAMPLES / "map.py")
    assert done.returncode == 0, done.stderr
    assert "2014-02-25T06 UTC" in done.stdout

    from matplotlib.image import imread

    picture = imread(tmp_path / "map.png")
    height, width = picture.shape[:2]
    # Blue in the Arctic, red in the tropics.
    north, south = (picture[int(height * at), width // 10 : width * 8 // 10] for at in (0.15, 0.85))
    assert (north[:, 2] > north[:, 0]).mean() > 0.8
    assert (south[:, 0] > south[:, 2]).mean() > 0.8

    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "2014-02-25T06 UTC" in page
    assert r"air temperature [\u00b0C]" in page
    assert "<script src" not in page  # needs no network


@pytest.mark.slow
def test_a_map_reads_nothing_but_its_time(map_example: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "air.zarr"
    map_example.write(path)
    with map_example.xr.open_dataset(map_example.DATA / "air_temperature_small.nc", engine="h5netcdf") as ds:
        wanted = ds.air.values - 273.15
    for chunk in (path / "air").glob("[0-9]*"):
        if chunk.name != "7.0.0":
            chunk.write_bytes(b"damaged")
    air = map_example.open_celsius(path)
    np.testing.assert_array_equal(air[7].values, wanted[7])
    map_example.draw_picture(air[7], tmp_path / "map.png")
    map_example.draw_page(air[7], tmp_path / "map.html")
    with pytest.raises(zchunk.errors.ChunkError):
        map_example.draw_page(air[8], tmp_path / "map.html")
