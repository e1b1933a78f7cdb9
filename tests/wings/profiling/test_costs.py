from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.engine import shard
from zchunk.wings.profiling import costs
from zchunk.wings.profiling.costs import MEASURED, PLACES, Place, Work, runs, say, seconds

WORK = st.builds(
    Work,
    requests=st.integers(1, 10**6),
    chunks=st.integers(1, 10**6),
    read=st.integers(0, 10**12),
    decoded=st.integers(0, 10**12),
    codec=st.sampled_from(sorted(MEASURED.decode)),
    rounds=st.integers(1, 2),
)


@given(WORK, st.sampled_from(PLACES), st.integers(1, 64))
def test_more_bytes_never_take_less_time(work: Work, place: Place, threads: int) -> None:
    now = seconds(work, place, threads)
    assert now > 0
    # Not chunks: a thread decodes one alone, so that more of them are shared by more threads.
    for field in ("read", "decoded"):
        more = work._replace(**{field: 2 * getattr(work, field)})
        assert seconds(more, place, threads) >= now * (1 - 1e-9)


@given(WORK, st.sampled_from(PLACES))
def test_a_place_is_never_faster_than_its_parts(work: Work, place: Place) -> None:
    now = seconds(work, place, 8)
    assert now >= work.read / place.bandwidth
    assert now >= place.latency * work.rounds
    assert now >= place.latency * work.requests / (place.in_flight or 8)


def test_nothing_costs_a_call() -> None:
    assert seconds(Work(0, 0, 0, 0), PLACES[-1], 2) == MEASURED.call


def test_requests_are_counted_as_the_engine_sends_them() -> None:
    assert (costs.GAP, costs.RUN) == (shard._GAP, shard._RUN)
    big = 3 << 20
    assert runs([]) == 0
    assert runs([(big, big), (0, big), (2 * big, big)]) == 2
    assert runs([(0, 10), (10 + costs.GAP, 10)]) == 1
    assert runs([(0, 10), (11 + costs.GAP, 10)]) == 2
    assert runs([(0, 2 * costs.RUN)]) == 1


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0, "0 ms"), (0.1, "100 ms"), (0.996, "1,000 ms"), (1, "1.0 s"), (119, "120 s"), (600, "10 min"),
     (86400, "24 h"), (8640000, "100 days")],
)  # fmt: skip
def test_durations_are_said_in_the_unit_that_suits(duration: float, text: str) -> None:
    assert say(duration) == text
