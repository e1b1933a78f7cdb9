"""What the types of `zchunk.typing` accept and report, as mypy and pyright see them."""

from __future__ import annotations

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

import zchunk.typing

ROOT = Path(zchunk.__file__).parent.parent

HEADER = """\
import concurrent.futures
import datetime
from collections.abc import MutableMapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

import zchunk
from zchunk import typing as t

floats: npt.NDArray[np.float64] = np.zeros(3)
ints: npt.NDArray[np.int64] = np.zeros(3, np.int64)
bools: npt.NDArray[np.bool_] = np.zeros(3, np.bool_)
"""
# Of every type, values of it and values that are none.
TYPES = {
    "AccessMode": (["'r'", "'w-'"], ["'rw'", "1"]),
    "AttributesLike": (["{'a': 1}", "{'a': np.float32(1)}"], ["[1]", "{1: 2}"]),
    "BasicSelection": (["1", "np.int64(1)", "slice(2)", "...", "(1, slice(2), ...)"], ["1.5", "'a'"]),
    "BlockSelection": (["1", "(0, slice(2))"], ["1.5"]),
    "ChunkKeyEncodingLike": (["'default'", "('v2', '.')", "{'name': 'v2'}", "None"], ["5"]),
    "ChunksLike": (
        ["5", "(5, None)", "[5, -1]", "True", "'auto'", "None", "ints", "np.int64(5)", "[[1, 2], 3]"]
        + ["'9MB'", "{'x': 1}"],
        ["2.5", "(2.5,)", "{'a': 1.5}"],
    ),
    "CodecLike": (["zchunk.Blosc()", "{'id': 'zlib'}", "zchunk.codecs.Crc32c()", "'zlib:3'"], ["5"]),
    "CompressorLike": (["zchunk.Zstd(3)", "None", "'default'", "'zstd'"], ["3", "[zchunk.Zstd()]"]),
    "CompressorsLike": (["zchunk.Zstd(3)", "[zchunk.Zstd(3)]", "None", "'auto'"], ["5", "[5]"]),
    "CoordinateSelection": (["([1, 2], [3, 4])", "ints", "([1, 2], 3)"], ["1.5", "floats"]),
    "DTypeLike": (["'f4'", "np.float32", "float", "np.dtype('i2')", "[('a', 'i4')]", "None"], ["5", "2.5"]),
    "DataLike": (
        ["5", "'a'", "[[1], [1, 2]]", "[{'a': 1}, None]", "floats", "zchunk.zeros(3)", "range(3)"],
        ["{1, 2}", "None"],
    ),
    "DimensionNames": (["['x', None]", "None"], ["5", "[5]"]),
    "DimensionSeparator": (["'.'", "'/'"], ["','"]),
    "Fields": (["'a'", "['a', 'b']", "None"], ["5", "[5]"]),
    "FillValue": (["0", "'a'", "None", "np.datetime64('NaT')", "datetime.date(2000, 1, 1)"], []),
    "FiltersLike": (["[zchunk.Zlib()]", "({'id': 'crc32'},)", "None"], ["5", "zchunk.Zlib()"]),
    "JSON": (["{'a': [1, 2.5, None, 'b']}"], ["{1: 2}", "{'a': {1, 2}}"]),
    "MaskSelection": (["bools", "[[True, False]]"], ["5", "floats"]),
    "MemoryOrder": (["'C'", "'F'"], ["'A'"]),
    "MetaArray": (["floats", "None"], ["[1]", "5"]),
    "Missing": (["'fill'", "'error'"], ["'raise'", "None"]),
    "OrthogonalSelection": (["([1, 2], slice(2))", "(bools, ints)", "..."], ["1.5", "(floats,)"]),
    "PathLike": (["'a'", "Path('a')"], ["5", "b'a'"]),
    "ProgressLike": (["True", "lambda done, total: None", "None"], ["'yes'"]),
    "Selection": (
        ["1", "(1, slice(2))", "'a'", "['a', 'b']", "([1, 2], slice(2))", "bools"],
        ["1.5", "b'a'"],
    ),
    "SerializerLike": (["'auto'", "{'name': 'bytes'}", "None"], ["5"]),
    "ShapeLike": (["5", "(5, 6)", "[5]", "ints", "np.int64(5)"], ["2.5", "(2.5, 1)", "'5'", "None"]),
    "ShardsLike": (["5", "(5, 6)", "'auto'", "None", "'1GiB'", "{'x': 1}"], ["2.5", "{'x': 1.5}"]),
    "StorageOptions": (["{'anon': True}"], ["5"]),
    "StoreLike": (
        ["'a'", "Path('a')", "zchunk.MemoryStore()", "mapping", "None"],
        ["5", "b'a'", "[1]", "zchunk.Blosc()"],
    ),
    "Synchronizer": (["zchunk.ThreadSynchronizer()", "zchunk.ProcessSynchronizer('a')"], ["5", "'a'"]),
    "TaskExecutor": (["concurrent.futures.ThreadPoolExecutor()"], ["'threads'", "5"]),
    "TemplateLike": (["floats", "[1, 2]", "zchunk.zeros(3)"], ["{1, 2}", "None"]),
    "ZarrFormat": (["2", "3"], ["5", "'3'"]),
}  # fmt: skip


def program(folder: Path) -> tuple[Path, set[int]]:
    """Write a program that assigns every value; return it, and the lines that are to be reported."""
    lines = f"{HEADER}mapping: MutableMapping[str, bytes] = {{}}".splitlines()
    wrong = set()
    for name, (good, bad) in TYPES.items():
        for number, value in enumerate([*good, *bad]):
            lines.append(f"{name}_{number}: t.{name} = {value}")
            if number >= len(good):
                wrong.add(len(lines))
    path = folder / "program.py"
    path.write_text("\n".join(lines) + "\n")
    return path, wrong


def run(tool: str, *options: str, **settings: Any) -> str:
    command = [sys.executable, "-m", tool, *options]
    return subprocess.run(command, capture_output=True, text=True, **settings).stdout


def reported(text: str) -> set[int]:
    return {int(line) for line in re.findall(r"program\.py:(\d+)(?::\d+)?(?::| -) error", text)}


def explained(path: Path, lines: set[int]) -> list[str]:
    source = path.read_text().splitlines()
    return [source[line - 1] for line in sorted(lines)]


@pytest.mark.slow
def test_mypy_accepts_what_is_right_and_reports_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    path, wrong = program(tmp_path)
    # The cache of the repository: NumPy's types take a while.
    options = ["--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'tests'}"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    found = reported(run("mypy", *options, str(path), cwd=tmp_path, env=environment))
    assert explained(path, found - wrong) == []
    assert explained(path, wrong - found) == []


@pytest.mark.skipif(find_spec("pyright") is None, reason="needs pyright")
def test_pyright_accepts_what_is_right_and_reports_the_rest(tmp_path: Path) -> None:
    path, wrong = program(tmp_path)
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "include": ["program.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    found = reported(run("pyright", "--pythonpath", sys.executable, cwd=tmp_path))
    assert explained(path, found - wrong) == []
    assert explained(path, wrong - found) == []


def test_every_type_is_tried() -> None:
    untried = {
        "Attributes", "Bucket", "Bytes", "FileSystem", "H5pyGroup", "H5pyNode", "NativeDType",
        "NumcodecsCodec", "OfZarr3", "Shaped",
    }  # fmt: skip
    assert set(zchunk.typing.__all__) == set(TYPES) | untried


def test_every_type_is_there_at_run_time_and_has_a_line_that_tells_what_it_is() -> None:
    source = Path(zchunk.typing.__file__).read_text()
    for name in zchunk.typing.__all__:
        assert getattr(zchunk.typing, name) is not None
        assert re.search(
            rf'^(?:class {name}\(|{name}: TypeAlias = (?:.|\n)*?\n""").', source, re.MULTILINE
        ), name


def test_stores_of_obstore_and_file_systems_of_fsspec_are_stores() -> None:
    obstore, fsspec = pytest.importorskip("obstore.store"), pytest.importorskip("fsspec")
    for store, kind in (
        (obstore.MemoryStore(), zchunk.typing.Bucket),
        (fsspec.filesystem("memory"), zchunk.typing.FileSystem),
    ):
        assert isinstance(store, typing.runtime_checkable(kind))


def test_importing_zchunk_does_not_import_its_types() -> None:
    code = "import sys, zchunk; zchunk.zeros(3)[:]; assert 'zchunk.typing' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_sets_and_groups_of_h5py_are_nodes(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = [1, 2]
        node = typing.runtime_checkable(zchunk.typing.H5pyNode)
        group = typing.runtime_checkable(zchunk.typing.H5pyGroup)
        nodes = file["a"], file, file.create_group("b"), zchunk.group()
        assert [isinstance(found, node) for found in nodes] == [True, True, True, False]
        assert [isinstance(found, group) for found in nodes] == [False, True, True, False]
