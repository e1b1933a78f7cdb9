"""`Block` and `PerRank`."""

from __future__ import annotations

import numpy as np
import pytest

from zchunk.checkpoint import Block, PerRank
from zchunk.wings.checkpoint.boxes import Box


def test_a_block_knows_its_box() -> None:
    block = Block(np.zeros((2, 3)), (4, 0), (6, 3), ["y", "x"])
    assert block.box == Box((4, 0), (2, 3))
    assert block.offset == (4, 0)
    assert block.dimension_names == ("y", "x")


def test_a_block_keeps_the_array_itself() -> None:
    array = np.zeros(3)
    assert Block(array, (0,), (3,)).array is array
    assert Block([1, 2], (0,), (2,)).array.tolist() == [1, 2]


def test_an_empty_block_may_be_anywhere() -> None:
    assert Block(np.zeros((0, 3)), (99, 99), (6, 3)).array.size == 0


@pytest.mark.parametrize(
    ("offset", "shape", "text"),
    [
        ((5, 0), (6, 3), "reaches outside"),
        ((-1, 0), (6, 3), "reaches outside"),
        ((0,), (6, 3), "as many numbers"),
    ],
)
def test_a_block_lies_in_the_array(offset: tuple[int, ...], shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Block(np.zeros((2, 3)), offset, shape)


def test_there_is_a_name_for_every_axis() -> None:
    with pytest.raises(ValueError, match="2 axes"):
        Block(np.zeros((2, 3)), (0, 0), (2, 3), ("x",))


def test_per_rank_shows_its_value() -> None:
    assert repr(PerRank(7)) == "PerRank(7)"


def test_a_masked_block_is_refused() -> None:
    with pytest.raises(TypeError, match="a masked array cannot be stored"):
        Block(np.ma.masked_equal([1, 2], 2), (0,), (2,))
