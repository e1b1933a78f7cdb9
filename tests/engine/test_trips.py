"""The table of routes, and how often trips through the code change from one file of zchunk to another.

A reader of the code follows a read or write from file to file. The bounds keep the way short; when a change
of the code makes it longer, look for a function that is handed up or for a step that goes back.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.engine import execute
from zchunk.storage import MemoryStore, ObjectStore

obstore = pytest.importorskip("obstore.store")
PACKAGE = str(Path(zchunk.__file__).parent)
ROWS = np.arange(800, dtype="i4").reshape(8, 100)


def changes_of_file(trip: Callable[[], Any]) -> int:
    """How often a call of a function of zchunk is in another file than the call before in its thread."""
    files: dict[int, list[str]] = {}

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            files.setdefault(threading.get_ident(), []).append(frame.f_code.co_filename)

    # Threads that were there before are not traced: the trip is to start its own.
    zchunk.set_threads(2)
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        trip()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        zchunk.set_threads(None)
    return sum(a != b for calls in files.values() for a, b in pairwise(calls))


def most_changes(trip: Callable[[int], Any]) -> int:
    """The most of several trips, in which threads share the work differently; the first one imports."""
    trip(0)
    return max(changes_of_file(lambda turn=turn: trip(turn)) for turn in range(1, 6))  # type: ignore[misc]


def test_local_read(tmp_path: Path) -> None:
    z = zchunk.array(ROWS, chunks=(1, 100), store=tmp_path)
    assert most_changes(lambda turn: z[...]) <= 14
    assert most_changes(lambda turn: z[3, 3]) <= 8


def test_partial_write(tmp_path: Path) -> None:
    z = zchunk.array(ROWS, chunks=(1, 100), store=tmp_path)
    assert most_changes(lambda turn: z.set_basic_selection((slice(2), slice(50)), 3)) <= 20


@pytest.mark.parametrize(("shards", "most"), [(None, 90), ((4, 100), 150)])
def test_far_read(shards: Any, most: int) -> None:
    """Eight chunks, or two shards that hold them."""
    memory = obstore.MemoryStore()
    zchunk.create(
        (8, 100), chunks=(1, 100), shards=shards, dtype="i4", store=ObjectStore(memory), zarr_format=3
    )[...] = ROWS

    def trip(turn: int) -> None:
        # Another number of requests at a time: threads of its own.
        z = arrays[turn]
        np.testing.assert_array_equal(z[...], ROWS)

    arrays = [zchunk.open(ObjectStore(memory, concurrency=200 + turn), mode="r") for turn in range(6)]
    assert most_changes(trip) <= most


@pytest.mark.parametrize("write", [False, True])
def test_shards(tmp_path: Path, write: bool) -> None:
    """Two shards of four chunks."""
    z = zchunk.create((8, 100), chunks=(1, 100), shards=(4, 100), dtype="i4", store=tmp_path, zarr_format=3)
    z[...] = ROWS
    if write:
        assert most_changes(lambda turn: z.set_basic_selection(slice(1, 7), turn)) <= 98
    else:
        assert most_changes(lambda turn: z[...]) <= 56


def test_a_long_way_is_counted() -> None:
    """The bounds are of something: a store in Python is called for every chunk."""
    few = zchunk.array(ROWS, chunks=(4, 100), store=MemoryStore())
    many = zchunk.array(ROWS, chunks=(1, 10), store=MemoryStore())
    assert most_changes(lambda turn: few[...]) + 40 < most_changes(lambda turn: many[...])


def test_the_table_of_routes_in_the_docstring_is_that_of_the_code() -> None:
    assert execute.__doc__ is not None
    _, _, rows, _ = re.split(r"^=[= ]+$", execute.__doc__, flags=re.MULTILINE)
    table = [(row.split()[0], row) for row in rows.splitlines() if row and not row[0].isspace()]
    assert [name for name, _ in table] == [route.name for route in execute.ROUTES]
    for route, (_, row) in zip(execute.ROUTES, table, strict=True):
        for function in (route.read, route.write):
            module = getattr(function, "__module__", execute.__name__)
            if module != execute.__name__:
                assert f"`{module.rpartition('.')[2]}.{function.__name__}`" in row
        assert (route.write is None) == bool(re.search(r" -( \(refused\))?$", row))
