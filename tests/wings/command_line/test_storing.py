from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.wings.command_line.storing import store_items


class Failing:
    """Items of which the second half cannot be read."""

    shape = (10,)

    def __getitem__(self, selection: tuple[slice, ...]) -> Any:
        raise OSError("unreadable")


def test_an_array_whose_items_cannot_be_read_is_not_there() -> None:
    store = zchunk.MemoryStore()
    with pytest.raises(OSError, match="unreadable"):
        store_items(Failing(), print, store=store, dtype="f4", chunks=5)
    assert [*store] == []


def test_items_are_stored() -> None:
    store = zchunk.MemoryStore()
    done: list[int] = []
    store_items(np.arange(10.0), done.append, store=store, dtype="f4", chunks=5, path="a")
    assert zchunk.open(store)["a"][9] == 9
    assert sum(done) == 40
