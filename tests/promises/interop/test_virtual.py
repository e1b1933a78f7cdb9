"""References of kerchunk and VirtualiZarr, JSON and Parquet, open as they are, and take few requests."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers import folders
from tests.servers.process import program

fsspec = pytest.importorskip("fsspec")
h5py = pytest.importorskip("h5py")

ARCHIVE = Path(__file__).with_name("virtual.zip")
DAYS = ("day0.nc", "day1.nc")
pytestmark = pytest.mark.filterwarnings("ignore:The 'fastparquet' engine is deprecated")
REFERENCES = ("kerchunk.json", "kerchunk.parquet", "virtualizarr.json", "virtualizarr.parquet")


@pytest.fixture
def unpacked(tmp_path: Path) -> Iterator[Path]:
    """The folder of the archive. The files that are referred to are in memory, where the references say."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    memory = fsspec.filesystem("memory")
    for name in (*DAYS, "deep.h5"):
        memory.pipe(f"/virtual/{name}", (tmp_path / name).read_bytes())
    yield tmp_path
    memory.rm("/virtual", recursive=True)


def _items(folder: Path, name: str) -> np.ndarray[Any, Any]:
    parts = []
    for day in DAYS:
        with h5py.File(folder / day) as file:
            parts.append(file[name][:])
    return np.concatenate(parts)


@pytest.mark.parametrize("name", REFERENCES)
def test_references_open_by_their_url(unpacked: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("fastparquet")
    group = zchunk.open(f"reference://{unpacked / name}", mode="r")
    assert isinstance(group, zchunk.Group)
    assert {key for key, _ in group.arrays()} == {"air", "time", "x"}
    for key in ("air", "time"):
        np.testing.assert_array_equal(group[key][:], _items(unpacked, key))
    np.testing.assert_array_equal(group["air"][3:5, 25:], _items(unpacked, "air")[3:5, 25:])
    with pytest.raises(zchunk.errors.ReadOnlyError):
        group["air"][0] = 0


@pytest.mark.each_value
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("chunks", [None, {}], ids=["eager", "dask"])
def test_references_open_in_xarray(unpacked: Path, name: str, chunks: dict[str, int] | None) -> None:
    xr = pytest.importorskip("xarray")
    refs: Any = f"reference://{unpacked / name}"
    if name.endswith("parquet"):
        pytest.importorskip("fastparquet")
    elif chunks is None:
        refs = json.loads((unpacked / name).read_text())
    if chunks is not None:
        pytest.importorskip("dask")
    with xr.open_dataset(refs, engine="zchunk", chunks=chunks) as data:
        assert data["time"].values[0] == np.datetime64("2026-01-01T01:00")
        wanted = _items(unpacked, "air") * 0.01
        np.testing.assert_allclose(data["air"].values, wanted, atol=1e-6)
        np.testing.assert_allclose(data["air"].sel(x=1, method="nearest").values, wanted[:, 0], atol=1e-6)


def test_references_in_groups(unpacked: Path) -> None:
    group = zchunk.open_group(f"reference://{unpacked / 'kerchunk-deep.json'}", mode="r")
    np.testing.assert_array_equal(group["a/b/c"][2:, 1], np.arange(20.0).reshape(4, 5)[2:, 1])


def test_ranges_that_are_near_are_one_request(tmp_path: Path) -> None:
    nginx = program("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed; see `make servers`")
    pytest.importorskip("aiohttp")
    items, log = np.arange(40_000, dtype="<i4"), tmp_path / "answers"
    (tmp_path / "recorded.bin").write_bytes(items.tobytes())
    metadata = {"zarr_format": 2, "shape": [40_000], "chunks": [100], "dtype": "<i4", "order": "C"}
    metadata |= {"compressor": None, "filters": None, "fill_value": None}
    with folders.nginx(nginx, tmp_path, log) as url:
        refs: dict[str, Any] = {f"a/{n}": [f"{url}/recorded.bin", 400 * n, 400] for n in range(400)}
        refs |= {".zgroup": '{"zarr_format": 2}', "a/.zarray": json.dumps(metadata)}
        array = zchunk.open({"version": 1, "refs": refs}, mode="r")["a"]
        np.testing.assert_array_equal(array[:], items)
        np.testing.assert_array_equal(array[5_000:9_000], items[5_000:9_000])
    answers = log.read_text().split()
    assert set(answers) == {"206"}
    # For 440 chunks.
    assert len(answers) <= 20
