"""What all tests of checkpoints leave as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

import zchunk


@pytest.fixture(autouse=True)
def threads_are_given_back() -> Iterator[None]:
    """A manager that shares the cores with others changes the number of threads until it is closed."""
    before = zchunk.get_threads()
    yield
    if zchunk.get_threads() != before:
        # One that was not closed gives them back when it is no more.
        gc.collect()
    assert zchunk.get_threads() == before
