"""The same programs with zchunk and with zarr 2.18.7: same results, and each opens what the other wrote.

zarr runs in its own process and environment: ``ZCHUNK_ZARR2_PYTHON`` names its interpreter, and
``make differential`` makes one. Left out deliberately, for zarr's answer is another one that
`docs/migration.md` explains: growing after shrinking to a shape that cuts chunks (stale items), slices with
a negative step (zarr refuses them).
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

import zchunk
from tests.promises.differential import zarr2_program as machine
from tests.promises.differential.peer import Peer, same_programs
from tests.promises.differential.strategies import RECORD, changed, repeats, selected, selection, values

PYTHON = os.environ.get("ZCHUNK_ZARR2_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="ZCHUNK_ZARR2_PYTHON names no interpreter with zarr 2.18.7"
)


@pytest.fixture(scope="module")
def zarr2() -> Iterator[Peer]:
    with Peer(PYTHON, "zarr2_program", "2.18.7") as peer:
        yield peer


# ---- programs

DTYPES = ["|b1", "|u1", "<i2", ">i4", "<i8", "<f4", ">f8", "<c8", "<M8[s]", "|S3", "<U2", "O", "record"]
COMPRESSORS = [
    None,
    {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
    {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 2, "blocksize": 0},
    # zarr 2 writes Zstd's default checksum=False out, which is in the digest.
    {"id": "zlib", "level": 1},
    {"id": "gzip", "level": 1},
    {"id": "bz2", "level": 1},
]
NAMES = ["a", "b", "c", "g", "g/a", "g/b", "g/h", "g/h/a"]


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    steps: list[tuple[Any, ...]] = []
    made: dict[str, dict[str, Any]] = {}
    for _ in range(draw(st.integers(3, 14))):
        kinds = ["create", "group", "attrs", "members"] + (
            ["write", "read"] * 4 + ["change", "look"] * 2 if made else []
        )
        kind = draw(st.sampled_from(kinds))
        if kind == "create":
            name = draw(st.sampled_from(NAMES))
            ndim = draw(st.integers(1, 3))
            shape = tuple(draw(st.integers(1, 8)) for _ in range(ndim))
            dtype = draw(st.sampled_from(DTYPES))
            options = {
                "shape": shape,
                "chunks": tuple(draw(st.integers(1, n + 1)) for n in shape),
                "dtype": {"O": object, "record": RECORD}.get(dtype, dtype),
                "compressor": draw(st.sampled_from(COMPRESSORS)),
                "order": draw(st.sampled_from("CF")),
                "filters": [],
                "dimension_separator": draw(st.sampled_from([".", "/"])),
                "overwrite": draw(st.booleans()),
            }
            if dtype == "O":
                options |= {"object_codec": {"id": "vlen-utf8"}, "fill_value": ""}
            elif dtype in ("<i2", "<i8") and draw(st.booleans()):
                options["filters"] = [{"id": "delta", "dtype": dtype}]
            if dtype in ("|S3", "<U2"):
                options["fill_value"] = "" if dtype == "<U2" else b""
            if dtype in ("<f4", ">f8", "<i8"):
                options["fill_value"] = draw(st.sampled_from([0, 1]))
            steps.append(("create", name, options))
            if options["overwrite"] or name not in made:
                made[name] = {"shape": shape, "chunks": options["chunks"], "dtype": dtype}
        elif kind == "group":
            steps.append((draw(st.sampled_from(["group", "require_group"])), draw(st.sampled_from(NAMES))))
        elif kind == "attrs":
            name, key = draw(st.sampled_from(NAMES)), draw(st.sampled_from(["u", "v"]))
            value = draw(st.sampled_from([1, 2.5, "text", None, [1, {"x": [True]}]]))
            steps += [("set_attr", name, key, value), ("attrs", name)]
            if draw(st.booleans()):
                steps.append(("delete_attr", name, key))
        elif kind == "members":
            steps += [("members", draw(st.sampled_from(["", "g", "g/h"]))), ("visit",)]
        else:
            name = draw(st.sampled_from(sorted(made)))
            steps += array_steps(draw, kind, name, made)
    return steps


def array_steps(
    draw: st.DrawFn, kind: str, name: str, made: dict[str, dict[str, Any]]
) -> list[tuple[Any, ...]]:
    shape, chunks, dtype = (made[name][key] for key in ("shape", "chunks", "dtype"))
    if kind in ("write", "read"):
        how, chosen = selection(draw, shape, chunks)
        field = draw(st.sampled_from([None, "n", "x"])) if dtype == "record" else None
        if kind == "read":
            return [("read", name, how, chosen, field)]
        items = values(draw, dtype, selected(shape, chunks, how, chosen))
        if not items.size:
            # zarr stores the chunk that an empty selection lies in.
            return []
        if (how == "coordinate" and repeats(chosen, shape)) or how in ("orthogonal", "item"):
            # zarr sorts positions in an order of its own: which of several values stays is left open there.
            items = np.full(items.shape, items.flat[0], items.dtype) if items.size else items
        items = items if field is None else items[field]
        # zarr takes a scalar for one item, but no array without axes.
        return [("write", name, how, chosen, items if items.ndim else items[()], field)]
    if kind == "look":
        looks = ["digest", "initialized", "iterate", "islice", "consolidate", "reopen"]
        look = draw(st.sampled_from(looks))
        if look == "digest" and "copied" in made[name]:
            # zarr adds the separator to the metadata when a copy is resized, which are in the digest.
            return []
        if look == "islice":
            return [(look, name, draw(st.integers(0, shape[0])), draw(st.integers(0, shape[0])))]
        return [(look,) if look in ("consolidate", "reopen") else (look, name)]
    match draw(st.sampled_from(["grow", "shrink", "append", "delete", "move", "copy"])):
        case "grow" | "shrink" | "append" | "delete" as change:
            return changed(draw, change, name, made, chunks)
        case operation:
            target = draw(st.sampled_from(["m", "g/m", "a"]))
            if (target + "/").startswith(name + "/"):
                # A copy instead of its own source is refused here, and empties it there.
                return []
            if target not in made:
                made[target] = made.pop(name) if operation == "move" else made[name] | {"copied": True}
            return [(operation, name, target)]


# ---- the test


def succeeded(results: list[Any]) -> list[Any]:
    """Messages and classes of errors may differ; that there is one may not."""
    return ["error" if isinstance(r, tuple) and r[:1] == ("error",) else r for r in results]


@same_programs(150)
@given(program=programs())
def test_programs_do_the_same(zarr2: Peer, program: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = f"{folder}/zchunk", f"{folder}/zarr"
        mine = machine.run(zchunk, ours, program)
        other = zarr2("run", theirs, program)
        for step, a, b in zip(program, mine, other, strict=True):
            assert succeeded([a]) == succeeded([b]), f"{step}:\nzchunk {a}\nzarr 2 {b}"
        wanted = zarr2("contents", theirs)
        assert machine.contents(zchunk, ours) == wanted
        # Each reads what the other wrote.
        assert machine.contents(zchunk, theirs) == wanted
        assert zarr2("contents", ours) == wanted
