"""zarr 3's defaults: they hold through the face, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.zarr3.defaults import COMPRESSOR


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    zarr.config.reset()


def test_defaults() -> None:
    z = zarr.zeros((4, 4), chunks=2)
    assert (z.zarr_format, z.compressors, z.write_empty_chunks) == (3, (COMPRESSOR,), False)
    own = zchunk.zeros((4, 4), chunks=2)
    assert (own.zarr_format, own.compressor, own.write_empty_chunks) == (2, zchunk.Blosc(), True)


def test_what_is_set_is_set_in_both() -> None:
    with zarr.config.set({"array.write_empty_chunks": True, "default_zarr_format": 2}):
        assert zchunk.config.get("array.write_empty_chunks") is True
        z = zarr.zeros(4)
        assert (z.zarr_format, z.write_empty_chunks) == (2, True)
        # Zstd is zarr 3's default in both formats.
        assert z.compressor == zchunk.Zstd(level=0)
    assert (zarr.config.get("default_zarr_format"), zchunk.config.get("default_zarr_format")) == (3, 2)
    assert (zarr.config.get("array.write_empty_chunks"), zchunk.config.get("array.write_empty_chunks")) == (
        False,
        True,
    )
