"""Staging: whole shards from the parts of all, in buffers that are used again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block
from zchunk.wings.checkpoint.boxes import Box
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.plan import Part, make_plan
from zchunk.wings.checkpoint.staging import Buffers, Piece, stage

FULL = np.arange(23 * 3.0).reshape(23, 3)


def staged(comm: Any, leaves: dict[str, Any], buffers: Buffers, copy: bool) -> list[Piece]:
    said = comm.allgather({name: Part.of(leaf, False, comm.rank) for name, leaf in leaves.items()})
    return stage(make_plan(said, None, None), leaves, comm, buffers, copy)


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pieces_are_whole_shards(size: int, copy: bool) -> None:
    edges = np.linspace(0, len(FULL), size + 1).astype(int)

    def work(comm: Any) -> list[Piece]:
        first, last = edges[comm.rank : comm.rank + 2]
        return staged(comm, {"u": Block(FULL[first:last], (first, 0), FULL.shape)}, Buffers(), copy)

    count = np.zeros(FULL.shape, int)
    for pieces in checked(on_ranks(size, work)):
        for piece in pieces:
            assert (piece.items == FULL[piece.box.slices]).all()
            count[piece.box.slices] += 1
    assert (count == 1).all()


class TooLarge(np.ndarray[Any, Any]):
    """An array of which no part can be had."""

    def __getitem__(self, selection: Any) -> Any:
        raise MemoryError("no part")


def test_a_sliver_that_cannot_be_sent_is_an_error_there() -> None:
    def work(comm: Any) -> Any:
        blocks = {name: Block(np.ones(4), (4 * comm.rank,), (8,)) for name in ("u", "v")}
        said = comm.allgather({name: Part.of(block, False, comm.rank) for name, block in blocks.items()})
        if comm.rank == 1:
            blocks["u"].array = blocks["u"].array.view(TooLarge)
        # In one file each, of the first process; the exchanges after the failure take place, too.
        return stage(make_plan(said, None, 1), blocks, comm, Buffers(), copy=True)

    whole, error = on_ranks(2, work)
    assert [piece.name for piece in whole] == ["u", "v"]
    assert isinstance(error, MemoryError)


def test_without_a_copy_a_whole_shard_is_written_from_where_it_is() -> None:
    items = np.zeros((4, 4))
    (piece,) = staged(Alone(), {"u": Block(items, (0, 0), (4, 4))}, Buffers(), copy=False)
    assert np.shares_memory(piece.items, items)
    (piece,) = staged(Alone(), {"u": Block(items, (0, 0), (4, 4))}, Buffers(), copy=True)
    assert not np.shares_memory(piece.items, items)


def test_buffers_are_used_again() -> None:
    buffers = Buffers()
    (first,) = staged(Alone(), {"u": np.zeros(4)}, buffers, copy=True)
    (second,) = staged(Alone(), {"u": np.ones(4)}, buffers, copy=True)
    assert np.shares_memory(first.items, second.items)
    assert buffers.nbytes == 32
    (other,) = staged(Alone(), {"u": np.ones(4, "i2")}, buffers, copy=True)
    assert not np.shares_memory(other.items, second.items)
    assert buffers.nbytes == 8


def test_buffers_of_what_is_saved_no_more_are_given_back() -> None:
    buffers = Buffers()
    staged(Alone(), {"u": np.zeros(4), "v": np.zeros(2)}, buffers, copy=True)
    staged(Alone(), {"v": np.zeros(2)}, buffers, copy=True)
    assert buffers.nbytes == 16


def test_what_is_staged_is_as_it_was() -> None:
    items = np.zeros(())
    (piece,) = staged(Alone(), {"u": items}, Buffers(), copy=True)
    items[...] = 1
    assert piece == Piece("u", (), Box((), ()), piece.items)
    assert piece.items == 0
