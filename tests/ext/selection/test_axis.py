"""Where selections meet chunks, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zchunk._ext.selection.axis import AxisParts

HUGE = 2**63 - 1


@st.composite
def small(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    extent = draw(st.integers(1, 200))
    start = draw(st.integers(0, extent - 1))
    step = draw(st.integers(1, 250))
    count = draw(st.integers(0, (extent - 1 - start) // step + 1))
    return start, step, count, draw(st.integers(1, 220)), extent


@given(small())
def test_against_numpy(case: tuple[int, int, int, int, int]) -> None:
    start, step, count, chunk, _ = case
    selected = start + step * np.arange(count)
    chunks, places, counts = np.unique(selected // chunk, return_index=True, return_counts=True)
    expected = [
        (int(c), int(selected[p] - c * chunk), int(p), int(n))
        for c, p, n in zip(chunks, places, counts, strict=True)
    ]
    parts = AxisParts(*case)
    assert len(parts) == len(expected)
    assert list(parts) == expected


@st.composite
def huge(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    """Numbers up to the greatest int64, especially round ones and their neighbours."""
    near = st.sampled_from([1, 2, 2**31, 2**32, 2**61, 2**62, HUGE // 3, HUGE // 2, HUGE])
    number = st.one_of(
        st.integers(1, HUGE), near, near.flatmap(lambda n: st.integers(max(1, n - 2), min(HUGE, n + 2)))
    )
    extent, chunk, step = draw(number), draw(number), draw(number)
    start = draw(st.one_of(st.integers(0, extent - 1), st.just(0), st.just(extent - 1)))
    most = (extent - 1 - start) // step + 1
    count = draw(st.one_of(st.integers(0, most), st.just(most)))
    return start, step, count, chunk, extent


@given(huge(), st.integers(0, 2**63))
@example((0, 2**62, 2, 2**62 + 1, HUGE), 1)
@example((0, HUGE - 1, 2, HUGE, HUGE), 0)
@example((HUGE - 1, 1, 1, HUGE, HUGE), 0)
@example((1, 1, HUGE - 1, 1, HUGE), 12345)
@example((0, 1, 2**62, 2**31, 2**62), 2**31 - 1)
def test_against_python_integers(case: tuple[int, int, int, int, int], pick: int) -> None:
    start, step, count, chunk, extent = case
    parts = AxisParts(*case)
    if count == 0:
        assert len(parts) == 0
        return
    last = start + (count - 1) * step
    n = count if step >= chunk else last // chunk - start // chunk + 1
    # len() itself takes no more than ssize_t, which is as much.
    assert len(parts) == n
    for k in {0, pick % n, n - 1}:
        at, inner, outer, here = parts[k]
        low, high = at * chunk, min((at + 1) * chunk, extent)
        first = outer * step + start
        assert low <= first < high
        assert inner == first - low
        assert first - step < max(low, start)  # no earlier one is in this chunk
        assert 1 <= here <= count - outer
        assert first + (here - 1) * step < high
        assert outer + here == count or first + here * step >= high
    # The parts follow each other without a gap.
    k = pick % n
    if k + 1 < n:
        assert parts[k][2] + parts[k][3] == parts[k + 1][2]
        assert parts[k][0] < parts[k + 1][0]


def test_bad_selections_are_refused() -> None:
    for case in ((-1, 1, 1, 1, 5), (0, 0, 1, 1, 5), (0, 1, -1, 1, 5), (0, 1, 1, 0, 5), (0, -1, 2, 1, 5)):
        with pytest.raises(ValueError, match="no regular selection"):
            AxisParts(*case)
    for case in ((5, 1, 1, 2, 5), (0, 3, 3, 2, 6), (0, 2**62, 4, 1, HUGE)):
        with pytest.raises(ValueError, match="ends at"):
            AxisParts(*case)
    with pytest.raises(OverflowError):
        AxisParts(0, 2**64, 1, 1, 5)
    parts = AxisParts(0, 1, 5, 2, 5)
    for k in (3, -1, 2**70):
        with pytest.raises(IndexError):
            parts[k]
