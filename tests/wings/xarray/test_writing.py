"""xarray's data sets through zchunk: writing, and both ways between zchunk and zarr."""

from __future__ import annotations

import importlib.resources
import json
import os
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


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1")
@FORMATS
@pytest.mark.parametrize("chunks", [None, 2])
def test_text_of_numpy_2(version: int, chunks: int | None) -> None:
    words = np.array(["a", "", "größer"], dtype=np.dtypes.StringDType())
    ds = xr.Dataset({"words": ("x", words)})
    found = (ds if chunks is None else ds.chunk(chunks)).zchunk.to_zarr(zarr_format=version)
    assert opened(found.group).words.values.tolist() == words.tolist()


def test_attribute_fill_values_of_others() -> None:
    root = zchunk.group(zarr_format=3)
    for name, dtype, value in (("a", "f4", -1.0), ("b", "i2", 3), ("c", "f8", "AAAAAAAA+H8=")):
        root.create(name, shape=3, dtype=dtype, dimension_names=["x"], attributes={"_FillValue": value})
    ds = xr.open_dataset(root, mask_and_scale=False)
    assert ds.a.attrs["_FillValue"] == -1
    assert ds.b.attrs["_FillValue"] == 3
    assert np.isnan(ds.c.attrs["_FillValue"])
    for bad in ("AA", {}, [], "not base 64", None):
        root["c"].attrs["_FillValue"] = bad
        with pytest.raises(zchunk.MetadataError, match="'/c'"):
            xr.open_dataset(zchunk.open_group(root.store))


# ---- modes


def steps(*numbers: int) -> Any:
    values = np.array(numbers)
    return xr.Dataset(
        {"a": (("t", "x"), values[:, None] * 10 + np.arange(4)), "fixed": ("x", np.arange(4) * numbers[0])},
        coords={"t": values, "x": np.arange(4)},
    )


@FORMATS
def test_modes(version: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"

    def write(ds: Any, mode: str | None = None, **kwargs: Any) -> None:
        ds.zchunk.to_zarr(path, mode, zarr_format=version, **kwargs)

    write(steps(1, 2))
    with pytest.raises(FileExistsError):
        write(steps(1, 2))
    xr.testing.assert_identical(opened(path), steps(1, 2))
    write(steps(5, 6).a.to_dataset(name="b").drop_vars(["t", "x"]), "a")
    assert set(opened(path)) == {"a", "b", "fixed"}
    write(steps(3, 4), "w")
    xr.testing.assert_identical(opened(path), steps(3, 4))
    write(steps(7, 8), append_dim="t")
    xr.testing.assert_identical(opened(path).a, steps(3, 4, 7, 8).a)
    assert opened(path).fixed.values.tolist() == [0, 7, 14, 21]
    write(steps(9), "a-", append_dim="t")
    xr.testing.assert_identical(opened(path).a, steps(3, 4, 7, 8, 9).a)
    assert opened(path).fixed.values.tolist() == [0, 7, 14, 21]
    xr.testing.assert_identical(xr.open_zarr(path).load(), opened(path))
    with pytest.raises(ValueError, match="non-pre-existing"):
        write(xr.Dataset({"new": 1}), "r+")
    with pytest.raises(ValueError, match="different dimension sizes"):
        write(steps(1, 2), "a")
    with pytest.raises(ValueError, match="encoding was provided"):
        write(steps(1), append_dim="t", encoding={"a": {"chunks": (1, 1)}})
    with pytest.raises(FileNotFoundError):
        xr.Dataset({"new": 1}).zchunk.to_zarr(tmp_path / "none.zarr", "r+")
    assert not (tmp_path / "none.zarr").exists()


@FORMATS
def test_regions(version: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    whole = steps(*range(8)).drop_vars("fixed")
    whole.chunk(t=3, x=4).zchunk.to_zarr(path, zarr_format=version, compute=False)
    assert (opened(path).a == 0).all()
    for t in (slice(3, 6), slice(0, 3), slice(6, 8)):
        part = whole.isel(t=t)
        if t.start == 3:
            part.drop_vars(["t", "x"]).zchunk.to_zarr(path, region={"t": t})
        elif t.start == 0:
            part.zchunk.to_zarr(path, region={"t": "auto", "x": slice(None)})
        else:
            part.chunk().zchunk.to_zarr(path, region="auto")
    xr.testing.assert_identical(opened(path), whole)
    for region, error in (
        ({"t": slice(0, 8, 2)}, ValueError),
        ({"u": slice(0, 8)}, ValueError),
        ({"t": 3}, TypeError),
        ([], TypeError),
        ({"t": slice(0, 4)}, ValueError),
    ):
        with pytest.raises(error):
            whole.drop_vars("x").zchunk.to_zarr(path, region=region)
    with pytest.raises(KeyError):
        steps(100).drop_vars("fixed").zchunk.to_zarr(path, region="auto")
    with pytest.raises(ValueError, match="non-contiguous"):
        whole.isel(t=[0, 2]).zchunk.to_zarr(path, region="auto")
    xr.testing.assert_identical(opened(path), whole)


def test_compute_false_writes_later(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    ds = steps(1, 2, 3).chunk(t=1)
    later = ds.zchunk.to_zarr(path, compute=False)
    assert (opened(path).a == 0).all()
    xr.testing.assert_identical(opened(path).t, ds.t)
    later.compute()
    xr.testing.assert_identical(opened(path), ds.compute())


def test_chunks_of_nothing_but_the_fill_value(tmp_path: Path) -> None:
    ds = xr.Dataset({"a": ("x", np.array([np.nan, np.nan, 1, 2]))})
    encoding = {"a": {"chunks": (2,)}}
    for wanted, count in ((None, 1), (False, 1), (True, 2)):
        found = ds.zchunk.to_zarr(tmp_path, "w", encoding=encoding, write_empty_chunks=wanted)
        assert found.group["a"].nchunks_initialized == count
    (ds * np.nan).zchunk.to_zarr(tmp_path, "r+", write_empty_chunks=False)
    assert found.group["a"].nchunks_initialized == 0


@pytest.mark.parametrize("kind", ["zip", "url", "dict", "group", "memory"])
def test_where_it_can_be_written(kind: str, tmp_path: Path) -> None:
    source: Any = {"zip": tmp_path / "x.zip", "url": "memory://zchunk-xarray", "dict": {}}.get(kind)
    if kind == "url":
        pytest.importorskip("fsspec")
    if kind == "group":
        source = zchunk.open_group(tmp_path / "y.zarr").create_group("below")
    found = sample().zchunk.to_zarr(source, "w", group=None if kind == "group" else "deep/er")
    if kind == "group":
        assert found.group.path == "below"
        xr.testing.assert_identical(opened(tmp_path / "y.zarr", group="below", consolidated=True), sample())
        with pytest.raises(PermissionError):
            sample().zchunk.to_zarr(zchunk.open_group(tmp_path / "y.zarr", "r"), "w")
    else:
        where = (found.group, None) if source is None else (source, "deep/er")
        xr.testing.assert_identical(opened(where[0], group=where[1]), sample())


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


def test_attributes_without_json() -> None:
    for ds in (xr.Dataset(attrs={"bad": object()}), xr.Dataset({"a": ("x", [1], {"bad": object()})})):
        with pytest.raises(TypeError, match="Invalid attribute"):
            ds.zchunk.to_zarr()


def test_path_tokens_change_with_a_region(tmp_path: Path) -> None:
    ds = steps(1, 2)[["a"]].drop_vars(["t", "x"])
    ds.zchunk.to_zarr(tmp_path)
    os.utime(tmp_path, (1, 1))
    name = xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name
    assert name == xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name
    ds.zchunk.to_zarr(tmp_path, region={"t": slice(0, 2)})
    assert name != xr.open_dataset(tmp_path, engine="zchunk", chunks={}).a.data.name


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
        zchunk.convenience.consolidation, "consolidate_metadata", lambda *a, **k: calls.append(a) or
        consolidate(*a, **k)
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
