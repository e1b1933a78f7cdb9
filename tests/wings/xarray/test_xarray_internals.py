"""What is taken from xarray beside its public names is there, and means what zchunk needs."""

from __future__ import annotations

import numpy as np
import pytest

xr = pytest.importorskip("xarray")

from zchunk.wings.xarray import xarray_internals  # noqa: E402


def test_all_names_are_there() -> None:
    assert [name for name in xarray_internals.__all__ if not hasattr(xarray_internals, name)] == []


def test_variables_are_encoded() -> None:
    times = xr.Variable("t", np.array(["2001-01-01", "2001-01-02"], "M8[ns]"), {"long_name": "time"})
    found = xarray_internals.encode_variable(times, "t")
    assert found.dtype.kind == "i"
    assert found.attrs["units"].startswith("days since 2001-01-01")
    assert found.attrs["long_name"] == "time"
    scaled = xr.Variable("x", np.array([1.5, 2.0]), encoding={"scale_factor": 0.5, "dtype": "i2"})
    assert xarray_internals.encode_variable(scaled, "x").values.tolist() == [3, 4]


def test_text() -> None:
    assert xarray_internals.is_text(xarray_internals.create_vlen_dtype(str))
    assert not xarray_internals.is_text(xarray_internals.create_vlen_dtype(bytes))
    assert not xarray_internals.is_text(np.dtype("U3"))
    if hasattr(np.dtypes, "StringDType"):
        assert xarray_internals.is_text(np.dtypes.StringDType())


def test_modes() -> None:
    assert xarray_internals.choose_mode(mode=None, append_dim=None, region=None) == "w-"
    assert xarray_internals.choose_mode(mode=None, append_dim="t", region=None) == "a"
    assert xarray_internals.choose_mode(mode=None, append_dim=None, region={"t": slice(3)}) == "r+"
    with pytest.raises(ValueError, match="mode"):
        xarray_internals.choose_mode(mode="w", append_dim="t", region=None)
