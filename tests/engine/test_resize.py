"""Resizing and appending: what appears is the fill value, and the array is valid at any moment."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests import variants
from tests.choice import rounds
from tests.variants import Variant
from zchunk.storage import KVStore

pytestmark = pytest.mark.usefixtures("path", "variant")


@given(
    steps=st.lists(
        st.tuples(st.tuples(st.integers(0, 11), st.integers(0, 11)), st.booleans()), min_size=1, max_size=6
    ),
    chunks=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    separator=st.sampled_from("./"),
    write_empty=st.booleans(),
    fill=st.sampled_from([0, 7]),
)
def test_resize_against_numpy(
    steps: list[tuple[tuple[int, int], bool]], chunks: tuple[int, int], separator: str, write_empty: bool,
    fill: int, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    z = zchunk.full(
        (8, 8), fill_value=fill, chunks=chunks, dtype="u1", dimension_separator=separator,
        write_empty_chunks=write_empty, store=tmp_path_factory.mktemp("a"),
    )  # fmt: skip
    expected = np.full((8, 8), fill, "u1")
    for n, (shape, write) in enumerate(steps):
        if write:
            z[...] = expected[...] = n + 1
        grown = np.full(shape, fill, "u1")
        low = tuple(slice(min(a, b)) for a, b in zip(shape, expected.shape, strict=True))
        grown[low] = expected[low]
        z.resize(*shape)
        expected = grown
        np.testing.assert_array_equal(z[...], expected)
        np.testing.assert_array_equal(zchunk.open_array(z.store)[...], expected)
        assert z.nchunks_initialized == len(chunk_names(z.store)) * variants.chunks_per_key(z)


def test_the_same_shape_erases_what_a_killed_process_has_left(variant: Variant) -> None:
    z = zchunk.array(np.ones((8, 8)), chunks=2, store=zchunk.MemoryStore())
    metadata = z.store[variant.array_key]
    names = sorted(chunk_names(z.store))
    z.resize(8, 5)
    small = z.store[variant.array_key]
    z.store[variant.array_key] = metadata
    z = zchunk.open_array(z.store)
    z[...] = 1
    assert sorted(chunk_names(z.store)) == names
    # As if the process were killed when it had published the metadata.
    z.store[variant.array_key] = small
    zchunk.open_array(z.store).resize(8, 5)
    assert 0 < len(chunk_names(z.store)) < len(names)
    assert zchunk.verify(z.store)


def chunk_names(store: Any) -> list[str]:
    return [key for key in store if key not in (".zarray", "zarr.json")]


@pytest.mark.parametrize("separator", [".", "/"])
def test_stale_chunks_are_not_seen(separator: str, tmp_path: Path) -> None:
    """A crash between metadata and erasing leaves chunks outside; so do foreign writers."""
    z = zchunk.ones((8, 8), chunks=3, dtype="i4", dimension_separator=separator, store=tmp_path)
    z[...] = 5
    left = {key: z.store[key] for key in chunk_names(z.store)}
    z.resize(4, 4)
    z.store.set_many(left)
    z.resize(4, 8)
    z.resize(9, 9)
    expected = np.ones((9, 9))
    expected[:4, :4] = 5
    np.testing.assert_array_equal(z[...], expected)


@pytest.mark.parametrize("separator", [".", "/"])
def test_append_over_stale_chunks(separator: str, tmp_path: Path) -> None:
    z = zchunk.ones((8, 4), chunks=3, dtype="i4", dimension_separator=separator, store=tmp_path)
    z[...] = 5
    left = {key: z.store[key] for key in chunk_names(z.store)}
    z.resize(4, 4)
    z.store.set_many(left)
    assert z.append(np.full((1, 4), 6)) == (5, 4)
    z.resize(8, 4)
    np.testing.assert_array_equal(z[...], np.repeat([[5], [6], [1]], [4, 1, 3], axis=0) * np.ones((1, 4)))


@pytest.mark.variants("v2", "v3", reason="makes chunks that are no shards")
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize(
    ("low", "high"), [((20, 20), (60, 60)), ((60, 60), (62, 61)), ((60, 20), (60, 200)), ((0, 60), (7, 60))]
)
def test_what_growing_uncovers(
    separator: str, low: tuple[int, int], high: tuple[int, int], variant: Variant, tmp_path: Path
) -> None:
    """By looking up chunks or by a listing, whichever is shorter: what was left is erased, and only that."""
    z = zchunk.ones((200, 200), chunks=2, dtype="i4", dimension_separator=separator, store=tmp_path)
    z.resize(low)
    z[...] = 5
    places = [(i, j) for i in range(0, 100, 3) for j in range(0, 100, 7)]
    keys = {variant.chunk(*place, separator=separator): place for place in places}
    chunk = zchunk.codecs.Blosc().encode(np.full((2, 2), 7, "i4"))
    left = {key: chunk for key in keys if key not in z.store}
    z.store.set_many(left)
    z.resize(high)
    expected = np.ones(high)
    expected[: low[0], : low[1]] = 5
    np.testing.assert_array_equal(z[...], expected)
    grid = z.cdata_shape
    beyond = [key for key in left if any(c >= n for c, n in zip(keys[key], grid, strict=True))]
    assert all(key in z.store for key in beyond)
    assert len(list(z.store)) == 1 + len(beyond) + (low[0] // 2) * (low[1] // 2)


def test_structured_fill_value_with_padding(tmp_path: Path) -> None:
    dtype = np.dtype([("a", "u1"), ("b", "<f8")], align=True)
    z = zchunk.full(5, fill_value=(3, 1.5), dtype=dtype, chunks=4, store=tmp_path)
    z[...] = (1, 2.0)
    z.resize(2)
    z.resize(6)
    assert z[...].tolist() == [(1, 2.0)] * 2 + [(3, 1.5)] * 4


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_append_along_any_axis(axis: int, tmp_path: Path) -> None:
    source = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    z = zchunk.array(source, chunks=(2, 3, 2), store=tmp_path)
    more = [np.take(source, indices, axis) + 100 for indices in ([0], [1, 2], [], [0, 1, 2])]
    for items in more:
        source = np.concatenate([source, items], axis)
        assert z.append(items, axis) == source.shape
    np.testing.assert_array_equal(zchunk.open_array(tmp_path)[...], source)


def test_append_converts(tmp_path: Path) -> None:
    z = zchunk.zeros(0, chunks=2, dtype=[("a", "i4"), ("b", "f8")], store=tmp_path)
    z.append([(1, 2.0), (3, 4.0)])
    assert z[...].tolist() == [(1, 2.0), (3, 4.0)]


@pytest.mark.parametrize(
    ("shape", "axis", "error"),
    [
        ((2, 4), 0, ValueError), ((3,), 0, ValueError), ((), 0, ValueError), ((2, 3), 2, ValueError),
        ((2, 3), -3, ValueError), ((2, 3), "x", TypeError), ((1, 2, 3), 0, ValueError),
    ],
)  # fmt: skip
def test_append_of_what_does_not_fit(shape: Any, axis: Any, error: type[Exception], tmp_path: Path) -> None:
    z = zchunk.ones((2, 3), store=tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(error):
        z.append(np.zeros(shape), axis)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("shape", [(3,), (3, 3, 3), (-1, 2), ("a", 2), (1.5, 2), (2**63, 1)])
def test_resize_to_what_cannot_be(shape: Any, tmp_path: Path) -> None:
    z = zchunk.ones((2, 3), store=tmp_path)
    z[...] = 4
    with pytest.raises((ValueError, TypeError)):
        z.resize(*shape)
    with pytest.raises((ValueError, TypeError)):
        z.resize(shape)
    np.testing.assert_array_equal(zchunk.open_array(tmp_path)[...], np.full((2, 3), 4))


class Noting(dict):  # type: ignore[type-arg]
    """A dict that notes the calls that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any]] = []

    def __getitem__(self, key: str) -> Any:
        self.calls.append(("get", key))
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.calls.append(("set", key))
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.calls.append(("del", key))
        super().__delitem__(key)

    def __iter__(self) -> Iterator[str]:
        self.calls.append(("list", None))
        return super().__iter__()


def test_aligned_append_reads_no_chunk_and_lists_nothing(variant: Variant) -> None:
    store = Noting()
    z = zchunk.zeros((4, 4), chunks=2, store=store)
    z[...] = 1
    store.calls.clear()
    z.append(np.ones((2, 4)))
    # The metadata are read, for another thread may have appended; in format 3 attributes are with them.
    meta = variant.array_key
    again = [] if variant.kind == "v2" else [("get", meta)]
    chunks = dict.fromkeys([variant.chunk(2, 0), variant.chunk(2, 1)])
    assert store.calls == [("get", meta), *(("set", key) for key in chunks), *again, ("set", meta)]


def test_erasing_reads_no_chunk_and_metadata_come_first(variant: Variant) -> None:
    store = Noting()
    z = zchunk.zeros((6, 2), chunks=2, store=store)
    z[...] = 1
    store.calls.clear()
    z.resize(2, 2)
    meta = variant.array_key
    gone = [key for key in variant.keys(3, 1) if key != variant.chunk(0, 0)]
    read = [("get", meta)] * (1 if variant.kind == "v2" else 2)
    assert [call for call in store.calls if call[0] != "list"] == [
        *read,
        ("set", meta),
        *(("del", key) for key in gone),
    ]
    store.calls.clear()
    z.resize(6, 2)
    if not variant.sharded:
        assert store.calls == [*read, ("set", meta)]
    assert z.store == KVStore(store)


APPENDER = """
import sys, numpy as np, zchunk
z = zchunk.open_array(sys.argv[1], "r+")
print("go", flush=True)
while True:
    n = len(z)
    z.append(np.full((7, 50), 1 + n // 7, "i4"))
    if n > 400:
        z.resize(70, 50)
"""


@pytest.mark.each_value
def test_killed_while_appending_and_resizing(tmp_path: Path, path: str) -> None:
    """Whenever the process dies, every row that the metadata have holds what was put there."""
    z = zchunk.zeros((0, 50), chunks=(5, 20), dtype="i4", store=tmp_path)
    rng = random.Random(1)
    for _ in range(rounds(12)):
        child = subprocess.Popen([sys.executable, "-c", APPENDER, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n"
        time.sleep(rng.uniform(0.001, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        z = zchunk.open_array(tmp_path)
        assert len(z) % 7 == 0
        np.testing.assert_array_equal(
            z[...], np.repeat(np.arange(1, len(z) // 7 + 1), 7)[:, None] * np.ones(50)
        )
        # What the process left beyond the edge is not seen either.
        n = len(z)
        z.resize(n + 20, 50)
        assert not z[n:].any()
        z.resize(n, 50)


@pytest.mark.variants("sharded", reason="about chunks in shards")
@pytest.mark.parametrize("write_empty", [True, False])
def test_growing_stores_no_chunk_in_a_shard_that_was_not_there(write_empty: bool, tmp_path: Path) -> None:
    z = zchunk.full(
        (5, 6), fill_value=7, chunks=(2, 2), shards=(12, 6), dtype="i4", store=tmp_path,
        write_empty_chunks=write_empty,
    )  # fmt: skip
    z[:3] = 1
    before = sorted(z.stored_chunks())
    z.resize(20, 6)
    assert sorted(z.stored_chunks()) == before == [(i, j) for i in range(2) for j in range(3)]
    expected = np.full((20, 6), 7)
    expected[:3] = 1
    np.testing.assert_array_equal(z[...], expected)
    # What an earlier, larger array left beyond the edge goes; what is cut by the edge is cleared.
    z[...] = 5
    z.resize(5, 6)
    z.resize(11, 6)
    assert sorted(z.stored_chunks()) == [(i, j) for i in range(3) for j in range(3)]
    assert (z[:5] == 5).all()
    assert (z[5:] == 7).all()
