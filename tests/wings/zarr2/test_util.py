"""zarr 2's module of small functions."""

from __future__ import annotations

import numpy as np
import pytest

from zchunk.wings.zarr2 import util


def test_util() -> None:
    assert [util.human_readable_size(n) for n in (7, 1023, 1024, 56_000, 2**20, 3 * 2**40, 2**60)] == [
        "7", "1023", "1.0K", "54.7K", "1.0M", "3.0T", "1024.0P",
    ]  # fmt: skip
    assert [util.is_valid_python_name(name) for name in ("a", "_1", "1a", "class", "a b")] == [
        True,
        True,
        *[False] * 3,
    ]
    assert util.normalize_order("f") == "F"
    with pytest.raises(ValueError, match="'x'"):
        util.normalize_order("x")
    assert util.normalize_dimension_separator("/") == "/"
    with pytest.raises(ValueError, match=":"):
        util.normalize_dimension_separator(":")
    assert util.normalize_dtype("i4", None) == (np.dtype("i4"), None)
    assert util.normalize_dtype(str, None)[1].codec_id == "vlen-utf8"
    with pytest.raises(ValueError, match="unit"):
        util.normalize_dtype("M8", None)
    for args in ((5, None), ((5, None),), ([5, None],)):
        assert util.normalize_resize_args((3, 4), *args) == (5, 4)
    assert util.normalize_resize_args((3,), 5) == (5,)
    with pytest.raises(ValueError, match="dimensions"):
        util.normalize_resize_args((3, 4), 5)
    with util.nolock, util.NoLock():
        pass
