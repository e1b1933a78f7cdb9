"""xarray's data sets through zchunk: writing, and both ways between zchunk and zarr."""

from __future__ import annotations

import importlib.resources
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.xarray.test_backend import FORMATS, pytestmark, sample, xr

da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

__all__ = ["pytestmark"]

REAL = {
    "air": ("hvsampledata", "_data/air_temperature_small.nc"),
    "ocean": ("iris_sample_data", "sample_data/NEMO/nemo_1m_20150101-20150201_grid-T.nc"),
    "hybrid height": ("iris_sample_data", "sample_data/hybrid_height.nc"),
    "calendar of 360 days": ("iris_sample_data", "sample_data/A1B_north_america.nc"),
    "masked": ("iris_sample_data", "sample_data/atlantic_profiles.nc"),
    "text": ("iris_sample_data", "sample_data/vlstr_type.nc"),
}


def opened(source: Any, **kwargs: Any) -> Any:
    """The data set in a store, in memory."""
    with xr.open_dataset(source, engine="zchunk", **kwargs) as ds:
        return ds.load()


def raw(path: Any, engine: str) -> Any:
    with xr.open_dataset(path, engine=engine, decode_cf=False) as ds:
        return ds.load()


# ---- between the engines


@FORMATS
def test_round_trip(version: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    found = sample().zchunk.to_zarr(path, zarr_format=version)
    assert found.group["air"].zarr_format == version
    xr.testing.assert_identical(opened(path), sample())
    xr.testing.assert_identical(xr.open_zarr(path).load(), sample())
    assert opened(path).packed.encoding["dtype"] == "i2"


@FORMATS
def test_zarr_writes_again_what_zchunk_opened_and_the_other_way_round(version: int, tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{n}.zarr" for n in range(3))
    ds = sample()
    encoding: dict[str, Any] = {"air": {"chunks": (2, 5, 3)}, "packed": dict(ds.packed.encoding)}
    if version == 2:
        encoding["air"] |= {"compressors": numcodecs.Zstd(3), "filters": [numcodecs.Shuffle(4)]}
    else:
        encoding["air"] |= {
            "shards": (4, 5, 6),
            "compressors": [{"name": "zstd", "configuration": {"level": 3, "checksum": True}}],
            "serializer": {"name": "bytes", "configuration": {"endian": "big"}},
        }
    ds.zchunk.to_zarr(one, zarr_format=version, encoding=encoding)
    xr.open_dataset(one, engine="zchunk").to_zarr(two, zarr_format=version)
    xr.open_zarr(two, chunks=None).zchunk.to_zarr(three, zarr_format=version)
    for path in (one, two, three):
        xr.testing.assert_identical(opened(path), ds)
        xr.testing.assert_identical(xr.open_zarr(path).load(), ds)
        xr.testing.assert_identical(raw(path, "zchunk"), raw(path, "zarr"))
    first, *others = ([*_described(path)] for path in (one, two, three))
    assert first == others[0] == others[1]


def _described(path: Path) -> Any:
    root = zchunk.open_group(path, "r")
    for name, array in root.arrays():
        codecs = [codec.get_config() for codec in array.metadata.innermost.codecs]
        yield name, array.dtype, array.chunks, array.shards, codecs, array.serializer
        # xarray writes times in units either way.
        yield str(array.fill_value), {k: str(v).replace("T", " ") for k, v in array.attrs.items()}


@FORMATS
def test_what_zarr_wrote_for_the_other_format(version: int, tmp_path: Path) -> None:
    sample().to_zarr(tmp_path / "a.zarr", zarr_format=5 - version)
    with xr.open_zarr(tmp_path / "a.zarr") as ds:
        found = ds.zchunk.to_zarr(zarr_format=version)
    assert found.group.zarr_format == version
    xr.testing.assert_identical(opened(found.group), sample())


@pytest.mark.parametrize("name", REAL)
@FORMATS
def test_real_data(name: str, version: int, tmp_path: Path) -> None:
    package, file = REAL[name]
    pytest.importorskip("h5netcdf")
    pytest.importorskip(package)
    with xr.open_dataset(importlib.resources.files(package) / file, engine="h5netcdf") as source:
        ds = source.load()
    one, two = tmp_path / "a.zarr", tmp_path / "b.zarr"
    ds.zchunk.to_zarr(one, zarr_format=version)
    xr.testing.assert_identical(opened(one), ds)
    xr.testing.assert_identical(xr.open_zarr(one).load(), ds)
    ds.to_zarr(two, zarr_format=version)
    xr.testing.assert_identical(opened(two), ds)
    xr.testing.assert_identical(raw(one, "zarr"), raw(two, "zarr"))
    xr.testing.assert_identical(raw(one, "zchunk"), raw(two, "zchunk"))


# ---- modes


def steps(*numbers: int) -> Any:
    values = np.array(numbers)
    return xr.Dataset(
        {"a": (("t", "x"), values[:, None] * 10 + np.arange(4)), "fixed": ("x", np.arange(4) * numbers[0])},
        coords={"t": values, "x": np.arange(4)},
    )


def test_compute_false_writes_later(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    ds = steps(1, 2, 3).chunk(t=1)
    later = ds.zchunk.to_zarr(path, compute=False)
    assert (opened(path).a == 0).all()
    xr.testing.assert_identical(opened(path).t, ds.t)
    later.compute()
    xr.testing.assert_identical(opened(path), ds.compute())


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ds = steps(*range(6)).chunk(t=2)
    ds.zchunk.to_zarr(tmp_path / "a.zarr", progress=lambda done, total: seen.append((done, total)))
    total = 6 * 4 + 4 + 6 + 4
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    assert len(seen) > 5
    with pytest.raises(ValueError, match="compute"):
        ds.zchunk.to_zarr(tmp_path / "b.zarr", compute=False, progress=print)


# ---- trees


@FORMATS
def test_trees(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = xr.DataTree.from_dict(
        {
            "/": steps(1, 2),
            "/g": xr.Dataset({"in_g": (("t", "x"), np.ones((2, 4)))}),
            "/g/b": xr.Dataset({"in_b": ("y", da.arange(6, chunks=2))}, attrs={"n": 1}),
            "/c": xr.Dataset(),
        }
    )
    calls = []
    consolidate = zchunk.convenience.consolidation.consolidate_metadata
    monkeypatch.setattr(
        zchunk.convenience.consolidation,
        "consolidate_metadata",
        lambda *a, **k: calls.append(a) or consolidate(*a, **k),
    )
    path = tmp_path / "x.zarr"
    found = tree.zchunk.to_zarr(path, zarr_format=version, encoding={"/g": {"in_g": {"chunks": (1, 2)}}})
    assert len(calls) == 1
    assert found.group["g/in_g"].chunks == (1, 2)
    for engine in ("zchunk", "zarr"):
        with xr.open_datatree(path, engine=engine) as again:
            xr.testing.assert_identical(again.load(), tree.load())
    key = ".zmetadata" if version == 2 else "zarr.json"
    held = json.loads((path / key).read_text())
    held = held["metadata"] if version == 2 else held["consolidated_metadata"]["metadata"]
    assert any(name.startswith("g/b") for name in held)
    with pytest.raises(FileExistsError):
        tree.zchunk.to_zarr(path)
    with pytest.raises(ValueError, match="nowhere"):
        tree.zchunk.to_zarr(path, "w", encoding={"/nowhere": {}})
    with pytest.raises(NotImplementedError):
        tree.zchunk.to_zarr(path, "a", append_dim="t")
    inherited = tree.zchunk.to_zarr(write_inherited_coords=True)
    assert "t" in inherited.group["g"]


# ---- without zarr


def test_zarr_is_not_needed(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["zarr"] = None
import numpy as np, xarray as xr, zchunk.xarray
for version in (2, 3):
    path = f"{sys.argv[1]}/{version}.zarr"
    ds = xr.Dataset({"a": (("t", "x"), np.arange(6.0).reshape(2, 3)), "s": ("x", ["a", "bc", ""])})
    ds.chunk(t=1).zchunk.to_zarr(path, zarr_format=version)
    ds.zchunk.to_zarr(path, append_dim="t")
    with xr.open_dataset(path, chunks={}) as found:  # guessed
        xr.testing.assert_identical(found.load(), xr.concat([ds, ds], "t", data_vars="minimal"))
    xr.DataTree(ds).zchunk.to_zarr(path, "w", zarr_format=version)
    with xr.open_datatree(path, engine="zchunk") as tree:
        xr.testing.assert_identical(tree.to_dataset().load(), ds)
print([name for name in sys.modules if name.split(".")[0] == "zarr"])
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "['zarr']", done.stderr
    # The engine is there without an import. Not in the folder of the source, where an old list may lie.
    code = "import sys, xarray as xr; print(list(xr.open_dataset(sys.argv[1], engine='zchunk')))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "2.zarr"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == "['a', 's']", done.stderr
