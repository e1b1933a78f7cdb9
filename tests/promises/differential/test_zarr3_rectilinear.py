"""Rectilinear grids beside zarr 3.4.2: the same results, files and metadata; each opens the other's array.

Left out, for zarr's answer is another one: growing after shrinking to a shape that cuts chunks (stale items),
and shards that grow by no whole number of chunks (zarr refuses them).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk.zarr3
from tests.promises.differential import zarr3_rectilinear as machine
from tests.promises.differential.peer import Peer, same_programs
from tests.promises.differential.strategies import repeats, selected, selection, values
from tests.promises.differential.zarr3_program import stored
from tests.promises.test_rectilinear import Model, grids

PYTHON = os.environ.get("ZCHUNK_ZARR3_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="ZCHUNK_ZARR3_PYTHON names no interpreter with zarr 3.4.2"
)


@pytest.fixture(scope="module")
def zarr3() -> Iterator[Peer]:
    with Peer(PYTHON, "zarr3_rectilinear", "3.4.2") as peer:
        yield peer


@st.composite
def programs(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    shape, chunks, shards = draw(grids(8))
    dtype = draw(st.sampled_from(["|u1", "<i4", "<f8"]))
    options = {
        "shape": shape,
        "dtype": dtype,
        "chunks": chunks,
        "shards": shards,
        "fill_value": draw(st.sampled_from([0, 1])),
        "compressors": draw(st.sampled_from([None, [{"name": "gzip", "configuration": {"level": 1}}]])),
        "config": {"write_empty_chunks": draw(st.booleans())},
    }
    units = (1,) * len(shape) if shards is None else chunks
    axes = [Model(each) for each in (chunks if shards is None else shards)]
    steps: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["write"] * 3 + ["read", "grow", "shrink", "append"]))
        if kind in ("write", "read"):
            if 0 in shape:
                continue
            how, chosen = selection(draw, shape, shape)
            if how == "block":
                how, chosen = "basic", (slice(None),) * len(shape)
            if kind == "read":
                steps.append(("read", how, chosen))
                continue
            items = values(draw, dtype, selected(shape, shape, how, chosen))
            unsure = how in ("orthogonal", "item") or (how == "coordinate" and repeats(chosen, shape))
            if items.size and unsure:
                # zarr sorts positions in an order of its own.
                items = np.full(items.shape, items.flat[0])
            if items.size:
                steps.append(("write", how, chosen, items if items.ndim else items[()]))
        elif kind == "shrink":
            shape = tuple(draw(st.sampled_from(axis.bounds(n))) for axis, n in zip(axes, shape, strict=True))
            steps.append(("resize", shape))
        else:
            more = [draw(st.integers(0, 3)) * unit for unit in units]
            if kind == "append":
                axis = draw(st.integers(0, len(shape) - 1))
                added = shape[:axis] + (more[axis],) + shape[axis + 1 :]
                steps.append(("append", values(draw, dtype, added), axis))
                more = [m if d == axis else 0 for d, m in enumerate(more)]
            shape = tuple(n + m for n, m in zip(shape, more, strict=True))
            if kind == "grow":
                steps.append(("resize", shape))
        for each, n, unit in zip(axes, shape, units, strict=True):
            each.resize(n, unit)
    return options, steps


@same_programs(30)
@given(program=programs())
def test_programs_do_the_same(zarr3: Peer, program: tuple[dict[str, Any], list[tuple[Any, ...]]]) -> None:
    options, steps = program
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = f"{folder}/zchunk", f"{folder}/zarr"
        mine = machine.run(zchunk.zarr3, ours, options, steps)
        other = zarr3("run", theirs, options, steps)
        for step, a, b in zip([*steps, "copy"], mine, other, strict=True):
            assert a == b, f"{step}:\nzchunk {a}\nzarr 3 {b}"
        for end in ("", ".copy"):
            wanted = zarr3("contents", theirs + end)
            assert machine.contents(zchunk.zarr3, ours + end) == wanted
            # Each reads what the other wrote.
            assert machine.contents(zchunk.zarr3, theirs + end) == wanted
            assert zarr3("contents", ours + end) == wanted
            assert stored(ours + end) == stored(theirs + end)
