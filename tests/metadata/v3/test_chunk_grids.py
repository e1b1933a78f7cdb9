"""The grids of format 3: read, refused, written as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zchunk.errors import MetadataError
from zchunk.metadata.v3 import document
from zchunk.metadata.v3.chunk_grids import largest_chunk, parse_grid, render_grid

SHAPE = (6, 10)


def regular(*lengths: Any) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": list(lengths)}}


def rectilinear(*axes: Any, kind: Any = "inline") -> dict[str, Any]:
    return {"name": "rectilinear", "configuration": {"kind": kind, "chunk_shapes": list(axes)}}


def test_regular() -> None:
    assert parse_grid(regular(2, 20), SHAPE) == ((2, 20), None)
    assert parse_grid(regular(), ()) == ((), None)


def test_rectilinear() -> None:
    chunk_shape, edges = parse_grid(rectilinear([1, 2, 3], [[5, 2]]), SHAPE)
    assert edges == ((1, 2, 3), ((5, 2),))
    assert largest_chunk(SHAPE, chunk_shape, edges) == (3, 5)
    assert parse_grid(rectilinear(2, [4, 6]), SHAPE)[1] == (2, (4, 6))
    assert largest_chunk(SHAPE, (2, 3), None) == (2, 3)


@pytest.mark.parametrize(
    "grid",
    [
        regular(2), regular(2, 0), regular(2, "5"), regular(2, True), regular(2, 2.0), regular(2, 2**63),
        {"name": "regular"}, {"name": "hexagonal"}, "regular",
        rectilinear([6]), rectilinear([6], [0]), rectilinear([6], [[5, 2, 1]]), rectilinear([6], [True]),
        rectilinear([6], [[5, 2**63]]), rectilinear([6], "10"), rectilinear([6], [10], kind="file"),
        {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": 5}},
    ],
    ids=lambda grid: json.dumps(grid)[:60],
)  # fmt: skip
def test_refused(grid: Any) -> None:
    with pytest.raises(MetadataError):
        parse_grid(grid, SHAPE)


@pytest.mark.parametrize("grid", [regular(2, 5), rectilinear([1, 2, 3], [[5, 2]]), rectilinear(2, [4, 6])])
def test_written_as_they_were(grid: dict[str, Any]) -> None:
    members = {
        "zarr_format": 3, "node_type": "array", "shape": SHAPE, "data_type": "int8", "chunk_grid": grid,
        "chunk_key_encoding": "default", "fill_value": 0, "codecs": ["bytes"],
    }  # fmt: skip
    metadata = document.parse_array(json.dumps(members).encode(), "zarr.json")
    assert render_grid(metadata) == grid
