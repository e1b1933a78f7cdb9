from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line.comparing import differ


@pytest.fixture
def two(here: Path) -> Path:
    zchunk.copy_all("run.zarr", "other.zarr")
    return here


def test_alike(two: Path, run: Run) -> None:
    assert run("diff", "run.zarr", "other.zarr") == (0, "", "")
    assert run("diff", "run.zarr", "other.zarr", "--layout").code == 0


def test_what_differs(two: Path, run: Run) -> None:
    other = zchunk.open("other.zarr")
    other["u"][1, 2, 3:5] += [1, 3]
    other["u"].attrs["units"] = "km"
    other["new"] = [1]
    del other["sub/v"]
    done = run("diff", "run.zarr", "other.zarr")
    assert done.code == 1
    assert done.out.splitlines() == [
        "/sub/v: only in a",
        "/new: only in b",
        "/u: attribute units: m s-1 -> km",
        "/u: 2 of 192 values, largest difference 3, first at [1, 2, 3]: 67.0 -> 68.0",
    ]
    assert len(run("diff", "run.zarr", "other.zarr", "--no-values", "--json").json) == 3


def test_layout(here: Path, run: Run) -> None:
    run("copy", "run.zarr/u", "u.zarr", "--format", 3, "--chunks", "2,6,8")
    assert run("diff", "run.zarr/u", "u.zarr").code == 0
    lines = run("diff", "run.zarr/u", "u.zarr", "--layout").out.splitlines()
    assert "/: format: 2 -> 3" in lines
    assert "/: chunks: [1, 3, 8] -> [2, 6, 8]" in lines


def test_kinds_shapes_and_tolerances(two: Path, run: Run) -> None:
    assert "kind: array -> group" in run("diff", "run.zarr/u", "run.zarr").out
    other = zchunk.open("other.zarr")
    other["u"][0] += 0.001
    assert run("diff", "run.zarr", "other.zarr", "--atol", 0.01).code == 0
    other["u"].resize(5, 6, 8)
    assert "shape: [4, 6, 8] -> [5, 6, 8]" in run("diff", "run.zarr", "other.zarr").out


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (np.array([np.nan, 1.0]), np.array([np.nan, 2.0]), [False, True]),
        (np.array(["NaT", "2020"], "M8[D]"), np.array(["NaT", "2021"], "M8[D]"), [False, True]),
        (np.array(["a", "b"], object), np.array(["a", "c"], object), [False, True]),
        (np.array([(1, 2.0)], "i4,f4"), np.array([(1, 3.0)], "i4,f4"), [True]),
        (np.array([1 + 1j]), np.array([1 + 1j]), [False]),
    ],
)
def test_items_that_differ(a: np.ndarray, b: np.ndarray, expected: list[bool]) -> None:
    assert differ(a, b).tolist() == expected
