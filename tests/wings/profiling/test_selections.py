from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.wings.profiling import Profile


@pytest.mark.parametrize(
    ("selection", "chunks"),
    [
        (np.s_[...], 9),
        (np.s_[0], 3),
        (np.s_[:, 0], 3),
        (np.s_[0, 0], 1),
        (np.s_[:4, 3:5], 2),
        (np.s_[::4, ::4], 9),
        (np.s_[[0, 9], [0, 9]], 2),
        (np.s_[5:5], 0),
        (np.s_[None, 3], 3),
    ],
)
@pytest.mark.parametrize("sharded", [False, True])
def test_chunks_that_are_touched(selection: Any, chunks: int, sharded: bool) -> None:
    data = np.arange(100.0).reshape(10, 10)
    shards = {"shards": 8, "zarr_format": 3} if sharded else {}
    z = zchunk.array(data, chunks=4, **shards)
    found = zchunk.profile(z, selection)
    assert (found.items, found.nbytes) == (data[selection].size, data[selection].nbytes)
    assert (found.chunks, found.chunks_stored) == (chunks, chunks)
    assert found.decoded == chunks * 4 * 4 * 8
    assert found.objects <= chunks


def test_bytes_are_those_of_the_store() -> None:
    z = zchunk.zeros((8, 8), chunks=4)
    z[:4] = 1
    found = zchunk.profile(z, np.s_[:, 0])
    assert (found.chunks, found.chunks_stored, found.read) == (2, 1, len(z.store["0.0"]))
    assert found.amplification == 16 * 8 / (8 * 8)


def test_shards_of_different_lengths() -> None:
    z = zchunk.create(
        12, chunks=2, shards=[[4, 8]], dtype="u1", zarr_format=3, fill_value=0, compressors=None
    )
    z[...] = 1
    assert zchunk.profile(z).objects == 2
    assert zchunk.profile(z, np.s_[3:6]) == Profile(3, 3, 2, 2, 2, 4, 4)


def test_it_shows_itself() -> None:
    found = zchunk.profile(zchunk.array(np.ones((10, 10)), chunks=5), np.s_[0, 0])
    assert str(found).splitlines()[-1] == "Amplification  : 25.0 bytes decoded for each that is asked for"
    assert found._repr_html_().count("<rect") == 3
    assert zchunk.profile(zchunk.zeros(0)).amplification == 0


def test_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        zchunk.profile(zchunk.zeros(3), np.s_[5])
