"""Rounding beside Python's own integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs.rounding import MODES, bit_lengths, drop_bits, round_floats

modes = st.sampled_from(MODES)


def rounded(number: Fraction, mode: str) -> int:
    """Round a number in the way that the name says."""
    below, above = math.floor(number), math.ceil(number)
    match mode:
        case "towards-zero":
            return math.trunc(number)
        case "towards-positive":
            return above
        case "towards-negative":
            return below
    if number - below != above - number:
        return below if number - below < above - number else above
    if mode == "nearest-even":
        return below if below % 2 == 0 else above
    return max(below, above, key=abs)


@given(st.floats(allow_nan=False, allow_infinity=False), modes)
def test_floats(value: float, mode: str) -> None:
    (found,) = round_floats(np.array([value]), mode)
    assert int(found) == rounded(Fraction(value), mode)
    assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize("mode", MODES)
def test_floats_that_are_nearly_a_half(mode: str) -> None:
    halves = np.array([0.5, 1.5, 2.5, 2**52 - 0.5, 2.0**52 + 1, -0.0])
    values = np.concatenate([halves, np.nextafter(halves, 0), np.nextafter(halves, np.inf)])
    values = np.concatenate([values, -values])
    assert round_floats(values, mode).tolist() == [
        rounded(Fraction(value), mode) for value in values.tolist()
    ]


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_bit_lengths(values: list[int]) -> None:
    assert bit_lengths(np.array(values, "u8")).tolist() == [value.bit_length() for value in values]


@given(st.integers(0, 2**64 - 1), st.integers(0, 63), modes, st.booleans())
def test_bits(value: int, count: int, mode: str, negative: bool) -> None:
    given = np.array([value], "u8"), np.array([count], "u8")
    (found,) = drop_bits(*given, mode, np.array([negative]))
    sign = -1 if negative else 1
    assert int(found) == abs(rounded(Fraction(sign * value, 2**count), mode))
