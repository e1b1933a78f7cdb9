"""Numbers and times that the stored dtype and units cannot hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk

xr = pytest.importorskip("xarray")
pytest.importorskip("zchunk.xarray")

PACKED = {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -32768}


def times(*values: str) -> Any:
    return xr.Dataset({"v": ("t", np.array(values, "M8[ns]"))})


def hours(*values: int) -> Any:
    return xr.Dataset({"v": ("t", np.array(values, "m8[h]").astype("m8[ns]"))})


def numbers(*values: float, dtype: str = "f8") -> Any:
    return xr.Dataset({"v": ("t", np.array(values, dtype))})


def loaded(path: Path) -> Any:
    return xr.open_dataset(path, engine="zchunk", decode_timedelta=True).load().v.values


def files(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


WAYS = [{"append_dim": "t"}, {"region": {"t": slice(0, 1)}}, {"mode": "a"}, {"mode": "r+"}]
REFUSED = {
    "times": (times("2000-01-01"), times("2000-01-01T06"), None, "'hours since 2000-01-01"),
    "durations": (hours(24), hours(6), None, "'units': 'hours'"),
    "times too far": (
        times("2000-01-01"), times("2200-01-01"), {"dtype": "i2", "units": "days since 1970-01-01"}, "int16",
    ),
    "numbers for times": (times("2000-01-01"), numbers(5, dtype="i8"), None, "holds times"),
    "packed": (numbers(1), numbers(4000), PACKED, "scale_factor 0.1"),
    "packed below": (numbers(1), numbers(-4000), PACKED, "scale_factor 0.1"),
    "float as integer": (numbers(1), numbers(300), {"dtype": "u1"}, "uint8"),
    "negative": (numbers(1), numbers(-1), {"dtype": "u1"}, "uint8"),
    "infinite": (numbers(1), numbers(np.inf), {"dtype": "i4", "_FillValue": -1}, "int32"),
    "float": (numbers(1), numbers(1e6), {"dtype": "f2"}, "float16"),
    "integers": (numbers(1, dtype="i1"), numbers(300, dtype="i8"), None, "int8"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way))
@pytest.mark.parametrize("case", REFUSED)
def test_what_the_array_cannot_hold_is_refused(
    case: str, way: dict[str, Any], zarr_format: int, tmp_path: Path
) -> None:
    first, second, encoding, message = REFUSED[case]
    path = tmp_path / "x.zarr"
    first.zchunk.to_zarr(path, zarr_format=zarr_format, encoding={"v": encoding} if encoding else None)
    stored = files(path)
    with pytest.raises(ValueError, match=message) as caught:
        second.zchunk.to_zarr(path, **way)
    assert "'v'" in str(caught.value)
    assert files(path) == stored


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_it_can_hold_is_appended(zarr_format: int, tmp_path: Path) -> None:
    cases: list[tuple[Any, Any, Any]] = [
        (times("2000-01-01"), times("2000-01-02", "NaT"), None),
        (times("2000-01-01T00", "2000-01-01T06"), times("2000-01-02T12"), None),
        (times("2000-01-01"), times("2000-01-01T08"), {"dtype": "f8", "units": "days since 1970-01-01"}),
        (times("2000-01-01"), times("2000-01-02"), {"dtype": "i4", "units": "days since 1970-1-1 0:0"}),
        (times("2000-01-01"), times("2000-01-01T06"), {"dtype": "i8", "units": "hours since 2000-01-01"}),
        (hours(24), hours(48), None),
        (hours(1), hours(24), None),
        (numbers(1, np.nan), numbers(3276.7, -3276.7), PACKED),
        (numbers(1), numbers(255), {"dtype": "u1"}),
        (numbers(1, dtype="i1"), numbers(-128, dtype="i8"), None),
        (numbers(1), numbers(np.inf, np.nan), {"dtype": "f4"}),
    ]
    for i, (first, second, encoding) in enumerate(cases):
        path = tmp_path / f"{i}.zarr"
        first.zchunk.to_zarr(path, zarr_format=zarr_format, encoding={"v": encoding} if encoding else None)
        second.zchunk.to_zarr(path, append_dim="t")
        expected = np.concatenate([first.v.values, second.v.values])
        if expected.dtype.kind in "mM":
            np.testing.assert_array_equal(loaded(path), expected)
        else:
            np.testing.assert_allclose(loaded(path), expected)


@pytest.mark.parametrize("encoding", [PACKED, {"dtype": "i2"}])
def test_what_is_written_first_is_looked_at_too(encoding: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        numbers(1, 40000).zchunk.to_zarr(tmp_path, encoding={"v": encoding})


def test_unsigned_numbers_stored_as_signed_ones(tmp_path: Path) -> None:
    encoding = {"dtype": "i1", "_Unsigned": "true", "_FillValue": np.int8(-1)}
    numbers(1, 200).zchunk.to_zarr(tmp_path, encoding={"v": encoding})
    assert loaded(tmp_path).tolist() == [1, 200]


def test_parts_that_are_computed_later(tmp_path: Path) -> None:
    pytest.importorskip("dask")
    numbers(1).zchunk.to_zarr(tmp_path / "x.zarr", encoding={"v": PACKED})
    with pytest.raises(ValueError, match="scale_factor"):
        numbers(4000).chunk(1).zchunk.to_zarr(tmp_path / "x.zarr", append_dim="t")
    times("2000-01-01").zchunk.to_zarr(tmp_path / "t.zarr")
    with pytest.raises(ValueError, match="hours since"):
        times("2000-01-01T06").chunk(1).zchunk.to_zarr(tmp_path / "t.zarr", append_dim="t")
    # Read lazily, from another store.
    zchunk.xarray.to_zarr(numbers(4000), tmp_path / "y.zarr")
    lazy = xr.open_dataset(tmp_path / "y.zarr", engine="zchunk")
    with pytest.raises(ValueError, match="scale_factor"):
        lazy.zchunk.to_zarr(tmp_path / "x.zarr", append_dim="t")


def test_calendars(tmp_path: Path) -> None:
    cftime = pytest.importorskip("cftime")

    def of(*days: tuple[int, ...]) -> Any:
        return xr.Dataset({"v": ("t", [cftime.DatetimeNoLeap(*day) for day in days])})

    of((2000, 1, 1)).zchunk.to_zarr(tmp_path)
    of((2000, 3, 1)).zchunk.to_zarr(tmp_path, append_dim="t")
    assert loaded(tmp_path)[1] == cftime.DatetimeNoLeap(2000, 3, 1)
    for wrong in (of((2000, 3, 1, 6)), times("2000-03-01")):
        with pytest.raises(ValueError, match="'v'"):
            wrong.zchunk.to_zarr(tmp_path, append_dim="t")
