"""zarr-python with zchunk's pipeline, and with its engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything of the wing is imported, here and in the modules of tests.
zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")


@pytest.fixture
def pipeline() -> Iterator[None]:
    """Arrays have zchunk's pipeline."""
    import zchunk.zarr_pipeline

    with zchunk.zarr_pipeline.install():
        yield


@pytest.fixture(params=["pipeline", "engine"])
def installed(request: pytest.FixtureRequest) -> Iterator[str]:
    """Arrays have zchunk's pipeline; then whole reads and writes are zchunk's, too."""
    import zchunk.zarr_pipeline

    with zchunk.zarr_pipeline.install(engine=request.param == "engine"):
        yield request.param


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store that zchunk reaches by itself."""
    folder = request.param == "folder"
    return zarr.storage.LocalStore(tmp_path / "z") if folder else zarr.storage.MemoryStore()
