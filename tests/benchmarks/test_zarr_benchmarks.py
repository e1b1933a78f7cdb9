"""The cases of zarr_benchmarks: values, cases and the table, never the times."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import zchunk
from benchmarks import zarr_benchmarks


def test_values_are_those_of_its_generator() -> None:
    made = zarr_benchmarks.values(64)
    for place in ((0, 0, 0), (63, 1, 2), (5, 40, 63), (50, 63, 0)):
        i0, i1, i2 = place
        assert made[place] == (i2 + i1 * i1 // 32 + i0**3) % 65536


def test_each_case_is_run(tmp_path: Path) -> None:
    zarr_benchmarks.prepare(tmp_path, 16)
    found = zarr_benchmarks.work("zchunk", tmp_path, 16, 2)
    assert len(found) == 13
    assert min(found.values()) > 0
    for name, layout in zarr_benchmarks.images(16).items():
        z = zchunk.open_array(tmp_path / name, mode="r")
        assert (z.chunks, z.shards) == (layout.chunks, layout.shards)
        np.testing.assert_array_equal(z[...], zarr_benchmarks.values(16))
    # The last case is a round trip.
    np.testing.assert_array_equal(
        zchunk.open_array(tmp_path / f"{name}-again")[...], zarr_benchmarks.values(16)
    )
    assert sum(1 for _ in zarr_benchmarks.boxes(16, 2)) == 512


def test_the_table_has_ratios(tmp_path: Path) -> None:
    text = zarr_benchmarks.table({"zchunk": {"a": 0.1}, "zarrs": {"a": 0.2}})
    assert text.splitlines()[-1] == "| a | 100 | 200 | 0.50 |"
    document = tmp_path / "speed.md"
    document.write_text(f"before\n{zarr_benchmarks.BEGIN}old\n{zarr_benchmarks.END}\nafter\n")
    zarr_benchmarks.write(text, document)
    assert document.read_text() == f"before\n{zarr_benchmarks.BEGIN}{text}\n{zarr_benchmarks.END}\nafter\n"
    assert zarr_benchmarks.BEGIN in zarr_benchmarks.DOCUMENT.read_text()
