"""When a step is to be saved."""

from __future__ import annotations

import pytest

from zchunk.wings.checkpoint.intervals import Interval


@pytest.mark.parametrize(
    ("steps", "seconds", "due"),
    [
        (None, None, [True] * 6),
        (2, None, [True, False, True, False, True, False]),
        (None, 25.0, [False, False, False, True, False, False]),
        (4, 25.0, [True, False, False, True, True, False]),
    ],
)
def test_intervals(steps: int | None, seconds: float | None, due: list[bool]) -> None:
    now = 100.0
    interval = Interval(steps, seconds, lambda: now)
    assert interval.asks_clock is (seconds is not None)
    found = []
    for step in range(6):
        found.append(interval.is_due(step))
        if found[-1] and step == 3:
            interval.saved(interval.now())
        now += 10
    assert found == due


def test_the_time_counts_from_the_beginning_of_a_save() -> None:
    now = 0.0
    interval = Interval(None, 10, lambda: now)
    now = 10.0
    begun = interval.now()
    now = 15.0
    interval.saved(begun)
    now = 19.9
    assert not interval.is_due(1)
    now = 20.0
    assert interval.is_due(1)
