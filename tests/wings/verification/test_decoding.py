"""Chunks in shards: where they lie, and which of them is damaged."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.wings.verification import archives
from tests.wings.verification.archives import flipped, kinds
from zchunk.codecs import Crc32c
from zchunk.codecs.shard_index import EMPTY
from zchunk.engine.array import ChunkedArray
from zchunk.errors import ValueChangedError
from zchunk.wings.verification.decoding import Decoder, _boxes
from zchunk.wings.verification.report import Report


def shard(location: str = "end", checksum: bool = True) -> zchunk.Array:
    """An array of one shard of four chunks."""
    codecs: list[Any] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    codecs += [{"name": "crc32c"}] if checksum else []
    serializer = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [2, 2],
            "codecs": codecs,
            "index_codecs": [*codecs[:1], {"name": "crc32c"}],
            "index_location": location,
        },
    }
    z = zchunk.create((4, 4), (4, 4), "i4", compressors=None, serializer=serializer, zarr_format=3)
    z[...] = np.arange(1, 17).reshape(4, 4)
    return z


def with_entries(z: zchunk.Array, entries: Any, payload: bytes) -> None:
    """Replace the shard by one of these entries, with a valid index at the end."""
    index = Crc32c().encode(np.asarray(entries, "<u8").tobytes())
    z.store["c/0/0"] = payload + index


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("checksum", [True, False])
def test_in_order(location: str, checksum: bool) -> None:
    z = shard(location, checksum)
    assert zchunk.verify(z), str(zchunk.verify(z))
    z[:2, :2] = 0
    z[2:, 2:] = 7
    assert zchunk.verify(z)


class TestPlaces:
    payload = bytes(64)

    @pytest.mark.parametrize(
        ("places", "kind"),
        [
            ([(0, 16), (16, 16), (32, 16), (48, 16)], None),
            ([(48, 16), (0, 16), (32, 16), (16, 16)], None),
            ([(0, 16), (0, 16), (32, 16), (48, 16)], "shard-overlap"),
            ([(0, 16), (8, 16), (32, 16), (48, 16)], "shard-overlap"),
            ([(0, 16), (16, 16), (32, 16), (60, 16)], "shard-overlap"),
            ([(0, 16), (EMPTY, EMPTY), (32, 16), (48, 16)], "shard-hole"),
            ([(EMPTY, EMPTY)] * 4, "shard-hole"),
        ],
    )
    def test_overlaps_and_holes(self, places: Any, kind: str | None) -> None:
        z = shard(checksum=False)
        with_entries(z, places, self.payload)
        assert kinds(zchunk.verify(z)) == ({} if kind is None else {"c/0/0": [kind]})

    @pytest.mark.parametrize("place", [(EMPTY, 16), (0, EMPTY), (200, 16), (2**63, 2**63)])
    def test_an_index_that_points_elsewhere(self, place: Any) -> None:
        z = shard(checksum=False)
        with_entries(z, [place, (16, 16), (32, 16), (48, 16)], self.payload)
        report = zchunk.verify(z)
        assert kinds(report) == {"c/0/0": ["shard-index"]}
        # The key says where it is.
        assert report.findings[0].detail.startswith("its index is wrong: ")

    @given(st.permutations(range(4)))
    def test_swapped_entries_without_a_new_checksum(self, order: list[int]) -> None:
        z = shard()
        raw = z.store["c/0/0"]
        entries = np.frombuffer(raw[-68:-4], "<u8").reshape(4, 2)
        z.store["c/0/0"] = raw[:-68] + entries[order].tobytes() + raw[-4:]
        assert bool(zchunk.verify(z)) == (order == sorted(order))


@given(st.integers(0, 8 * 20 * 4 - 1))
def test_the_damaged_chunk_is_named(bit: int) -> None:
    z = shard()
    z.store["c/0/0"] = flipped(z.store["c/0/0"], bit)
    (finding,) = zchunk.verify(z).findings
    assert (finding.key, finding.kind) == ("c/0/0", "chunk-checksum")
    assert finding.inner == divmod(bit // 8 // 20, 2)
    assert finding.to_dict()["inner"] == list(finding.inner or ())


def test_shards_by_requests_of_a_store_in_which_they_are_replaced() -> None:
    class Changing(zchunk.MemoryStore):
        """A store of which a shard is replaced before the first of its chunks is read."""

        left = 1
        versioned = True
        concurrency = 4  # type: ignore[assignment]

        def get_ranges(self, key: str, ranges: Any, version: Any = None) -> list[bytes]:
            if self.left:
                self.left -= 1
                raise ValueChangedError(key)
            return super().get_ranges(key, ranges, version)

        def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
            return self[key][start:stop]

    store = Changing()
    archives.make(store, 3, "checked_shards")
    assert zchunk.verify(store), str(zchunk.verify(store))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 400)), max_size=3),
    st.data(),
)
def test_boxes_hold_every_chunk_once_and_few_bytes(axes: list[tuple[int, int]], data: st.DataObject) -> None:
    shape, chunks = tuple(n * c for n, c in axes), tuple(c for _, c in axes)
    z = zchunk.create(shape, chunks, "u1")
    every = list(itertools.product(*(range(n) for n, _ in axes)))
    coords = data.draw(st.lists(st.sampled_from(every), unique=True))
    array: ChunkedArray = z._chunked
    boxes = list(_boxes(array, coords))
    assert sorted(at for box in boxes for at in box.coords) == sorted(coords)
    for box in boxes:
        spans = [max(along) - min(along) + 1 for along in zip(*box.coords, strict=True)]
        assert math.prod(spans) * math.prod(chunks) <= max(1 << 20, math.prod(chunks))


def test_a_codec_that_is_refused_is_told_once_per_array() -> None:
    store = zchunk.MemoryStore()
    z = zchunk.create(4, 1, object, store=store, object_codec=numcodecs.JSON())
    z[:] = ["a", "b", "c", "d"]
    store[".zarray"] = store[".zarray"].replace(b'"json2"', b'"pickle"')
    report = zchunk.verify(store)
    assert [finding.kind for finding in report.findings] == ["not-checked"]


def test_what_else_is_looked_at() -> None:
    z = zchunk.array(np.arange(6), chunks=2)
    report = Report("")
    decoder = Decoder(report, lambda array, key, items: "odd" if items[0] == 2 else None)
    decoder.check(z._chunked, [(0,), (1,), (2,)], lambda amount: None)
    assert kinds(report) == {"1": ["chunk-differs"]}
    assert report.findings[0].detail == "odd"
