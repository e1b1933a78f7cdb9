"""The examples run, and they notice when data is not what it should be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import zchunk

for package in ("h5netcdf", "h5py", "hvsampledata", "iris_sample_data"):
    pytest.importorskip(package)

SIMULATION = Path(__file__).parent.parent / "examples" / "simulation.py"
SMALL = ["--size", "20", "--steps", "12", "--every", "3"]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SIMULATION, *args], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def simulation() -> Any:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("simulation", SIMULATION)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulation"] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["simulation"]


def test_simulation(tmp_path: Path) -> None:
    out = tmp_path / "run.zarr"
    done = run(*SMALL, "--out", str(out), "--keep")
    assert done.returncode == 0, done.stderr
    assert "Everything verified" in done.stdout
    assert "time series at a point" in done.stdout

    root = zchunk.open(str(out), mode="r")
    assert root["u"].shape == root["v"].shape == (5, 20, 20, 20)
    assert root["step"][...].tolist() == [0, 3, 6, 9, 12]
    assert root["u"].attrs["_ARRAY_DIMENSIONS"] == ["time", "z", "y", "x"]
    assert root.attrs["last"] == {"step": 12, "time": 24.0}
    assert root["imported/ocean/tos"].shape == (3, 330, 360)
    assert root["imported/ocean/tos"].attrs["units"] == "degree_C"


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
