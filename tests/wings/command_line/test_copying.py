from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.wings.command_line.conftest import Run


def test_copy_of_a_group_to_another_format(here: Path, run: Run) -> None:
    how = ["--format", 3, "--shards", "auto", "--compressor", "zstd:5", "--jobs", 1]
    done = run("copy", "run.zarr", "new.zarr", *how)
    assert done.code == 0
    new, old = zchunk.open("new.zarr", mode="r"), zchunk.open("run.zarr", mode="r")
    assert (new.zarr_format, new.attrs["title"]) == (3, "a run")
    assert new["u"].compressors == (zchunk.Zstd(5),)
    assert new["u"].shards is not None
    assert new["u"].dimension_names == ("time", "lat", "lon")
    assert np.array_equal(new["u"][...], old["u"][...])
    assert run("diff", "run.zarr", "new.zarr").code == 0


def test_copy_of_an_array(here: Path, run: Run) -> None:
    assert run("copy", "run.zarr/u", "u.zarr", "--chunks", "2,-1,4", "--no-attrs").code == 0
    u = zchunk.open("u.zarr", mode="r")
    assert (u.chunks, "units" in u.attrs) == ((2, 6, 4), False)
    assert run("copy", "run.zarr/u", "run.zip/g/u").code == 0
    assert np.array_equal(zchunk.open("run.zip", mode="r")["g/u"][...], u[...])


def test_overwriting(here: Path, run: Run) -> None:
    assert run("copy", "run.zarr", "new.zarr").code == 0
    zchunk.open("new.zarr")["more"] = [1]
    assert run("copy", "run.zarr", "new.zarr").code == 2
    assert run("copy", "run.zarr", "new.zarr", "--overwrite").code == 0
    assert "more" not in zchunk.open("new.zarr")
    assert run("copy", "run.zarr/u", "new.zarr/u").code == 2
    assert run("copy", "run.zarr/u", "new.zarr/u", "--overwrite").code == 0


@pytest.mark.parametrize("dest", ["run.zarr", "run.zarr/sub", "run.zarr/new"])
def test_a_copy_does_not_replace_its_source(here: Path, run: Run, dest: str) -> None:
    before = zchunk.manifest("run.zarr")
    assert run("copy", "run.zarr", dest, "--overwrite").code == 2
    assert zchunk.manifest("run.zarr") == before


def test_rechunk(here: Path, run: Run) -> None:
    wanted = ["--chunks", "time=-1,lat=2", "--max-memory", "8MB"]
    assert run("rechunk", "run.zarr/u", "series.zarr", *wanted).code == 0
    series = zchunk.open("series.zarr", mode="r")
    assert series.chunks == (4, 2, 8)
    assert np.array_equal(series[...], zchunk.open("run.zarr/u", mode="r")[...])


def test_progress_is_told_on_standard_error(here: Path, run: Run) -> None:
    done = run("copy", "run.zarr", "new.zarr", "--progress")
    assert "100" in done.err
    assert run("copy", "run.zarr", "other.zarr", "--no-progress").err == ""


def test_consolidate(here: Path, run: Run) -> None:
    assert run("consolidate", "run.zarr").out == "metadata of 4 arrays and groups consolidated in run.zarr\n"
    assert sorted(zchunk.open_consolidated("run.zarr")) == ["sub", "u"]
