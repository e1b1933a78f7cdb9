"""What a checksum costs, and verifying."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.checksums import CODECS, field, main, measure


def test_the_field_is_no_line() -> None:
    values = field(12)
    assert values.shape == (3, 1024, 1024)
    assert abs(np.diff(values, axis=0)).max() == 3


def test_all_is_timed(tmp_path: Path) -> None:
    for times in measure(field(4), tmp_path, runs=1, zarr_format=3):
        assert min(times) > 0


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main(["--mib", "4", "--runs", "1", "--folder", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 + 2 * len(CODECS)
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert list(tmp_path.iterdir()) == []
