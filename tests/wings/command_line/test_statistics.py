from __future__ import annotations

import numpy as np
import pytest

import zchunk
from zchunk.wings.command_line import statistics
from zchunk.wings.command_line.arguments import UsageError


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u8", "bool"])
def test_statistics_are_those_of_numpy(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = (np.random.default_rng(5).random((40, 30)) * 9).astype(dtype)
    z = zchunk.array(values, chunks=(7, 4))
    cut = statistics.regions
    monkeypatch.setattr(statistics, "regions", lambda array: cut(array, 200))
    found = statistics.of_array(z)
    assert found["count"] == values.size
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert np.allclose([found["mean"], found["std"]], [values.mean(dtype="f8"), values.std(dtype="f8")])
    assert found["fill"] == np.count_nonzero(values == 0)


def test_nan_and_nat_count_for_nothing_else() -> None:
    z = zchunk.array([np.nan, 2.0, np.nan], fill_value=np.nan)
    found = statistics.of_array(z)
    assert (found["nan"], found["fill"], found["count"], found["mean"]) == (2, 2, 1, 2.0)
    times = zchunk.array(np.array(["2020-01-02", "NaT", "2020-01-01"], "M8[D]"))
    assert statistics.of_array(times)["min"] == np.datetime64("2020-01-01")


def test_arrays_without_values() -> None:
    assert statistics.of_array(zchunk.zeros(0))["mean"] is None
    assert statistics.of_array(zchunk.array([1 + 2j]))["count"] == 1
    with pytest.raises(UsageError, match="dtype"):
        statistics.of_array(zchunk.array(["a"]))
