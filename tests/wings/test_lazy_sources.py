"""Stored arrays are found below whatever wraps them."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.wings.lazy_sources import arrays_in


class Wrapper:
    def __init__(self, inside: Any) -> None:
        self.inside = inside


def closed_over(z: Any) -> Any:
    return lambda: z[...]


def as_default(z: Any) -> Any:
    def read(source: Any = z, *, again: Any = z) -> Any:
        return source[...], again

    return read


WRAPPERS = [lambda z: {"a": [z]}, Wrapper, closed_over, as_default, partial(partial, print)]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_found_below(wrap: Any) -> None:
    z = zchunk.zeros(3)
    found = arrays_in(wrap(z))
    assert found
    assert all(array is z for array in found)


def test_what_cannot_be_pickled_hides_nothing_before_it() -> None:
    z = zchunk.zeros(3)
    assert arrays_in([z, threading.Lock()]) == [z]


def test_nothing_is_found_in_values() -> None:
    assert arrays_in([np.zeros(10**6), "text", len, np, 5]) == []


def test_dask_graphs() -> None:
    da = pytest.importorskip("dask.array")
    z = zchunk.ones((4, 4), chunks=2)
    lazy = (da.from_array(z) + 1).sum()
    assert {id(array) for array in arrays_in(lazy.__dask_graph__())} == {id(z)}
