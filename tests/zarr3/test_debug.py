"""What zarr 3 prints for reports of bugs."""

from __future__ import annotations

import numpy as np
import pytest

import zchunk.zarr3 as zarr


def test_versions(capsys: pytest.CaptureFixture[str]) -> None:
    zarr.print_debug_info()
    assert f"numpy: {np.__version__}" in capsys.readouterr().out


def test_there_is_no_log() -> None:
    with pytest.raises(NotImplementedError, match="LoggingStore"):
        zarr.set_log_level("DEBUG")
    with pytest.raises(NotImplementedError, match="LoggingStore"):
        zarr.set_format("%(message)s")
