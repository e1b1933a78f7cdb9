"""Parameters of a manager."""

from __future__ import annotations

import os
from itertools import permutations
from typing import Any

import pytest

import zchunk
from zchunk.wings.checkpoint.parameters import ThreadShare, check_at_least_1, check_one_of, use_threads


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_numbers_below_1(number: Any) -> None:
    check_at_least_1(threads=1, files=None)
    with pytest.raises(ValueError, match="files is"):
        check_at_least_1(threads=1, files=number)


def test_words() -> None:
    check_one_of("verify", "full", ("full", "quick"))
    with pytest.raises(ValueError, match="verify is 'fast', not one of 'full', 'quick'"):
        check_one_of("verify", "fast", ("full", "quick"))


@pytest.fixture
def threads() -> Any:
    zchunk.set_threads(6)
    yield
    zchunk.set_threads(None)


@pytest.mark.usefixtures("threads")
def test_threads_that_are_given() -> None:
    share = use_threads(3, 1)
    assert share is not None
    assert zchunk.get_threads() == 3
    share.release()
    assert zchunk.get_threads() == 6


@pytest.mark.usefixtures("threads")
def test_processes_on_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZCHUNK_THREADS", raising=False)
    assert use_threads(None, 1) is None
    share = use_threads(None, 10 * (os.cpu_count() or 1))
    assert share is not None
    assert zchunk.get_threads() == 1
    share.release()
    assert zchunk.get_threads() == 6


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_managers_are_closed_in_any_order(order: tuple[int, ...]) -> None:
    shares = [ThreadShare(number) for number in (4, 2, 3)]
    for number in order:
        assert zchunk.get_threads() != 6
        shares[number].release()
        shares[number].release()
    assert zchunk.get_threads() == 6


@pytest.mark.usefixtures("threads")
def test_what_the_program_has_set_meanwhile_stays() -> None:
    share = ThreadShare(2)
    zchunk.set_threads(5)
    share.release()
    assert zchunk.get_threads() == 5


@pytest.mark.usefixtures("threads")
def test_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHUNK_THREADS", "6")
    assert use_threads(None, 1000) is None
