"""The same programs with `zchunk.zarr3` and with zarr 3.4.2: same results, and each opens the other's store.

zarr runs in its own process and environment: ``ZCHUNK_ZARR3_PYTHON`` names its interpreter, and
``make differential`` makes one. Errors are of the same kinds: what catches one library's catches the other's.
Left out deliberately, for zarr's answer is another one that `docs/migration.md` explains: growing after
shrinking to a shape that cuts chunks (stale items), slices with a negative step (zarr refuses them). And
fields of records, which zarr cannot read of chunks that are not stored.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk.zarr3
from tests.promises.differential import zarr3_program as machine
from tests.promises.differential.peer import Peer, same_programs
from tests.promises.differential.strategies import changed, repeats, selected, selection, values

PYTHON = os.environ.get("ZCHUNK_ZARR3_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="ZCHUNK_ZARR3_PYTHON names no interpreter with zarr 3.4.2"
)


@pytest.fixture(scope="module")
def zarr3() -> Iterator[Peer]:
    with Peer(PYTHON, "zarr3_program", "3.4.2") as peer:
        yield peer


# ---- programs

NUMBERS = ["|b1", "|u1", "<i2", ">i4", "<i8", "<f2", "<f4", ">f8", "<c8"]
DTYPES = [*NUMBERS, "<M8[s]", "|S3", "<U2", "O", "record"]
COMPRESSORS = {
    2: [
        None,
        [{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}],
        [{"id": "zstd", "level": 3}],
        [{"id": "gzip", "level": 1}],
        [{"id": "bz2", "level": 1}],
    ],
    3: [
        None,
        [{"name": "gzip", "configuration": {"level": 1}}],
        [{"name": "zstd", "configuration": {"level": 3, "checksum": True}}, {"name": "crc32c"}],
        [
            {
                "name": "blosc",
                "configuration": {
                    "cname": "lz4", "clevel": 3, "shuffle": "shuffle", "typesize": 4, "blocksize": 0,
                },
            }
        ],
    ],
}  # fmt: skip
KEYS = {
    2: [None, {"name": "v2", "separator": "/"}],
    3: [
        None,
        {"name": "default", "separator": "."},
        {"name": "v2", "separator": "."},
        {"name": "v2", "separator": "/"},
    ],
}
# zarr 3 takes fields of both byte orders for one; in format 3 zchunk does not, and in format 2 keeps them.
RECORD = [("n", "<i4"), ("x", "<f8"), ("s", "|S2")]
NAMES = ["a", "b", "c", "g", "g/a", "g/b", "g/h", "g/h/a"]
TARGETS = ["m", "g/m", "a"]
JSON = [1, 2.5, "text", None, [1, {"x": [True]}], {"n": None}]


def options_of(draw: st.DrawFn, version: int, dtype: str) -> dict[str, Any]:
    """What an array is to be."""
    shape = tuple(draw(st.integers(1, 8)) for _ in range(draw(st.integers(1, 3))))
    chunks = tuple(draw(st.integers(1, n + 1)) for n in shape)
    options: dict[str, Any] = {
        "shape": shape,
        "chunks": chunks,
        "dtype": {"O": str, "record": RECORD}.get(dtype, dtype),
        "compressors": draw(st.sampled_from(COMPRESSORS[version])),
        "chunk_key_encoding": draw(st.sampled_from(KEYS[version])),
        "attributes": draw(st.sampled_from([None, {"u": 1}])),
        "overwrite": draw(st.booleans()),
        "config": draw(st.sampled_from([None, {"write_empty_chunks": True}, {"order": "F"}])),
    }
    if dtype in ("<i8", "<f4", ">f8"):
        options["fill_value"] = draw(st.sampled_from([None, 0, 1]))
    if version == 2:
        options["order"] = draw(st.sampled_from("CF"))
        if dtype in ("<i2", "<i8") and draw(st.booleans()):
            options["filters"] = [{"id": "delta", "dtype": dtype}]
        return options
    if draw(st.booleans()):
        options["shards"] = tuple(c * draw(st.integers(1, 3)) for c in chunks)
    if draw(st.booleans()):
        options["dimension_names"] = ["x", "y", "z"][: len(shape)]
    if dtype in NUMBERS and draw(st.booleans()):
        order = draw(st.permutations(range(len(shape))))
        options["filters"] = [{"name": "transpose", "configuration": {"order": order}}]
    if dtype in ("<i2", "<f4") and draw(st.booleans()):
        options["serializer"] = {"name": "bytes", "configuration": {"endian": "big"}}
    return options


@st.composite
def programs(draw: st.DrawFn) -> tuple[int, list[tuple[Any, ...]]]:
    version = draw(st.sampled_from([2, 3, 3]))
    steps: list[tuple[Any, ...]] = []
    made: dict[str, dict[str, Any]] = {}
    for _ in range(draw(st.integers(3, 14))):
        kinds = ["create", "group", "attrs", "members", "open"] + (
            ["write", "read"] * 4 + ["change", "look"] * 2 if made else []
        )
        kind = draw(st.sampled_from(kinds))
        name = draw(st.sampled_from(NAMES))
        if kind == "create":
            dtype = draw(st.sampled_from(DTYPES))
            options = options_of(draw, version, dtype)
            steps.append(("create", name, options))
            if options["overwrite"] or name not in made:
                made[name] = {
                    "shape": options["shape"],
                    "chunks": options["chunks"],
                    "stored": options.get("shards") or options["chunks"],
                    "dtype": dtype,
                    "named": bool(options["chunk_key_encoding"] or options.get("dimension_names")),
                }
        elif kind == "group":
            attrs = draw(st.sampled_from([None, {"u": 2}]))
            steps.append(draw(st.sampled_from([("group", name, attrs), ("require_group", name)])))
        elif kind == "attrs":
            steps += attribute_steps(draw, name)
        elif kind == "members":
            above = draw(st.sampled_from(["", "g", "g/h"]))
            steps += [("members", above, draw(st.sampled_from([0, 1, None]))), ("look_up", name)]
        elif kind == "open":
            function = draw(st.sampled_from(["open", "open_array", "open_group"]))
            steps.append(("open", function, name, draw(st.sampled_from(["r", "r+"]))))
        else:
            steps += array_steps(draw, kind, draw(st.sampled_from(sorted(made))), made)
    return version, steps


def attribute_steps(draw: st.DrawFn, name: str) -> list[tuple[Any, ...]]:
    key, value = draw(st.sampled_from(["u", "v"])), draw(st.sampled_from(JSON))
    change = draw(st.sampled_from([("set_attr", name, key, value), ("update_attrs", name, {key: value})]))
    removal = [("delete_attr", name, draw(st.sampled_from(["u", "v"])))] if draw(st.booleans()) else []
    return [change, ("attrs", name), *removal]


def array_steps(
    draw: st.DrawFn, kind: str, name: str, made: dict[str, dict[str, Any]]
) -> list[tuple[Any, ...]]:
    shape, chunks, dtype = (made[name][key] for key in ("shape", "stored", "dtype"))
    if kind in ("write", "read"):
        return item_steps(draw, kind, name, made[name])
    if kind == "look":
        looks = [
            ("initialized", name), ("load", name), ("consolidate",), ("reopen", "r+"), ("reopen", "a"),
        ]  # fmt: skip
        return [draw(st.sampled_from(looks))]
    match draw(st.sampled_from(["grow", "shrink", "append", "delete", "like", "from_array", "require"])):
        case "grow" | "shrink" | "append" | "delete" as change:
            return changed(draw, change, name, made, chunks)
        case "require":
            wanted = draw(st.sampled_from([shape, (*shape, 2)]))
            return [("require_array", name, wanted, {"O": str, "record": RECORD}.get(dtype, dtype))]
        case "like" | "from_array" if made[name]["named"]:
            # The new array has names of axes and chunks from its source in format 3 here, in format 2 there.
            return []
        case operation:
            target = draw(st.sampled_from(TARGETS))
            if target not in made:
                made[target] = dict(made[name])
            if operation == "from_array":
                return [("from_array", name, target)]
            return [("like", name, target, draw(st.sampled_from(["zeros_like", "ones_like"])))]


def item_steps(draw: st.DrawFn, kind: str, name: str, what: dict[str, Any]) -> list[tuple[Any, ...]]:
    shape, dtype = what["shape"], what["dtype"]
    # Blocks are what is stored as one object.
    how, chosen = selection(draw, shape, what["stored"])
    by_index = draw(st.booleans())
    wrong = draw(st.integers(0, 9)) == 0
    if wrong:
        chosen = spoiled(draw, how, chosen, shape)
    if kind == "read":
        return [("read", name, how, chosen, by_index)]
    items = values(draw, dtype, () if wrong else selected(shape, what["stored"], how, chosen))
    if not items.size:
        return []
    if not wrong and ((how == "coordinate" and repeats(chosen, shape)) or how in ("orthogonal", "item")):
        # zarr sorts positions in an order of its own: which of several values stays is left open there.
        items = items.copy()
        items[...] = items.flat[0]
    return [("write", name, how, chosen, items if items.ndim else items[()], by_index)]


def spoiled(draw: st.DrawFn, how: str, chosen: Any, shape: tuple[int, ...]) -> Any:
    """A selection that no library takes."""
    if how == "mask":
        return chosen.reshape(-1)[:-1]
    if draw(st.booleans()):
        return (*chosen, *[0] * (len(shape) + 1 - len(chosen)))
    at = draw(st.integers(0, len(chosen) - 1))
    beyond = draw(st.sampled_from([shape[at] + 1, -shape[at] - 2]))
    return (*chosen[:at], [beyond] if how == "coordinate" else beyond, *chosen[at + 1 :])


# ---- the test


# What is required where something else is: a TypeError there, and what zarr 2 raises here.
OTHER_KINDS = {"require_group", "require_array"}


def alike(step: tuple[Any, ...], ours: Any, theirs: Any) -> bool:
    """Whether results are the same, or errors of a kind: messages and classes of their own may differ."""
    if is_error(ours) and is_error(theirs):
        return bool(ours[1] & theirs[1]) or step[0] in OTHER_KINDS
    return bool(ours == theirs)


def is_error(result: Any) -> bool:
    return isinstance(result, tuple) and result[:1] == ("error",)


@same_programs(100)
@given(program=programs())
def test_programs_do_the_same(zarr3: Peer, program: tuple[int, list[tuple[Any, ...]]]) -> None:
    version, steps = program
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = f"{folder}/zchunk", f"{folder}/zarr"
        mine = machine.run(zchunk.zarr3, ours, version, steps)
        other = zarr3("run", theirs, version, steps)
        for step, a, b in zip(steps, mine, other, strict=True):
            assert alike(step, a, b), f"{step}:\nzchunk {a}\nzarr 3 {b}"
        wanted = zarr3("contents", theirs)
        assert machine.contents(zchunk.zarr3, ours) == wanted
        # Each reads what the other wrote.
        assert machine.contents(zchunk.zarr3, theirs) == wanted
        assert zarr3("contents", ours) == wanted
        assert machine.stored(ours) == machine.stored(theirs)
