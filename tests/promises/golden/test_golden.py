"""Arrays and groups that zarr 2.18, zarr 3 and tensorstore wrote: zchunk reads them bit for bit.

``make.py`` makes the archives; ``record.py`` says what is in them.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.promises.golden import make_zchunk
from zchunk.metadata import v2
from zchunk.metadata.v3 import document as v3

DATA = Path(__file__).parent / "data"
PRODUCERS = {path.stem: zipfile.ZipFile(path) for path in sorted(DATA.glob("*.zip"))}


def nodes() -> Iterator[Any]:
    """Every node of every case: producer, case, path in the case, what is expected."""
    for producer, archive in PRODUCERS.items():
        for member in archive.namelist():
            if member.endswith("/expected.json"):
                case = member.split("/")[0]
                for path, expected in json.loads(archive.read(member)).items():
                    name = f"{producer}-{case}" + (f"-{path}" if path else "")
                    yield pytest.param(producer, case, path, expected, id=name)


NODES = list(nodes())
ARRAYS = [node for node in NODES if node.values[3]["kind"] == "array"]
GROUPS = [node for node in NODES if node.values[3]["kind"] == "group"]

Unpack = Callable[[str, str], str]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """The folder of a case's hierarchy; an archive is unpacked when the first of its cases is asked for."""
    folders: dict[str, Path] = {}

    def folder(producer: str, case: str) -> str:
        if producer not in folders:
            folders[producer] = tmp_path_factory.mktemp(producer)
            PRODUCERS[producer].extractall(folders[producer])
        return str(folders[producer] / case / "store")

    return folder


def values_of(producer: str, expected: dict[str, Any]) -> np.ndarray:
    raw = PRODUCERS[producer].read(f"values/{expected['values']}.npy")
    return np.load(io.BytesIO(raw), allow_pickle=False)


def assert_same(found: Any, wanted: np.ndarray) -> None:
    """Equal dtype, shape and bits, whatever the memory order."""
    found = np.asarray(found)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()


def assert_same_json(found: Any, wanted: Any) -> None:
    """Equal as JSON text: NaN equals NaN, 1 is not 1.0 nor true."""
    assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


def assert_same_codec(codec: Any, config: dict[str, Any] | None) -> None:
    """The same codec; parameters that only one side spells out (zstd's ``checksum``) are defaults."""
    if config is None:
        assert codec is None
        return
    found = codec.get_config()
    assert found["id"] == config["id"]
    both = found.keys() & config.keys()
    assert {k: found[k] for k in both} == {k: config[k] for k in both}


def selections(shape: tuple[int, ...]) -> list[Any]:
    """A few selections that cut chunks: everything, the inside, strides, backwards, one element."""
    chosen: list[Any] = [..., tuple(slice(1, -1) for _ in shape), tuple(slice(None, None, 2) for _ in shape)]
    if shape and min(shape) > 1:
        chosen += [-1, (..., 1), tuple(n // 2 for n in shape), tuple(slice(None, None, -3) for _ in shape)]
    return chosen


@pytest.mark.each_value
@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("producer", "case", "node", "expected"), ARRAYS)
def test_array(unpacked: Unpack, producer: str, case: str, node: str, expected: dict[str, Any]) -> None:
    wanted = values_of(producer, expected)
    z = zchunk.open(unpacked(producer, case), mode="r", path=node or None)

    assert (z.dtype, z.shape, z.chunks) == (wanted.dtype, wanted.shape, tuple(expected["chunks"]))
    assert z.order == expected["order"]
    assert_same_json(z.attrs.asdict(), expected["attributes"])
    assert_same_codec(z.compressor, expected["compressor"])
    for found, config in zip(z.filters or [], expected["filters"] or [], strict=True):
        assert_same_codec(found, config)
    if expected["fill_value"] is None:
        assert z.fill_value is None
    else:
        fill = np.zeros((), z.dtype)
        fill[...] = z.fill_value
        assert fill.tobytes() == base64.b64decode(expected["fill_value"])

    for selection in selections(wanted.shape):
        assert_same(z[selection], np.asarray(wanted[selection]))
    out = np.empty(wanted.shape, wanted.dtype, order="F")
    z.get_basic_selection(..., out=out)
    assert_same(out, wanted)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("producer", "case", "node", "expected"), ARRAYS)
def test_mapping_reads_as_the_folder(
    unpacked: Unpack, producer: str, case: str, node: str, expected: dict[str, Any]
) -> None:
    root = Path(unpacked(producer, case))
    store = {f.relative_to(root).as_posix(): f.read_bytes() for f in root.rglob("*") if f.is_file()}
    assert_same(zchunk.open(store, mode="r", path=node or None)[...], values_of(producer, expected))


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("producer", "case", "node", "expected"), ARRAYS)
def test_metadata_is_rendered_as_it_was(
    unpacked: Unpack, producer: str, case: str, node: str, expected: dict[str, Any]
) -> None:
    raw = (Path(unpacked(producer, case)) / node / ".zarray").read_bytes()
    rendered = v2.render_array(v2.parse_array(raw, f"{case}/{node}"))
    if producer == "zarr2":
        # zstd's checksum is left out when there is none: older readers do not know the word.
        assert rendered == raw.replace(b'        "checksum": false,\n', b"")
    else:
        found, wanted = json.loads(rendered), json.loads(raw)
        # Codecs may spell out defaults; NumPy's scalars decide how a fill value is written.
        for member in ("shape", "chunks", "dtype", "order", "zarr_format"):
            assert_same_json(found[member], wanted[member])
        again = v2.parse_array(rendered, case)
        assert v2.render_array(again) == rendered


def assert_group(
    group: Any, producer: str, expected: dict[str, Any], children: dict[str, dict[str, Any]]
) -> None:
    assert isinstance(group, zchunk.Group)
    assert_same_json(group.attrs.asdict(), expected["attributes"])
    for kind, found in {"array": group.array_keys(), "group": group.group_keys()}.items():
        assert sorted(found) == sorted(name for name, node in children.items() if node["kind"] == kind)
    assert sorted(group) == sorted(children)
    for name, node in children.items():
        assert_same_json(group[name].attrs.asdict(), node["attributes"])
        if node["kind"] == "array":
            assert_same(group[name][...], values_of(producer, node))


@pytest.mark.each_value
@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("producer", "case", "node", "expected"), GROUPS)
def test_group(unpacked: Unpack, producer: str, case: str, node: str, expected: dict[str, Any]) -> None:
    every = json.loads(PRODUCERS[producer].read(f"{case}/expected.json"))
    prefix = f"{node}/" if node else ""
    below = {
        path.removeprefix(prefix): n for path, n in every.items() if path != node and path.startswith(prefix)
    }
    children = {path: n for path, n in below.items() if "/" not in path}

    store = unpacked(producer, case)
    assert_group(zchunk.open_group(store, mode="r", path=node or None), producer, expected, children)
    root = zchunk.open(store, mode="r")
    assert_group(root[node] if node else root, producer, expected, children)
    if case.endswith("consolidated"):
        root = zchunk.open_consolidated(store)
        assert_group(root[node] if node else root, producer, expected, children)
        for path, n in below.items():
            assert ("/" in path) or path in children
            if n["kind"] == "array" and n["fill_value"] is not None:
                fill = np.asarray((root[node] if node else root)[path].fill_value)
                assert fill.tobytes() == base64.b64decode(n["fill_value"])


def test_nothing_is_lost() -> None:
    """The archives are there, and as rich as they were made."""
    counts = {producer: sum(node.values[0] == producer for node in NODES) for producer in PRODUCERS}
    assert set(counts) == {"zarr2", "zarr3", "tensorstore"}
    assert counts["zarr2"] > 300
    assert counts["zarr3"] > 150
    assert counts["tensorstore"] > 120


# ---- format 3

DATA3 = {path.stem: zipfile.ZipFile(path) for path in sorted((DATA / "v3").glob("*.zip"))}
CASES3 = [
    pytest.param(producer, case, expected, id=f"{producer}-{case}")
    for producer, archive in DATA3.items()
    for member in archive.namelist()
    if member.endswith("/expected.json")
    for case, expected in [(member.split("/")[0], json.loads(archive.read(member)))]
]


@pytest.fixture(scope="session")
def unpacked3(tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """As `unpacked`, of the archives of format 3."""
    folders: dict[str, Path] = {}

    def folder(producer: str, case: str) -> str:
        if producer not in folders:
            folders[producer] = tmp_path_factory.mktemp(producer)
            DATA3[producer].extractall(folders[producer])
        return str(folders[producer] / case / "store")

    return folder


def assert_node(node: Any, producer: str, expected: dict[str, Any]) -> None:
    assert_same_json(node.attrs.asdict(), expected["attributes"])
    if expected["kind"] == "group":
        assert isinstance(node, zchunk.Group)
        return
    found = np.asarray(node[...])
    assert list(found.shape) == expected["shape"]
    names = expected["dimension_names"]
    assert node.dimension_names == (None if names is None else tuple(names))
    if isinstance(expected["values"], list):
        wanted = [x if isinstance(x, str) else bytes(x) for x in expected["values"]]
        assert found.reshape(-1).tolist() == wanted
        return
    assert expected["dtype"] in (node.dtype.name, node.dtype.str)
    assert found.dtype == node.dtype
    raw = np.load(io.BytesIO(DATA3[producer].read(f"values/{expected['values']}.npy")))
    assert found.tobytes() == raw.tobytes()
    for selection in selections(found.shape):
        assert_same(node[selection], np.asarray(found[selection]))


@pytest.mark.each_value
@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("producer", "case", "expected"), CASES3)
def test_format_3(unpacked3: Unpack, producer: str, case: str, expected: dict[str, Any]) -> None:
    if expected.get("", {}).get("data_type") in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        pytest.importorskip("ml_dtypes")
    folder = unpacked3(producer, case)
    root = zchunk.open(folder, mode="r")
    for path, node in expected.items():
        assert_node(root[path] if path else root, producer, node)
    if case == "group-consolidated":
        root = zchunk.open_consolidated(folder)
        for path, node in expected.items():
            assert_node(root[path] if path else root, producer, node)


@pytest.mark.parametrize(("producer", "case", "expected"), CASES3)
def test_format_3_is_rendered_as_it_was(
    unpacked3: Unpack, producer: str, case: str, expected: dict[str, Any]
) -> None:
    """zarr's metadata byte for byte; of the others what they say, with the defaults spelled out."""
    for path, node in expected.items():
        raw = (Path(unpacked3(producer, case)) / path / "zarr.json").read_bytes()
        if node["kind"] == "group":
            continue
        rendered = v3.render_array(v3.parse_array(raw, case), json.loads(raw)["attributes"])
        # zarr leaves the byte order of structures open.
        if producer != "tensorstore" and case != "dtype-struct":
            assert rendered == raw
            continue
        found, wanted = json.loads(rendered), {"storage_transformers": [], **json.loads(raw)}
        for member in wanted.keys() - {"codecs", "chunk_key_encoding"}:
            assert_same_json(found[member], wanted[member])
        assert found.keys() == wanted.keys()
        assert v3.render_array(v3.parse_array(rendered, case), found["attributes"]) == rendered


def test_nothing_of_format_3_is_lost() -> None:
    counts = {producer: sum(case.values[0] == producer for case in CASES3) for producer in DATA3}
    assert counts == {"zarr3": 100, "zarrs": 82, "tensorstore": 86}


@pytest.mark.usefixtures("path")
def test_what_zchunk_writes() -> None:
    """A contract: other readers, and other versions of zchunk, rely on these bytes."""
    wanted = json.loads(make_zchunk.TARGET.read_text("utf-8"))
    assert make_zchunk.made() == wanted
    assert len(wanted) == len(make_zchunk.CASES) + 1
