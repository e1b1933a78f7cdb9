"""Plans: what all processes say of their arrays fits together, and gives metadata for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zchunk.checkpoint import Block
from zchunk.wings.checkpoint.codecs import CRC32C
from zchunk.wings.checkpoint.plan import Part, Plan, groups_above, make_plan


def planned(*states: dict[str, Any], files: int | None = None) -> Plan:
    said = [
        {name: Part.of(leaf, False, rank) for name, leaf in state.items()}
        for rank, state in enumerate(states)
    ]
    return make_plan(said, [CRC32C], files)


def block(first: int, last: int, length: int = 8, **kwargs: Any) -> Block:
    return Block(np.zeros((last - first, 2)), (first, 0), (length, 2), **kwargs)


def test_metadata_of_a_distributed_array() -> None:
    plan = planned(
        {"u": block(0, 5, dimension_names=("t", "x"))}, {"u": block(5, 8, dimension_names=("t", "x"))}
    )
    metadata = plan.arrays["u"].draft.placement.metadata
    assert metadata is not None
    assert metadata.shape == (8, 2)
    assert metadata.chunk_shape == (5, 2)
    assert np.isnan(metadata.fill_value)
    assert b'"t"' in plan.arrays["u"].document


def test_shards_where_a_part_is_more_than_a_chunk() -> None:
    plan = planned({"u": Block(np.zeros((8, 2**17)), (0, 0), (8, 2**17))})
    metadata = plan.arrays["u"].draft.placement.metadata
    assert metadata is not None
    assert metadata.shards is not None
    assert metadata.shards.inner.chunk_shape == (1, 2**17)


def test_replicated_arrays_are_written_by_the_first() -> None:
    plan = planned({"k": np.arange(3), "z": np.array(1)}, {"k": np.arange(3), "z": np.array(1)})
    assert plan.arrays["k"].parts.owners == {(0,): 0}
    assert plan.arrays["z"].parts.owners == {(): 0}


def test_a_block_without_axes_is_one_that_all_have() -> None:
    both = {"t": Block(np.array(2.0), (), ())}
    assert planned(both, both).arrays["t"].parts.owners == {(): 0}


def test_groups_above_arrays() -> None:
    assert groups_above(planned({"a/b/c": np.arange(3), "a/d": np.arange(3)}).arrays) == ["a", "a/b"]


def test_coordinates_have_the_name_of_the_axis() -> None:
    plan = planned({"u": block(0, 8, dimension_names=("t", "x")), "x": np.arange(2), "w": np.arange(2)})
    documents = {name: array.document for name, array in plan.arrays.items()}
    assert b'"dimension_names": [\n    "x"\n  ]' in documents["x"]
    assert b'"w_axis0"' in documents["w"]


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (({"u": block(0, 8)}, {}), "in the state of rank 0 but not of rank 1"),
        (
            ({"u": block(0, 4)}, {"u": Block(np.zeros((4, 2), "f4"), (4, 0), (8, 2))}),
            "rank 0 has .*float64.*rank 1",
        ),
        (({"u": block(0, 4)}, {"u": block(4, 9, 9)}), r"\(8, 2\), rank 1 has .*\(9, 2\)"),
        (({"u": np.zeros(3)}, {"u": np.zeros(4)}), "rank 0 has an array of"),
        (({"u": block(0, 4)}, {"u": block(3, 8)}), "overlap"),
    ],
)
def test_processes_that_disagree(states: tuple[dict[str, Any], ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        planned(*states)
