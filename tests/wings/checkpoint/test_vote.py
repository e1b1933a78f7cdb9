"""Votes: one error on all ranks."""

from __future__ import annotations

import errno
import threading
from typing import Any

import pytest

from tests.wings.checkpoint.ranks import on_ranks
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.vote import on_first, together


class Bound(Exception):
    """An error that does not pickle: it holds something of its process."""

    def __init__(self) -> None:
        super().__init__("bound")
        self.lock = threading.Lock()


def test_results_of_all() -> None:
    assert on_ranks(3, lambda comm: together(comm, lambda: comm.rank)) == [[0, 1, 2]] * 3
    assert on_ranks(3, lambda comm: on_first(comm, lambda: comm.rank)) == [0] * 3


@pytest.mark.parametrize("failing", [{0}, {1}, {1, 2}, {0, 1, 2}])
def test_the_first_error_is_that_of_all(failing: set[int]) -> None:
    def work(comm: Any) -> None:
        def write() -> None:
            if comm.rank in failing:
                raise OSError(errno.ENOSPC, f"no space on {comm.rank}")

        together(comm, write)

    errors = on_ranks(3, work)
    for error in errors:
        assert isinstance(error, OSError)
        assert (error.errno, error.strerror) == (errno.ENOSPC, f"no space on {min(failing)}")
        assert error.__notes__ == [f"zchunk: on rank {min(failing)} of 3"]


def test_an_error_that_cannot_travel() -> None:
    def work(comm: Any) -> None:
        def write() -> None:
            if comm.rank == 1:
                raise Bound

        together(comm, write)

    errors = on_ranks(2, work)
    assert isinstance(errors[1], Bound)
    assert isinstance(errors[0], CheckpointError)
    assert "rank 1 failed: Bound: bound" in str(errors[0])


def test_ctrl_c_on_one_rank_is_an_error_on_the_others() -> None:
    def work(comm: Any) -> None:
        def write() -> None:
            if comm.rank == 0:
                raise KeyboardInterrupt

        on_first(comm, write)

    errors = on_ranks(2, work)
    assert isinstance(errors[0], KeyboardInterrupt)
    assert isinstance(errors[1], CheckpointError)


def test_alone_the_error_is_as_it_was() -> None:
    error = ValueError("wrong")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="wrong") as caught:
        together(Alone(), fail)
    assert caught.value is error
    assert not hasattr(error, "__notes__")
