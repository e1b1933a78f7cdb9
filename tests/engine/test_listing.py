"""Which chunks are stored, found by listing."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk

pytestmark = pytest.mark.usefixtures("path", "variant")


@pytest.mark.one_in(3)
@pytest.mark.each_value
def test_many_chunks_are_found_by_listing(tmp_path: Path) -> None:
    z = zchunk.zeros((10, 10), chunks=3, dtype="i4", store=tmp_path)
    z[...] = 5
    z.resize(5, 5)
    z.resize(5, 10**6)
    z.resize(10**5, 10**6)
    assert z[..., :10][:10].sum() == 5 * 25
    assert z[4:7, 4:9].sum() == 5
    z.shape = (5, 4)
    assert z.shape == (5, 4)
    assert z[...].sum() == 100
