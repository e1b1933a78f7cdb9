"""Type checkers and a user's program: what is right passes, misspelled and wrong parameters are reported."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import typing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import zchunk
from zchunk.creation import h5py_names, keywords
from zchunk.creation.recipe import ArrayRecipe

ROOT = Path(zchunk.__file__).parent.parent

HEADER = """\
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import zchunk

g = zchunk.group()
z = zchunk.zeros((4, 4), chunks=2, dtype="f4")
"""
RIGHT = """\
assert_type(z, zchunk.Array)
assert_type(g, zchunk.Group)
assert_type(z[...], npt.NDArray[Any])
assert_type(z[1:3, [0, 2]], npt.NDArray[Any])
assert_type(z[0, 0], Any)
assert_type(g["a"], zchunk.Array | zchunk.Group)
assert_type(g.create_group("b"), zchunk.Group)
assert_type(g.create("a", shape=(4, 4), chunks=(2, 2), dtype="f4"), zchunk.Array)
assert_type(zchunk.open("a.zarr", "w", shape=3), zchunk.Array)
assert_type(zchunk.open("a.zarr", "w"), zchunk.Group)
assert_type(zchunk.open("a.zarr", mode="r"), zchunk.Array | zchunk.Group)
assert_type(zchunk.open_array("a.zarr", mode="r"), zchunk.Array)
assert_type(zchunk.open_group("a.zarr", mode="r")["a"], zchunk.Array | zchunk.Group)
assert_type(dict(g.arrays()), dict[str, zchunk.Array])
z[...] = 1
z[0] = [1, 2, 3, 4]
z.oindex[[0, 2], :] = np.ones((2, 4))
z.vindex[[0, 2], [1, 3]] = 5
z.blocks[0, 1] = 3
z.resize(5, 4)
z.append(np.zeros((2, 4)))
z.fill_value = 3
z.attrs["a"] = [1, 2]
like = zchunk.create(
    z.shape, z.chunks, z.dtype, z.compressor, z.fill_value, z.order, filters=z.filters, path=z.path,
    store=z.store, chunk_store=z.chunk_store, synchronizer=z.synchronizer, zarr_format=z.zarr_format,
    dimension_separator=z.dimension_separator, dimension_names=z.dimension_names, shards=z.shards,
    attributes=z.attrs.asdict(), overwrite=True,
)
zchunk.zeros_like(like, shape=8, dtype=np.int16, store={})
zchunk.full_like(np.ones(3), fill_value=4)
zchunk.array([1, 2, 3], chunks=(2,), compressor=zchunk.Zstd(3), fill_value=2)
zchunk.create_array("a.zarr", name="x", data=np.ones(3), compressors=[zchunk.Zstd()], zarr_format=3)
zchunk.open_like(like, "b.zarr", mode="w", dtype="i4")
g.create_dataset("c", data=[1, 2], compression="gzip", compression_opts=4, shuffle=True, chunks=True)
g.require_dataset("c", shape=2, dtype="i8")
g.create_array("d", shape=(4, 4), chunks=(1, 1), shards="auto", dtype="u1")
g["e"] = [1, 2]
view = z.view(dtype="i4").astype("f8")
out: npt.NDArray[np.float32] = np.empty((4, 4), "f4")
z.get_basic_selection(np.s_[:4], out=out)
for name, node in g.items():
    if isinstance(node, zchunk.Group):
        print(name, node.name, list(node.groups()))
    else:
        print(name, node.shape, node[:].sum())
total = sum(array.nbytes for _, array in g.arrays(recurse=True))
"""
# Ways to make an array, without the closing bracket.
CALLS = [
    "zchunk.create(3, ", "zchunk.zeros(3, ", "zchunk.ones(3, ", "zchunk.empty(3, ", "zchunk.full(3, 4, ",
    "zchunk.array([1], ", "zchunk.zeros_like(z, ", "zchunk.ones_like(z, ", "zchunk.empty_like(z, ",
    "zchunk.full_like(z, ", "zchunk.create_array(shape=3, ", "zchunk.open_array('a', shape=3, ",
    "zchunk.open_like(z, 'a', ", "zchunk.open('a', shape=3, ", "zchunk.open('a', 'r', ",
    "g.create('a', shape=3, ", "g.zeros('a', shape=3, ", "g.ones('a', shape=3, ", "g.empty('a', shape=3, ",
    "g.full('a', 4, shape=3, ", "g.array('a', [1], ", "g.zeros_like('a', z, ", "g.full_like('a', z, ",
    "g.create_array('a', shape=3, ", "g.create_dataset('a', shape=3, ", "g.require_dataset('a', shape=3, ",
]  # fmt: skip
WRONG = ["chnks=2", "dtpye='f4'", "chunks=2.5", "zarr_format=5", "compressor='zlib'", "order='A'"]
WRONG_ALONE = [
    "zchunk.zerso(3)", "g.zerso('a', shape=3)", "z.resise(3)", "z.shpae", "g.create('a')", "z[1.5]",
    "zchunk.group(zarr_format=5)", "zchunk.open_group('a', 'rw')", "zchunk.open_group('a', chunks=3)",
    "zchunk.open('a', mode='rw')", "zchunk.create(2.5)", "zchunk.create()",
    "z.view(shpae=3)", "zchunk.Array({}, chnks=3)", "zchunk.Group({}, read_onyl=True)",
]  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[int]]:
    """A program that calls everything; and the lines of it that are to be reported."""
    lines = f"{HEADER}{RIGHT}".splitlines()
    start = len(lines)
    lines += [f"{call}{wrong})" for call in CALLS for wrong in WRONG]
    lines += WRONG_ALONE
    path = tmp_path_factory.mktemp("types") / "program.py"
    path.write_text("\n".join(lines) + "\n")
    return path, set(range(start + 1, len(lines) + 1))


def run(tool: str, *arguments: str, **settings: Any) -> str:
    command = [sys.executable, "-m", tool, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **settings).stdout


def compare(path: Path, wrong: set[int], output: str) -> None:
    reports = re.findall(r"program\.py:(\d+)(?::\d+)?(?::| -) error(.*)", output)
    lines = path.read_text().splitlines()
    assert [(lines[int(line) - 1], text) for line, text in reports if int(line) not in wrong] == []
    assert [lines[line - 1] for line in sorted(wrong - {int(line) for line, _ in reports})] == []


def test_mypy_passes_what_is_right_and_reports_the_rest(program: tuple[Path, set[int]]) -> None:
    pytest.importorskip("mypy")
    path, wrong = program
    # The cache of the repository: NumPy's types take a while.
    arguments = ["--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'tests'}", str(path)]
    compare(path, wrong, run("mypy", *arguments, cwd=path.parent, env=os.environ | {"MYPYPATH": str(ROOT)}))


@pytest.mark.skipif(find_spec("pyright") is None, reason="needs pyright")
def test_pyright_passes_what_is_right_and_reports_the_rest(program: tuple[Path, set[int]]) -> None:
    path, wrong = program
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "include": ["program.py"]}
    (path.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    compare(path, wrong, run("pyright", "--pythonpath", sys.executable, cwd=path.parent))


# ---- the names are those that the functions take


CREATE = set(inspect.signature(zchunk.create).parameters) - {"kwargs"}
H5PY = set(typing.get_type_hints(keywords.H5pyNames))


def names(typed: Any) -> set[str]:
    return set(typing.get_type_hints(typed))


def test_the_record_has_the_parameters_of_create_and_their_defaults() -> None:
    for name, parameter in inspect.signature(zchunk.create).parameters.items():
        if name in ArrayRecipe._fields and name != "shape":
            assert ArrayRecipe._field_defaults[name] == parameter.default, name
    assert set(ArrayRecipe._fields) <= CREATE


def test_typedare_the_parameters_of_create() -> None:
    assert names(keywords.FilledArray) == (CREATE | H5PY) - {"shape"}
    assert names(keywords.FilledArrayLike) == CREATE | H5PY
    place = {"store", "path", "chunk_store", "storage_options"}
    assert names(keywords.FilledMember) == (CREATE | H5PY) - place
    listed = set(inspect.signature(zchunk.create_array).parameters) | {"path"}
    assert names(keywords.OfCreate) == (CREATE | H5PY) - listed


def test_typedare_the_parameters_of_open() -> None:
    array = set(inspect.signature(zchunk.open_array).parameters) - {"kwargs", "store"}
    assert names(keywords.OpenedArray) == (array | H5PY) - {"path"}
    assert names(keywords.OpenedNode) == (array | H5PY) - {"mode", "shape"}
    group = set(inspect.signature(zchunk.open_group).parameters) - {"store", "mode"}
    assert names(keywords.OpenedGroup) == group


def test_h5py_names_are_those_that_are_taken() -> None:
    assert {"compression", "compression_opts", "fillvalue"} == H5PY - h5py_names._IGNORED
    assert h5py_names._IGNORED <= H5PY
