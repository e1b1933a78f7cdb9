from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zchunk.wings.command_line.missing_values import decode, encode


@pytest.mark.parametrize("value", [np.float32(-9), np.float64("inf"), np.int8(-1), np.uint64(2**63)])
def test_back_and_forth(value: Any) -> None:
    assert decode(encode(value), value.dtype) == value


def test_it_is_what_xarray_has() -> None:
    coder = pytest.importorskip("xarray.backends.zarr").FillValueCoder
    for value in (np.float32(-9), np.float64("nan"), np.int16(-1)):
        assert encode(value) == coder.encode(value, value.dtype)


@pytest.mark.parametrize("attribute", ["", "x", "AAAA", None, [1, 2], 1e300])
def test_what_is_no_value(attribute: Any) -> None:
    assert decode(attribute, np.dtype("i2")) is None
