"""xarray's data sets through zchunk: reading."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT

xr = pytest.importorskip("xarray")
dask = pytest.importorskip("dask")

from tests.spec.test_rectilinear_grid import stored  # noqa: E402
from zchunk.wings.xarray.arrays import LazyArray  # noqa: E402
from zchunk.xarray import to_zarr  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    # zarr's, about format 3.
    "ignore:.*does not have a Zarr V3 specification",
    "ignore:Consolidated metadata is currently not part",
)
FORMATS = pytest.mark.parametrize("version", [2, 3], ids=["v2", "v3"])


def sample(**more: Any) -> Any:
    """A data set with one variable of every kind that CF and Zarr have."""
    rng = np.random.default_rng(7)
    times = np.datetime64("2001-02-03T04:00", "ns") + np.arange(6) * np.timedelta64(1, "h")
    air = xr.DataArray(
        rng.random((6, 5, 4)).round(3).astype("f4"), dims=("time", "y", "x"), attrs={"units": "K", "n": 3}
    )
    air[2, 3, 1] = np.nan
    packed = xr.DataArray(np.arange(20.0).reshape(5, 4) / 4 - 1, dims=("y", "x"))
    packed[1, 1] = np.nan
    packed.encoding = {"dtype": "i2", "scale_factor": 0.25, "add_offset": -1.0, "_FillValue": -999}
    return xr.Dataset(
        {
            "air": air,
            "packed": packed,
            "flag": ("y", np.arange(5) % 2 == 0),
            "text": ("x", np.array(["a", "", "größer", "日本"], dtype=object)),
            "fixed": ("x", np.array(["ab", "c", "", "defg"])),
            "bytes": ("x", np.array([b"ab", b"c", b"", b"defg"])),
            "lag": ("time", np.arange(6) * np.timedelta64(90, "s").astype("m8[ns]")),
            "scalar": ((), np.int32(-7)),
            "empty": (("none", "y"), np.zeros((0, 5))),
            "z": ("y", np.arange(5) * (1 + 2j)),
        },
        coords={"time": times, "x": np.arange(4) * 10, "label": ("y", list("vwxyz"))},
        attrs={"title": "a sample", "levels": [1, 2.5]},
    )


@pytest.fixture(scope="module", params=[2, 3], ids=["v2", "v3"])
def by_zarr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, written by xarray with zarr."""
    pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("xarray") / "sample.zarr"
    sample().to_zarr(path, zarr_format=request.param, consolidated=True)
    return path


# ---- reading


def test_reads_what_xarray_wrote_with_zarr(by_zarr: Path) -> None:
    with xr.open_dataset(by_zarr, engine="zchunk") as ds, xr.open_zarr(by_zarr) as expected:
        xr.testing.assert_identical(ds.load(), expected.load())
        xr.testing.assert_identical(ds, sample())
        assert ds.packed.encoding["scale_factor"] == 0.25
        assert ds.air.encoding["chunks"] == expected.air.encoding["chunks"]
        assert ds.air.encoding["preferred_chunks"] == expected.air.encoding["preferred_chunks"]


@pytest.mark.parametrize("inner", [None, (1, 2)])
def test_rectilinear_grids_are_read_and_written_but_not_made(inner: Any) -> None:
    items = np.arange(60).reshape(10, 6)
    store = stored(items, ([1, 2, 3, 4], 4), inner=inner)
    zchunk.group(below := zchunk.MemoryStore(), zarr_format=3)
    for key, value in store.items():
        below[f"a/{key}"] = value
    document = json.loads(below["a/zarr.json"])
    below["a/zarr.json"] = json.dumps(document | {"dimension_names": ["y", "x"]}).encode()
    ds = xr.open_dataset(below, engine="zchunk", chunks={})
    assert ds.a.chunks == ((1, 2, 3, 4), (4, 2))
    np.testing.assert_array_equal(ds.a, items)
    with pytest.raises(TypeError, match="rectilinear"):
        to_zarr(ds, zarr_format=3)
    with pytest.raises(TypeError, match=r"compute it first, or use zchunk\.dask\.store"):
        to_zarr((ds.compute() + 1).chunk({"y": 3}), below, "r+")
    to_zarr((ds + 1).compute(), below, "r+")
    np.testing.assert_array_equal(zchunk.open(below)["a"][...], items + 1)


def test_engine_is_guessed_where_zarr_does_not_want_it(by_zarr: Path, tmp_path: Path) -> None:
    engine = xr.backends.list_engines()["zchunk"]
    assert engine.guess_can_open(by_zarr)
    assert engine.guess_can_open(str(by_zarr) + "/")
    assert not engine.guess_can_open("x.nc")
    assert not engine.guess_can_open(b"CDF")
    assert not engine.guess_can_open({})
    with zchunk.ZipStore(tmp_path / "x.zarr.zip", mode="w") as archive:
        zchunk.copy_store(zchunk.DirectoryStore(by_zarr), archive)
    with xr.open_dataset(tmp_path / "x.zarr.zip") as ds:
        xr.testing.assert_identical(ds.load(), sample())
    xr.testing.assert_identical(xr.open_dataset(zchunk.open_group(by_zarr, "r")).load(), sample())


@pytest.mark.parametrize("kind", ["dict", "store", "group", "url", "zip"])
def test_what_can_be_opened(by_zarr: Path, kind: str, tmp_path: Path) -> None:
    source: Any
    store = zchunk.DirectoryStore(by_zarr)
    if kind == "dict":
        source = dict(store)
    elif kind == "store":
        source = store
    elif kind == "group":
        source = zchunk.open_group(store, "r")
    elif kind == "zip":
        source = tmp_path / "x.zip"
        with zchunk.ZipStore(source, mode="w") as archive:
            zchunk.copy_store(store, archive)
    else:
        pytest.importorskip("fsspec")
        source = "memory://xarray-sample"
        with zchunk.FSStore(source) as memory:
            zchunk.copy_store(store, memory)
    with xr.open_dataset(source, engine="zchunk", chunks={}) as ds:
        xr.testing.assert_identical(ds.load(), sample())


def test_a_group_and_parameters_of_the_engine(by_zarr: Path) -> None:
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(by_zarr, engine="zchunk", group="nothing")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(by_zarr, engine="zchunk", group="air")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(by_zarr.parent / "nothing.zarr", engine="zchunk")
    raw = xr.open_dataset(
        by_zarr, engine="zchunk", decode_cf=False, consolidated=True, drop_variables=["air", "z"]
    )
    assert raw.packed.dtype == "i2"
    assert raw.time.dtype.kind == "i"
    assert not {"air", "z"} & set(raw.variables)
    assert "label" not in raw.coords


def test_codecs_that_are_not_known_and_that_run_code(tmp_path: Path) -> None:
    root = zchunk.group(zarr_format=2)
    for name in ("a", "b"):
        root.create(name, shape=2, attributes={"_ARRAY_DIMENSIONS": ["x"]})
    document = json.loads(root.store["a/.zarray"])
    document |= {"compressor": None, "filters": [{"id": "pickle"}], "dtype": "|O", "fill_value": None}
    root.store["a/.zarray"] = json.dumps(document).encode()
    root.store["a/0"] = pickle.dumps(Touch(tmp_path / "touched"))
    # xarray looks at an item of objects to see what they are.
    with pytest.raises(zchunk.errors.CodecError, match="runs code"):
        xr.open_dataset(root.store, engine="zchunk")
    assert not (tmp_path / "touched").exists()

    root.store["a/.zarray"] = json.dumps(document | {"filters": [{"id": "nobody's"}]}).encode()
    with pytest.raises(zchunk.errors.CodecError, match="nobody"):
        xr.open_dataset(root.store, engine="zchunk")
    assert list(xr.open_dataset(root.store, engine="zchunk", drop_variables=["a"])) == ["b"]


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_trees_and_groups(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset({"top": ("x", np.arange(3))}, coords={"x": [1, 2, 3]}),
            "/a": xr.Dataset({"in_a": ("x", np.arange(3.0))}),
            "/a/b": xr.Dataset({"in_b": ("y", np.arange(4))}),
            "/c": xr.Dataset(),
        }
    )
    alone = tree["a/b"].to_dataset(inherit=False)
    for version in (2, 3):
        path = tmp_path / f"{version}.zarr"
        tree.to_zarr(path, zarr_format=version)
        with xr.open_datatree(path, engine="zchunk", chunks={}) as found:
            xr.testing.assert_identical(found.load(), tree)
        groups = xr.open_groups(path, engine="zchunk")
        assert set(groups) == {"/", "/a", "/a/b", "/c"}
        below = xr.open_datatree(path, engine="zchunk", group="a")
        assert set(below.groups) == {"/", "/b"}
        xr.testing.assert_identical(below["b"].to_dataset().load(), alone)
        xr.testing.assert_identical(xr.open_dataset(path, engine="zchunk", group="/a/b").load(), alone)


def test_mfdataset(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    whole = sample()[["air", "flag"]].drop_vars("flag")
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.zarr")
        whole.isel(time=slice(2 * number, 2 * number + 2)).to_zarr(paths[-1])
    with xr.open_mfdataset(paths, engine="zchunk", parallel=True) as ds:
        assert ds.air.chunks[0] == (2, 2, 2)
        xr.testing.assert_identical(ds.load(), whole)


# ---- tokens, pickles, processes


def tokens(source: Any) -> tuple[str, str]:
    ds = xr.open_dataset(source, engine="zchunk", chunks={})
    return ds.air.data.name, dask.base.tokenize(LazyArray(source["air"]))


def test_tokens_follow_the_data(by_zarr: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    shutil.copytree(by_zarr, path)
    group = zchunk.open_group(path, "r")
    first = tokens(group)
    assert tokens(zchunk.open_group(str(path), "r")) == first
    code = (
        "from tests.wings.xarray.test_backend import *\n"
        f"print(*tokens(zchunk.open_group({str(path)!r}, 'r')))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert tuple(other.stdout.split()) == first, other.stderr

    seen = {first}
    for change in (
        lambda: zchunk.open(path, "r+")["air"].__setitem__((0, 0, 0), 5),
        lambda: zchunk.open(path, "r+")["air"].attrs.update(units="C"),
        lambda: zchunk.open(path, "r+")["air"].__setitem__((5, 4, 3), 6),
    ):
        change()
        found = tokens(group)
        assert not {*found} & {name for names in seen for name in names}
        seen.add(found)


def test_tokens_of_other_stores_are_never_taken_for_the_same(by_zarr: Path) -> None:
    store = zchunk.MemoryStore()
    zchunk.copy_store(zchunk.DirectoryStore(by_zarr), store)
    assert tokens(zchunk.open_group(store, "r")) != tokens(zchunk.open_group(store, "r"))
    air = xr.open_dataset(store, engine="zchunk").air.variable._data
    assert dask.base.tokenize(air) == dask.base.tokenize(pickle.loads(pickle.dumps(air)))


def test_without_xarray() -> None:
    code = (
        "import sys; sys.modules['xarray'] = None\n"
        "try: import zchunk.xarray\n"
        "except ImportError as err: print(err)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "zchunk.xarray needs xarray: pip install xarray\n"
