from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line import exporting


def rows(path: str) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return [*csv.reader(file)]


@pytest.mark.parametrize("shape", [(), (0,), (7,), (4, 5, 6)])
def test_npy(here: Path, run: Run, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random(shape)
    zchunk.array(values, store="a.zarr", chunks=2)
    assert run("export", "a.zarr", "a.npy").code == 0
    assert np.array_equal(np.load("a.npy"), values)


def test_npy_of_a_selection(here: Path, run: Run) -> None:
    assert run("export", "run.zarr/u", "u.npy", "-s", "[::2, -1]").code == 0
    assert np.array_equal(np.load("u.npy"), zchunk.open("run.zarr/u", mode="r")[::2, -1])
    assert run("export", "run.zarr/u", "u.npy", "--overwrite").code == 0
    assert np.load("u.npy").shape == (4, 6, 8)


def test_csv_has_the_digits_that_numbers_need(here: Path, run: Run) -> None:
    zchunk.array(np.array([[0.1, 1e-30], [np.nan, 3]], "f4"), store="a.zarr")
    assert run("export", "a.zarr", "a.csv").code == 0
    assert rows("a.csv") == [["0.1", "1e-30"], ["nan", "3.0"]]
    assert run("export", "run.zarr/u", "u.csv", "-s", "[1, :2, :3]").code == 0
    assert rows("u.csv") == [["48.0", "49.0", "50.0"], ["56.0", "57.0", "58.0"]]


def test_csv_of_texts_fields_and_one_item(here: Path, run: Run) -> None:
    zchunk.array(np.array(["a,b", "ü"], object), store="t.zarr", object_codec="vlen-utf8")
    zchunk.array(np.array([(1, 2.5), (2, 3.5)], [("n", "i4"), ("x", "f8")]), store="f.zarr")
    zchunk.array(5, store="o.zarr")
    for name in "tfo":
        assert run("export", f"{name}.zarr", f"{name}.csv").code == 0
    assert rows("t.csv") == [["a,b"], ["ü"]]
    assert rows("f.csv") == [["n", "x"], ["1", "2.5"], ["2", "3.5"]]
    assert rows("o.csv") == [["5"]]


def test_hdf5(here: Path, run: Run) -> None:
    h5py = pytest.importorskip("h5py")
    assert run("export", "run.zarr", "run.h5").code == 0
    assert run("export", "run.zarr/u", "u.h5", "-s", "[0]").code == 0
    with h5py.File("run.h5") as file:
        assert file["u"].chunks == (1, 3, 8)
        assert file["u"].attrs["units"] == "m s-1"
        assert file["sub/v"][3] == 3
    with h5py.File("u.h5") as file:
        assert file["u"].shape == (6, 8)


def test_a_file_that_fails_is_not_there(here: Path, run: Run) -> None:
    zchunk.array([{"a": 1}], dtype=object, object_codec="json2", store="o.zarr")
    for name in ("o.npy", "o.nc"):
        done = run("export", "o.zarr", name)
        assert (done.code, (here / name).exists()) == (2, False)
    assert not [*here.glob("*.partial")]


def test_what_to_install(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match="pip install no_such_package"):
        exporting.needed("no_such_package")
