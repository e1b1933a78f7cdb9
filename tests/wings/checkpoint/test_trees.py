"""State trees: what goes into a document comes out of it, exactly."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.checkpoint import Block, CheckpointManager, PerRank
from zchunk.wings.checkpoint import trees

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.complex_numbers(),
    st.floats(width=32).map(np.float32),
    st.integers(-128, 127).map(np.int8),
    st.booleans().map(np.bool_),
    st.just(np.datetime64("2026-01-01")),
)
STATES = st.dictionaries(
    st.one_of(st.text(), st.integers(0, 9).map(lambda n: n + 10)),
    st.recursive(
        SCALARS,
        lambda below: (
            st.lists(below, max_size=3) | st.tuples(below) | st.dictionaries(st.text(), below, max_size=3)
        ),
    ),
    max_size=4,
)


def no_array(path: str, kind: str) -> Any:
    raise AssertionError(path)


def back(document: Any) -> Any:
    return trees.decode(json.loads(json.dumps(document)), no_array, lambda documents: documents)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, complex):
        return repr((a.real, a.imag)) == repr((b.real, b.imag))
    return bool(a == b)


@given(STATES)
def test_scalars_come_back(state: dict[Any, Any]) -> None:
    if len({trees.quote(str(key)) for key in state}) < len(state):
        return
    assert same(back(trees.flatten(state).document), state)


def test_numbers_that_other_readers_would_round_are_text() -> None:
    document = trees.flatten({"a": 2**53, "b": 2**53 - 1, "c": math.inf}).document
    assert document == {"dict": [["a", {"int": str(2**53)}], ["b", 2**53 - 1], ["c", {"float": "inf"}]]}


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generators_go_on_where_they_were(kind: str) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(5))
    rng.random(7)
    rng.integers(3, dtype=np.int32)
    document = trees.flatten({"rng": rng}).document
    other = back(document)["rng"]
    assert (other.random(100) == rng.random(100)).all()
    assert (other.integers(9, size=9, dtype=np.int32) == rng.integers(9, size=9, dtype=np.int32)).all()


def test_arrays_are_leaves_with_paths() -> None:
    block, array = Block(np.zeros(2), (0,), (4,)), np.arange(3)
    flat = trees.flatten({"m": {"w": [block, (array,)]}, "p": PerRank(array), "s": 1})
    assert list(flat.leaves) == ["m/w/0", "m/w/1/0"]
    assert flat.leaves["m/w/0"] is block
    assert list(flat.per_rank) == ["p"]
    found = trees.decode(
        trees.insert_per_rank(flat.document, {"p": [1, 2]}),
        lambda path, kind: (path, kind),
        lambda each: each,
    )
    assert found == {"m": {"w": [("m/w/0", "block"), (("m/w/1/0", "array"),)]}, "p": [1, 2], "s": 1}


class Tensor:
    """What other libraries have."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.arange(3.0)


def test_what_has_an_array_is_one() -> None:
    assert (trees.flatten({"t": Tensor()}).leaves["t"] == np.arange(3.0)).all()


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ([1], "a state is a dict, not list"),
        ({"a": object()}, "'a' is of type object"),
        ({"a": {"b": {1, 2}}}, "'a/b' is of type set"),
        ({"a": np.array([None])}, "array of Python objects"),
        ({1.5: 0}, "keys of a state are text or integers"),
        ({"a": {None: 0}}, "'a' has the key None"),
    ],
)
def test_what_cannot_be_stored(state: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        trees.flatten(state)


class OwnGenerator(np.random.Generator):
    """Such as a program may have, with more methods."""


class OwnBits(np.random.PCG64):
    """The same for bits."""


@pytest.mark.parametrize(
    "generator",
    [OwnGenerator(np.random.PCG64(1)), np.random.Generator(OwnBits(1))],
    ids=["generator", "bits"],
)
def test_generators_that_cannot_be_made_again_are_refused(generator: Any) -> None:
    with pytest.raises(TypeError, match=r"'a/0' is a .*; save its bit_generator\.state, a dict"):
        trees.flatten({"a": [generator]})
    assert back(trees.flatten({"a": generator.bit_generator.state["state"]}).document)


@pytest.mark.parametrize(
    "value",
    [
        np.void(b"a\0c\0"),
        np.zeros((), "V0")[()],
        np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])[0],
        np.array([((1, 2), b"x")], [("a", "i2", 2), ("b", "S3")])[0],
    ],
    ids=["bytes", "nothing", "record", "nested"],
)
def test_void_scalars_come_back(value: Any) -> None:
    flat = trees.flatten({"v": value})
    found = trees.decode(flat.document, lambda path, kind: flat.leaves[path], lambda documents: documents)[
        "v"
    ]
    assert (type(found), found.dtype) == (np.void, value.dtype)
    assert found.tobytes() == value.tobytes()


def test_scalars_of_ml_dtypes_come_back(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    value = ml_dtypes.bfloat16(1.5)
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"scale": [value], "seed": PerRank(value)})
        found = manager.restore()
    assert found is not None
    for one in (found["scale"][0], found["seed"]):
        assert (type(one), one) == (ml_dtypes.bfloat16, value)


class Point(NamedTuple):
    x: Any
    y: Any


def test_namedtuples_come_back_with_their_names() -> None:
    state = {"p": Point(1, [Point(2.5, "z"), PerRank(3)]), "t": (1, 2)}
    flat = trees.flatten(state)
    document = trees.insert_per_rank(flat.document, {"p/1/1": [4, 5]})
    found = back(document)
    assert found["p"] == (1, [(2.5, "z"), [4, 5]])
    assert found["p"].y[0]._asdict() == {"x": 2.5, "y": "z"}
    assert type(found["p"]).__name__ == "Point"
    assert type(found["t"]) is tuple
    assert back(trees.find(document, "p/1/0/y")) == back(trees.find(document, "p/y/0/1")) == "z"


def test_keys_that_are_stored_alike() -> None:
    with pytest.raises(ValueError, match="the keys '1' and 1"):
        trees.flatten({"1": 0, 1: 0})


@given(st.text(), st.text())
def test_names_are_those_of_nodes_and_differ(one: str, other: str) -> None:
    name = trees.quote(one)
    assert name
    assert "/" not in name
    assert not name.startswith(("__", "."))
    assert name not in ("zarr.json", ".zarray")
    assert not name.endswith(".partial")
    assert (name == trees.quote(other)) == (one == other)


def test_usual_names_stay() -> None:
    for name in ("u", "x_1", "layer.0.weight", "_private", "A-b"):
        assert trees.quote(name) == name
    for name in ("__x", "zarr.json", "..", "a/b", "a.partial", ""):
        assert trees.quote(name) != name


def test_find() -> None:
    document = trees.flatten({"a": {"b/c": [1, 2]}, 3: 4}).document
    assert trees.find(document, "3") == 4
    assert trees.find(document, f"a/{trees.quote('b/c')}/1") == 2
    with pytest.raises(KeyError, match="no 'x'; beside it are '3', 'a'"):
        trees.find(document, "x")
    with pytest.raises(KeyError, match="beside it are no names"):
        trees.find(document, "3/x")


@pytest.mark.parametrize(
    "value", [np.bytes_(b"a\0"), np.str_("x\0"), np.str_(""), np.bytes_(b""), np.str_("ä")], ids=ascii
)
def test_text_of_numpy_keeps_its_zeros(value: Any) -> None:
    document = json.loads(json.dumps(trees.encode_scalar(value)))
    found = trees.decode(document, lambda path, kind: None, lambda values: None)
    assert type(found) is type(value)
    assert found.tolist() == value.tolist()


def test_a_masked_array_is_refused() -> None:
    with pytest.raises(TypeError, match="'a/0': a masked array cannot be stored"):
        trees.flatten({"a": [np.ma.masked_equal([1, 2], 2)]})


def test_numpy_random_is_imported_before_the_first_save() -> None:
    # An import of numpy.random loses a Ctrl-C that comes meanwhile.
    program = "import sys, zchunk.checkpoint; print('numpy.random.mtrand' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "True\n"


@pytest.mark.parametrize(
    "kind",
    [
        namedtuple("Renamed", ["class", "x", "x"], rename=True),
        type("Generic[int]", (namedtuple("Generic", ["a", "b", "c"]),), {}),
        type("class", (namedtuple("Other", ["a", "b", "c"]),), {}),
    ],
)
def test_namedtuples_of_any_names(tmp_path: Path, kind: Any) -> None:
    with CheckpointManager(tmp_path, async_save=False) as manager:
        manager.save(1, {"t": kind(1, np.arange(2), "c")})
        checkpoint = manager.restore()
        assert checkpoint is not None
        found = checkpoint["t"]
        assert (type(found).__name__, found._fields) == (kind.__name__, kind._fields)
        assert (found[0], found[1].tolist(), found[2]) == (1, [0, 1], "c")


@pytest.mark.parametrize("dtype", ["V0", []], ids=str)
def test_items_of_no_bytes_are_refused_before_anything_is_written(tmp_path: Path, dtype: Any) -> None:
    with CheckpointManager(tmp_path / "run") as manager:
        for value in (np.zeros(2, dtype), Block(np.zeros(2, dtype), (0,), (2,))):
            with pytest.raises(TypeError, match=r"'a/b' is .*, whose items have no bytes to store"):
                manager.save(1, {"a": {"b": value}})
    assert not (tmp_path / "run").exists()
