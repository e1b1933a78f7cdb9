"""Communicators that a caller may give."""

from __future__ import annotations

import pytest

from tests.wings.checkpoint.ranks import Board, CopyingRank, ThreadRank, checked, on_ranks
from zchunk.wings.checkpoint.communicators import Alone, as_communicator, duplicate, for_thread, free


def test_none_is_one_process() -> None:
    comm = as_communicator(None)
    assert (comm.rank, comm.size) == (0, 1)
    assert comm.allgather("a") == ["a"] == comm.alltoall(["a"])
    assert comm.bcast("a") == "a"
    comm.barrier()
    assert isinstance(for_thread(comm), Alone)


def test_an_adapter_is_taken_as_it_is() -> None:
    comm = ThreadRank(Board(1), 0)
    assert as_communicator(comm) is comm


def test_what_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="has no rank, size, allgather"):
        as_communicator(object())
    with pytest.raises(TypeError, match="has no rank"):
        as_communicator(3)


def test_an_adapter_without_copies_is_used_by_one_thread() -> None:
    comm = ThreadRank(Board(1), 0)
    assert duplicate(comm) is None
    assert for_thread(comm) is None
    free(None)
    free(comm)


def test_a_copy_is_another_communicator() -> None:
    def work(comm: CopyingRank) -> list[list[int]]:
        other = duplicate(comm)
        assert other is not None
        return [comm.allgather(comm.rank), other.allgather(other.rank)]

    assert checked(on_ranks(3, work)) == [[[0, 1, 2], [0, 1, 2]]] * 3
