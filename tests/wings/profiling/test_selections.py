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
    assert zchunk.profile(z, np.s_[3:6]) == Profile(3, 3, 2, 2, 2, 4, 4, 4, 2)


def test_it_shows_itself() -> None:
    found = zchunk.profile(zchunk.array(np.ones((10, 10)), chunks=5), np.s_[0, 0])
    assert str(found).splitlines()[-2] == "Amplification  : 25.0 bytes decoded for each that is asked for"
    assert str(found).splitlines()[-1].startswith("Time, about    : ")
    assert found._repr_html_().count("<rect") == 3
    assert zchunk.profile(zchunk.zeros(0)).amplification == 0


def test_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        zchunk.profile(zchunk.zeros(3), np.s_[5])


CODECS = {
    "raw": None,
    "lz4": zchunk.Blosc("lz4"),
    "zstd": zchunk.Zstd(1),
    "deflate": zchunk.GZip(1),
}


@pytest.mark.parametrize("codec", CODECS)
def test_time_is_that_of_the_codec_and_of_the_place(codec: str) -> None:
    found = zchunk.profile(zchunk.array(np.ones((40, 10)), chunks=(1, 10), compressor=CODECS[codec]))
    assert (found.codec, found.requests) == (codec, 40)
    near, far = found.seconds(threads=2), found.seconds(0.01, threads=2)
    assert 0 < near < 0.01
    assert far == pytest.approx(near + 20 * 0.01)
    assert 0.03 < found.seconds(0.01, in_flight=16, remote=True, threads=2) < far
    assert found.seconds(0.01, in_flight=16, bandwidth=found.read / 2, threads=2) >= 2


def test_chunks_of_a_shard_that_lie_together_are_one_request() -> None:
    z = zchunk.create((64, 64), chunks=4, shards=32, dtype="f8", zarr_format=3, fill_value=0)
    z[...] = np.random.default_rng(1).random((64, 64))
    found = zchunk.profile(z)
    assert (found.objects, found.chunks_stored) == (4, 256)
    # The index, and one range of all 64 chunks.
    assert (found.requests, found.rounds) == (8, 2)
    assert found.seconds(1.0, in_flight=64, remote=True) > 2
    assert found.seconds(1.0, in_flight=64) < 2


@pytest.mark.parametrize("concurrency", [16, 64])
def test_requests_are_those_that_the_engine_sends(fast_s3_server: Any, concurrency: int) -> None:
    pytest.importorskip("obstore")
    fast_s3_server.make_bucket("profiled")
    options = {**fast_s3_server.options(fast_s3_server.endpoint), "client_options": {"allow_http": True}}
    store = zchunk.ObjectStore.from_url(f"s3://profiled/{concurrency}", concurrency=concurrency, **options)
    z = zchunk.create(
        (128, 8192), chunks=(1, 8192), shards=(64, 8192), dtype="f8", zarr_format=3, store=store
    )
    z[...] = np.random.default_rng(1).random((128, 8192))
    found = zchunk.profile(z)
    before = len(fast_s3_server.network.requests())
    z[...]
    assert len(fast_s3_server.network.requests()) - before == found.requests == 2 * (1 + 64 // concurrency)
    assert found.rounds == 1 + 64 // concurrency
