"""Ranks that are threads of the test: fast, and each waits for the others for a bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

# Far more than anything takes; what waits so long waits for ever.
TIMEOUT = 120


class Board:
    """What the ranks of a communicator have put down for each other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.given: list[Any] = [None] * size
        self.barrier = threading.Barrier(size)
        self.lock = threading.Lock()
        self.copies: dict[int, Board] = {}


class ThreadRank:
    """A communicator of ranks that are threads, as an adapter of a user might be."""

    def __init__(self, board: Board, rank: int) -> None:
        self.board, self.rank, self.size = board, rank, board.size
        self.made = 0

    def allgather(self, sendobj: Any) -> list[Any]:
        self.board.given[self.rank] = sendobj
        self.board.barrier.wait(TIMEOUT)
        found = list(self.board.given)
        self.board.barrier.wait(TIMEOUT)
        return found

    def bcast(self, obj: Any, root: int = 0) -> Any:
        return self.allgather(obj)[root]

    def alltoall(self, sendobj: list[Any]) -> list[Any]:
        return [row[self.rank] for row in self.allgather(sendobj)]

    def barrier(self) -> None:
        self.allgather(None)


class CopyingRank(ThreadRank):
    """One that a background thread can have a copy of."""

    def __init__(self, board: Board, rank: int) -> None:
        super().__init__(board, rank)
        # Copies that are not given back.
        self.open: list[CopyingRank] = []
        self.origin = self

    def dup(self) -> CopyingRank:
        with self.board.lock:
            board = self.board.copies.setdefault(self.made, Board(self.size))
        self.made += 1
        copy = CopyingRank(board, self.rank)
        copy.origin = self
        self.open.append(copy)
        return copy

    def free(self) -> None:
        self.origin.open.remove(self)


def on_ranks(size: int, work: Callable[[Any], Any], kind: type[ThreadRank] = CopyingRank) -> list[Any]:
    """Call `work` with a communicator on each of some ranks; return their results, or their errors."""
    board = Board(size)
    results: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(kind(board, rank))
        except BaseException as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * TIMEOUT)
        assert not thread.is_alive(), "a rank hangs"
    return results


def checked(results: list[Any]) -> list[Any]:
    """Return results, and raise the first error among them."""
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
