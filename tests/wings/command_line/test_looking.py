from __future__ import annotations

from pathlib import Path

import numpy as np

import zchunk
from tests.wings.command_line.conftest import Run


def test_info_is_that_of_python_and_more(here: Path, run: Run) -> None:
    done = run("info", "run.zarr/u")
    assert done.code == 0
    lines = [tuple(part.strip() for part in line.split(" : ", 1)) for line in done.out.splitlines()]
    table = dict(lines)
    assert zchunk.open("run.zarr/u", mode="r").info_items() == lines[: len(lines) - 3]
    assert table["Dimensions"] == "time, lat, lon"
    assert table["Chunks initialized"] == "4/8"
    assert "title" in run("info", "run.zarr").out


def test_info_as_json(here: Path, run: Run) -> None:
    found = run("info", "run.zarr/u", "--json").json
    assert found["shape"] == [4, 6, 8]
    assert found["chunks"] == [1, 3, 8]
    assert found["dimensions"] == ["time", "lat", "lon"]
    assert (found["nchunks"], found["nchunks_initialized"]) == (8, 4)
    group = run("info", "run.zarr", "--json").json
    assert (group["type"], group["arrays"], group["groups"]) == ("group", ["u"], ["sub"])


def test_info_with_statistics(here: Path, run: Run) -> None:
    u = zchunk.open("run.zarr/u", mode="r")[...]
    stats = run("info", "run.zarr/u", "--stats", "--json").json["stats"]
    assert stats["max"] == u.max()
    assert np.isclose(stats["mean"], u.mean())
    assert "Values: max" in run("info", "run.zarr/u", "--stats").out


def test_info_of_shards(here: Path, run: Run) -> None:
    zchunk.array(np.ones((8, 8)), chunks=2, shards=4, store="s.zarr", zarr_format=3)
    found = run("info", "s.zarr", "--json").json
    assert (found["shards"], found["nshards"], found["nshards_initialized"]) == ([4, 4], 4, 4)


def test_tree(here: Path, run: Run) -> None:
    assert run("tree", "run.zarr").out == f"{zchunk.open('run.zarr').tree()}\n"
    assert run("tree", "run.zarr", "-L", 1).out == f"{zchunk.open('run.zarr').tree(level=1)}\n"
    assert "more than" in run("tree", "run.zarr", "-n", 1).out
    found = run("tree", "run.zarr", "--json").json
    v = {"type": "array", "shape": [10], "dtype": "int64"}
    assert found["members"]["sub"] == {"type": "group", "members": {"v": v}}
    assert run("tree", "run.zarr", "--json", "-L", 1).json["members"]["sub"]["members"] == {}


def test_ls(here: Path, run: Run) -> None:
    assert run("ls", "run.zarr").out == "sub/\nu\n"
    group, array = run("ls", "-l", "run.zarr").out.splitlines()
    assert group.split() == ["group", "sub/"]
    assert array.split()[:2] == ["float32", "4x6x8"]
    assert array.endswith("chunks (1, 3, 8)")
    assert [member["name"] for member in run("ls", "run.zarr", "--json").json] == ["sub", "u"]
    assert run("ls", "run.zarr/u").out == "run.zarr/u\n"
    zchunk.open_group("bare.zarr")
    assert run("ls", "bare.zarr").out == run("ls", "-l", "bare.zarr").out == ""


def test_head(here: Path, run: Run) -> None:
    u = zchunk.open("run.zarr/u", mode="r")
    found = run("head", "run.zarr/u", "[1, ::2, -3:]", "--json").json
    assert np.array_equal(found["values"], u[1, ::2, -3:])
    assert found["selection"] == "[1, ::2, -3:]"
    default = run("head", "run.zarr/u").out
    assert default.startswith("[0, 0:5, 0:5] of (4, 6, 8) float32:\n")
    assert default.count("\n") == 6
    assert run("head", "run.zarr/sub/v", "[3]").out == "3\n"


def test_head_of_nothing_and_of_one_item(here: Path, run: Run) -> None:
    zchunk.array(7.5, store="one.zarr")
    zchunk.zeros((0, 3, 3), store="none.zarr")
    assert run("head", "one.zarr").out.endswith("7.5\n")
    assert run("head", "none.zarr").out.endswith("[]\n")
