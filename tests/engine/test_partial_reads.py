"""Parts of chunks from remote stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests.choice import rounds
from zchunk.codecs import Blosc
from zchunk.engine import execute, partial_reads
from zchunk.errors import ChunkError
from zchunk.storage.base import Piece, Store
from zchunk.storage.mapping import KVStore


class Far(KVStore):
    """A store in memory that is asked as a remote one, and counts what it gives."""

    def __init__(self) -> None:
        super().__init__({})
        self.given = self.asked = 0
        self.versions = True

    concurrency = 8  # type: ignore[assignment]
    versioned = True
    ranged = True  # type: ignore[assignment]

    def __getitem__(self, key: str) -> bytes:
        value = super().__getitem__(key)
        self.given += len(value)
        self.asked += 1
        return value

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        piece = super().__getitem__(key)[start:stop]
        self.given += len(piece)
        self.asked += 1
        return piece

    def size(self, key: str) -> int:
        return len(super().__getitem__(key))

    def get_piece(self, key: str, nbytes: int, at_end: bool = False) -> Piece:
        data, size, _ = Store.get_piece(self, key, nbytes, at_end)
        return Piece(data, size, self.versions or None)


CODECS = {
    "raw": None,
    "lz4": Blosc("lz4", 5, Blosc.SHUFFLE),
    "zstd-bits": Blosc("zstd", 1, Blosc.BITSHUFFLE, 2**16),
    "stored": Blosc("lz4", 0),
}


def numbers(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    return np.cumsum(rng.integers(0, 100, np.prod(shape)), dtype="i4").reshape(shape)


@pytest.fixture(scope="module", params=CODECS)
def made(request: pytest.FixtureRequest) -> tuple[Any, np.ndarray[Any, Any]]:
    data = numbers((5, 300, 2000))
    arrays = []
    for order in "CF":
        z = zchunk.create(
            data.shape, chunks=(3, 300, 1000), dtype="i4", compressor=CODECS[request.param], store=Far(),
            order=order,
        )  # fmt: skip
        z[...] = data
        arrays.append(z)
    return arrays, data


indices = st.one_of(
    st.integers(0, 4),
    st.builds(slice, st.integers(0, 5), st.integers(0, 5)),
    st.builds(slice, st.none(), st.none(), st.sampled_from([-2, -1, 2])),
)
rows = st.one_of(
    st.integers(0, 299), st.builds(slice, st.integers(0, 300), st.integers(0, 300), st.integers(1, 60))
)
columns = st.one_of(st.integers(0, 1999), st.builds(slice, st.integers(0, 2000), st.integers(0, 2000)))


@settings(max_examples=rounds(60))
@given(selection=st.tuples(indices, rows, columns))
def test_parts_equal_the_whole(made: Any, selection: Any) -> None:
    for z in made[0]:
        np.testing.assert_array_equal(z[selection], made[1][selection])


@settings(max_examples=rounds(30))
@given(points=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 299), st.integers(0, 1999)), min_size=1))
def test_points_equal_the_whole(made: Any, points: Any) -> None:
    where = tuple(map(list, zip(*points, strict=True)))
    for z in made[0]:
        np.testing.assert_array_equal(z.vindex[where], made[1][where])


def test_no_more_is_fetched_than_needed(made: Any) -> None:
    z, data = made[0][0], made[1]
    z.store.given = z.store.asked = 0
    np.testing.assert_array_equal(z[1, 7], data[1, 7])
    whole = sum(len(z.store._mutable_mapping[key]) for key in ("0.0.0", "0.0.1"))
    assert z.store.given < whole / 4
    assert z.store.asked <= 4


def test_all_of_a_chunk_is_one_request(made: Any) -> None:
    z, data = made[0][0], made[1]
    z.store.given = z.store.asked = 0
    np.testing.assert_array_equal(z[...], data)
    assert z.store.asked == 4


def test_without_versions_a_frame_is_fetched_whole(made: Any) -> None:
    z, data = made[0][0], made[1]
    z.store.versions = False
    try:
        np.testing.assert_array_equal(z[1, 7], data[1, 7])
    finally:
        z.store.versions = True


def test_missing_chunks_are_the_fill_value() -> None:
    z = zchunk.full((2, 10**6), 7, chunks=(1, 10**6), dtype="i4", compressor=None, store=Far())
    z[0] = 1
    assert z[:, 5:7].tolist() == [[1, 1], [7, 7]]


@pytest.mark.parametrize("codec", CODECS)
def test_damaged_chunks_raise_or_read_as_they_are(codec: str) -> None:
    """Whatever is stored: no crash, and what the whole chunk says, or an error."""
    data = numbers((4, 2**18))
    z = zchunk.create(
        data.shape, chunks=data.shape, dtype="i4", compressor=CODECS[codec], store=Far(), fill_value=0
    )
    z[...] = data
    good = z.store._mutable_mapping["0.0"]
    rng = np.random.default_rng(1)
    for trial in range(200):
        bad = bytearray(good)
        where = rng.integers(0, 64 if trial % 2 else len(bad), 3)
        for position in where:
            bad[position] = rng.integers(256)
        if trial % 5 == 0:
            del bad[int(rng.integers(len(bad))) :]
        z.store._mutable_mapping["0.0"] = bytes(bad)
        try:
            found = z[2, 1000:1010]
        except ChunkError:
            continue
        assert found.shape == (10,)


def test_a_chunk_replaced_meanwhile_is_old_or_new(fast_s3_server: Any) -> None:
    place = fast_s3_server.new("x")
    z = zchunk.open_array(
        place.url, "w", shape=(2, 2**19), chunks=(2, 2**19), dtype="i8", storage_options=place.options,
        compressor=Blosc("lz4", 1, Blosc.NOSHUFFLE, 2**18),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    states = [rng.integers(0, 2**60, (2, 2**19)) for _ in range(2)]
    z[...] = states[0]
    old = z.store
    seen = []

    class Replaced(type(old)):  # type: ignore[misc]
        def get_ranges(self, key: str, ranges: Any, version: Any = None) -> Any:
            seen.append(version)
            z[...] = states[1]
            return super().get_ranges(key, ranges, version)

    other = zchunk.Array(Replaced(old.store, old.prefix), read_only=True)
    np.testing.assert_array_equal(other[1, 5:9], states[1][1, 5:9])
    assert seen
    assert seen[0] is not None


def test_the_plain_path_agrees(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "native_enabled", False)
    for z in made[0]:
        np.testing.assert_array_equal(z[1:3, 7:9, 5:1500], made[1][1:3, 7:9, 5:1500])


def test_blocks_in_any_order() -> None:
    """Frames by writers with several threads."""
    head = bytearray(partial_reads._FRAME.pack(2, 1, 0, 4, 10 * 2**20, 2**20, 8 * 2**20))
    starts = [int(n) for n in np.random.default_rng(0).permutation(10) * 800_000 + 100_000]
    head += np.array(starts, "<i4").tobytes()
    ranges = partial_reads._needed(bytes(head), 8 * 2**20, 10 * 2**20, 4, 3 * 2**20, 3 * 2**20 + 5)
    stop = min([start for start in starts if start > starts[3]], default=8 * 2**20)
    assert ranges == [(starts[3], stop)]


def test_a_store_of_files_is_not_asked(tmp_path: Path) -> None:
    z = zchunk.open_array(tmp_path / "x", "w", shape=2**20, chunks=2**20, dtype="i4", compressor=None)
    z[...] = 1
    assert z[5] == 1


def test_positions_that_are_there_twice(made: Any) -> None:
    """The decoder looks at all of such a chunk."""
    for z in made[0]:
        for selection in ((slice(None), [100, 100, 101], slice(None)), ([1, 1], slice(5), [7, 7, 1500])):
            picked = [np.arange(n)[axis] for n, axis in zip(z.shape, selection, strict=True)]
            np.testing.assert_array_equal(z.oindex[selection], made[1][np.ix_(*picked)])


def test_blocks_that_end_within_an_item() -> None:
    dtype = np.dtype([("a", "i1", (11,))])
    data = np.random.default_rng(0).integers(0, 5, (2 * 10**6, 11), "i1").view(dtype)[:, 0]
    z = zchunk.create(data.shape, chunks=data.shape, dtype=dtype, compressor=Blosc("lz4", 5, 0), store=Far())
    z.store["0"] = Blosc("lz4", 5, 0, 2**17).encode(data.view("i1"))
    assert (z[10**6 : 10**6 + 100] == data[10**6 : 10**6 + 100]).all()


def test_a_header_that_lies_takes_no_memory() -> None:
    for flags in (0, 2):
        head = partial_reads._FRAME.pack(2, 1, flags, 4, 2**31 - 1, 1, 700_000) + bytes(65520)
        assert partial_reads._needed(head, 700_000, 2**31 - 1, 4, 0, 4) is None


def test_memory_that_may_change_is_copied() -> None:
    class Reused(KVStore):
        def batches(self, keys: Any, nbytes: int, most: int | None = None) -> Any:
            old: list[bytearray] = []
            for key in keys:
                for value in old:
                    value[:] = b"\xee"
                old = [bytearray(self._mutable_mapping[key])]
                yield old

    z = zchunk.create(2**22, chunks=2**14, dtype="i4", compressor=None, store=Reused({}))
    z[...] = np.arange(2**22)
    np.testing.assert_array_equal(z[:], np.arange(2**22))
