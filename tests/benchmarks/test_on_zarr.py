"""The table of zarr-python on zchunk: ratios over the best that zarr-python is alone, and targets."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import on_zarr
from benchmarks.cases import CASES


def case(unit: str = "seconds", **best: float) -> dict[str, Any]:
    return {"unit": unit, "best": best}


def test_ratios_and_targets() -> None:
    measured = case(zarr3=4.0, zarr3_fused=2.0, zarrs=3.0, zarr3_zchunk=1.0, zarr3_engine=1.0, zchunk=0.5)
    assert on_zarr.row("box", {**measured, "limit_sum": 1.5}) == [
        0.5, "≤ 0.60: met", 0.5, "≤ 0.50: met", 2.0, "≤ 1.30: **not met**", 0.75,
    ]  # fmt: skip
    # A case without targets, and without a limit.
    assert on_zarr.row("open", measured) == [0.5, "", 0.5, "", 2.0, "", None]
    alone = case(zarr3=4.0, zarr3_zchunk=3.0)
    assert on_zarr.row("tiny-read", alone) == [0.75, "≤ 0.60: **not met**", None, "", None, "", None]


@pytest.mark.parametrize(
    "measured",
    [case(zarr3=1.0), case(zarr3_zchunk=1.0, zchunk=1.0), case("bytes", zarr3=1.0, zarr3_zchunk=1.0)],
)
def test_what_is_not_compared(measured: dict[str, Any]) -> None:
    assert on_zarr.row("box", measured) is None


def test_every_goal_is_that_of_a_case() -> None:
    for goal in on_zarr.GOALS:
        assert any(on_zarr.goal(name) is goal for name in CASES), goal
        assert goal.engine <= goal.pipeline
