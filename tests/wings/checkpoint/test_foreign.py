"""Every committed step is a plain Zarr group: other libraries read it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, CheckpointManager, PerRank, partition

SHAPE = (9, 2**17)
U = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
Y = np.linspace(0, 1, SHAPE[0])
V = np.arange(30, dtype="i4").reshape(5, 6)


@pytest.fixture(scope="module", params=["crc32c", None], ids=str)
def step(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """A step of three ranks: one array in shards, one of which the ranks' parts are no shards, and others."""
    root = tmp_path_factory.mktemp("run")

    def save(comm: Any) -> None:
        part, rows = partition(SHAPE, comm, dims=(0, 1)), slice(5 * comm.rank // 3, 5 * (comm.rank + 1) // 3)
        state = {
            "u": Block(U[part.interior], part.offset, SHAPE, ("y", "x")),
            "y": Y,
            "deep": {"v": Block(V[rows], (rows.start, 0), V.shape), "z": np.array(2.5)},
            "few": Block(np.arange(2) if comm.rank == 1 else np.zeros(0, int), (0,), (2,)),
            "rng": PerRank(np.random.default_rng(comm.rank)),
            "n": 2**70,
        }
        with CheckpointManager(root, comm, compressors=request.param) as manager:
            manager.save(7, state, time=0.5, attrs={"title": "test"})

    checked(on_ranks(3, save))
    return CheckpointManager(root).path(7)


def test_zarr_python(step: str) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = zarr.open_group(str(Path(step).parent), mode="r")
        # Not only in the step: nothing beside the steps is strange to it either.
        assert [name for name, _ in root.members()] == ["00000007"]
        group = zarr.open_group(step, mode="r")
        assert group.metadata.consolidated_metadata is not None
        assert {name for name, _ in group.members()} == {"u", "y", "deep", "few"}
        plain = zarr.open_group(step, mode="r", use_consolidated=False)
        assert {name for name, _ in plain.members(max_depth=None)} >= {"u", "deep", "deep/v", "deep/z"}
    assert (group["u"][...] == U).all()
    assert group["u"].shards == (3, 2**17)
    assert group["u"].metadata.dimension_names == ("y", "x")
    assert (group["deep/v"][...] == V).all()
    assert group["deep/z"][...] == 2.5
    assert (group["few"][...] == [0, 1]).all()
    assert group.attrs["step"] == 7
    assert group.attrs["title"] == "test"


@pytest.mark.parametrize(("name", "items"), [("u", U), ("deep/v", V), ("y", Y), ("deep/z", np.array(2.5))])
def test_tensorstore(step: str, name: str, items: Any) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    opened = tensorstore.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{step}/{name}"}}, read=True
    ).result()
    assert (opened.read().result() == items).all()


@pytest.mark.parametrize(("name", "items"), [("u", U), ("deep/v", V), ("y", Y), ("deep/z", np.array(2.5))])
def test_zarrs(step: str, name: str, items: Any) -> None:
    pytest.importorskip("zarrs")
    zarr = pytest.importorskip("zarr", minversion="3")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        assert (zarr.open_array(f"{step}/{name}", mode="r")[...] == items).all()


@pytest.mark.parametrize("engine", ["zchunk", "zarr"])
def test_xarray(step: str, engine: Any) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(step, engine=engine) as data:
        assert data.u.dims == ("y", "x")
        assert (data.u.values == U).all()
        # A coordinate, since it has the name of an axis.
        assert list(data.coords) == ["y"]
        assert (data.y.values == Y).all()
        assert data.attrs["step"] == 7
        assert float(data.u.sel(y=0).isel(x=3)) == U[0, 3]
