"""Shards and their owners: one writer for each, and every item in exactly one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.wings.checkpoint.boxes import Box
from zchunk.wings.checkpoint.decomposition import decompose, inner_chunks


def cuts(draw: st.DrawFn, length: int, size: int) -> list[tuple[int, int]]:
    edges = sorted(draw(st.lists(st.integers(0, length), min_size=size - 1, max_size=size - 1)))
    return list(zip([0, *edges], [*edges, length], strict=True))


@st.composite
def tilings(draw: st.DrawFn) -> tuple[tuple[int, ...], dict[int, Box]]:
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    rows, columns = (
        cuts(draw, shape[0], draw(st.integers(1, 4))),
        cuts(draw, shape[1], draw(st.integers(1, 3))),
    )
    parts = [Box((a, c), (b - a, d - c)) for a, b in rows for c, d in columns]
    return shape, {rank: box for rank, box in enumerate(parts) if box.size}


@given(tilings(), st.one_of(st.none(), st.integers(1, 5)))
def test_every_item_reaches_the_owner_of_its_shard(
    tiling: tuple[tuple[int, ...], dict[int, Box]], files: int | None
) -> None:
    shape, boxes = tiling
    parts = decompose("u", shape, 8, boxes, files)
    assert files is None or len(parts.owners) <= files
    where = np.full(shape, -1)
    for coords, owner in parts.owners.items():
        assert (where[parts.box(coords).slices] == -1).all()
        where[parts.box(coords).slices] = owner
    assert (where >= 0).all()
    sent = False
    for rank, box in boxes.items():
        slivers = parts.slivers(rank)
        sent |= bool(slivers)
        # What it does not send it writes itself.
        kept = (where[box.slices] == rank).sum()
        assert kept + sum(part.size for _, part in slivers) == box.size
        assert all((where[part.slices] == parts.owners[coords]).all() for coords, part in slivers)
    assert parts.has_slivers == sent


def test_equal_parts_are_shards() -> None:
    boxes = {rank: Box((4 * rank, 0), (min(4, 10 - 4 * rank), 5)) for rank in range(3)}
    parts = decompose("u", (10, 5), 8, boxes)
    assert parts.shard_shape == (4, 5)
    assert parts.owners == {(0, 0): 0, (1, 0): 1, (2, 0): 2}


def test_the_greatest_part_owns() -> None:
    parts = decompose("u", (10,), 8, {0: Box((0,), (3,)), 1: Box((3,), (7,))})
    assert parts.owners == {(0,): 1, (1,): 1}
    assert parts.slivers(0) == [((0,), Box((0,), (3,)))]


def test_parts_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="ranks 0 and 2 overlap"):
        decompose("u", (4,), 8, {0: Box((0,), (2,)), 1: Box((2,), (1,)), 2: Box((1,), (1,))})


def test_parts_that_leave_something_out_are_refused() -> None:
    with pytest.raises(ValueError, match="have 3 items; an array of shape"):
        decompose("u", (4,), 8, {0: Box((0,), (2,)), 2: Box((2,), (1,))})


def test_an_array_without_items_has_no_shards() -> None:
    assert decompose("u", (0, 3), 8, {}).owners == {}


def test_an_array_without_axes() -> None:
    assert decompose("u", (), 8, {0: Box((), ())}).owners == {(): 0}


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=3), st.sampled_from([1, 2, 8]))
def test_inner_chunks_divide_the_shard(shard: list[int], itemsize: int) -> None:
    chunk = inner_chunks(tuple(shard), itemsize, 1 << 10)
    assert all(length % part == 0 for length, part in zip(shard, chunk, strict=True))
    # Not one chunk for each item where the lengths are prime numbers.
    assert math.prod(chunk) == math.prod(shard) or math.prod(chunk) * itemsize * 32 > 1 << 10


def test_inner_chunks_are_in_one_piece() -> None:
    assert inner_chunks((512, 512, 512), 8) == (1, 256, 512)
    assert inner_chunks((1_000_003,), 8) == (1_000_003,)
    assert inner_chunks((4, 4), 8) == (4, 4)


def test_the_same_parts_in_other_shards() -> None:
    parts = decompose("u", (8, 4), 8, {0: Box((0, 0), (4, 4)), 1: Box((4, 0), (4, 4))})
    other = parts.with_shards((3, 4), (1, 4))
    assert (other.boxes, other.shard_shape, other.chunk_shape) == (parts.boxes, (3, 4), (1, 4))
    assert other.owners == {(0, 0): 0, (1, 0): 1, (2, 0): 1}
