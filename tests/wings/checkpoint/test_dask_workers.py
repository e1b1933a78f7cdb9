"""dask arrays in checkpoints: workers write, the client commits, and no run of a task can spoil a step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk.dask
from tests import ROOT
from tests.wings.checkpoint.ranks import on_ranks
from zchunk.checkpoint import CheckpointManager, PerRank
from zchunk.errors import CheckpointError, ChunkNotFoundError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

from zchunk.wings.checkpoint import dask_workers  # noqa: E402

ITEMS = np.arange(30 * 40, dtype="i4").reshape(30, 40)
SCHEDULERS = pytest.mark.parametrize(
    "scheduler",
    ["threads", *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "synchronous"))],
)


def lazy(chunks: Any = (7, 9)) -> Any:
    return da.from_array(ITEMS, chunks=chunks)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@SCHEDULERS
def test_a_state_of_dask_arrays_comes_back(scheduler: str, tmp_path: Path) -> None:
    state = {
        "u": lazy() + 1,
        "odd": lazy(((3, 20, 7), (40,))),
        "sum": lazy().sum(),
        "none": lazy()[:0],
        "here": ITEMS,
        "deep": {"x": [lazy((10, 10)).astype("f4")]},
    }
    with dask.config.set(scheduler=scheduler), CheckpointManager(tmp_path) as manager:
        for step in (1, 2):
            manager.save(step, state)
        checkpoint = manager.restore(verify="full")
    assert checkpoint is not None
    assert (checkpoint["u"].shards or checkpoint["u"].chunks) == (7, 9)
    assert (checkpoint["odd"].shards or checkpoint["odd"].chunks) == (20, 40)
    np.testing.assert_array_equal(checkpoint.read("u"), ITEMS + 1)
    np.testing.assert_array_equal(checkpoint.read("odd"), ITEMS)
    np.testing.assert_array_equal(checkpoint["sum"], ITEMS.sum())
    assert checkpoint["none"].shape == (0, 40)
    np.testing.assert_array_equal(checkpoint.read("deep/x/0"), ITEMS)
    assert names(tmp_path) == ["00000001", "00000002", "zarr.json"]


@SCHEDULERS
def test_they_come_back_as_dask_arrays(scheduler: str, tmp_path: Path) -> None:
    with dask.config.set(scheduler=scheduler), CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": lazy(), "v": ITEMS})
        like = {"u": da.zeros((30, 40), "f8", chunks=(4, 40)), "v": lazy((5, 40))}
        checkpoint = manager.restore(like=like)
        assert checkpoint is not None
        assert checkpoint.state is not None
        for name, want in like.items():
            found = checkpoint.state[name]
            assert (found.chunks, found.dtype) == (want.chunks, want.dtype)
            np.testing.assert_array_equal(found.compute(), ITEMS)
        with pytest.raises(ValueError, match=r"'u' has shape \(30, 41\); in step 1 it has \(30, 40\)"):
            manager.restore(like={"u": da.zeros((30, 41))})
        with pytest.raises(TypeError, match="'u' is of int32, which uint8 cannot hold"):
            manager.restore(like={"u": da.zeros((30, 40), "i2").astype("u1")})


def test_what_is_restored_is_never_filled(tmp_path: Path) -> None:
    """The array and the dask array are read later, when retention may have deleted the step."""
    with CheckpointManager(tmp_path, max_to_keep=1) as manager:
        manager.save(1, {"u": lazy((10, 40)) + 1})
        checkpoint = manager.restore(like={"u": lazy((5, 40))})
        assert checkpoint is not None
        assert checkpoint.state is not None
        array, found = checkpoint["u"], checkpoint.state["u"]
        # It is read while the next step is saved, which then replaces it.
        manager.save(2, {"u": found})
        manager.wait_until_finished()
        assert manager.all_steps() == [2]
        for read in (lambda: array[:2], found.compute, lambda: manager.save(3, {"u": found})):
            with pytest.raises(CheckpointError, match=r"step 1 in .* was deleted"):
                read()
        np.testing.assert_array_equal(manager.restore()["u"][:], ITEMS + 1)  # type: ignore[index]
        (tmp_path / "00000002" / "u" / "c" / "0" / "0").unlink()
        checkpoint = manager.restore(like={"u": found}, verify="none")
        assert checkpoint is not None
        assert checkpoint.state is not None
        for read in (lambda: checkpoint["u"][:2], checkpoint.state["u"].compute):
            with pytest.raises(ChunkNotFoundError):
                read()
    assert names(tmp_path) == ["00000002", "zarr.json"]


def test_a_task_that_fails_leaves_no_step(tmp_path: Path) -> None:
    def fail(block: Any, block_id: Any) -> Any:
        if block_id == (2, 1):
            raise ZeroDivisionError("in a task")
        return block

    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": lazy()})
        with pytest.raises(ZeroDivisionError, match="in a task"):
            manager.save(2, {"u": lazy().map_blocks(fail, dtype="i4", meta=np.empty((0, 0), "i4"))})
        manager.wait_until_finished()
        assert names(tmp_path) == ["00000001", "zarr.json"]
        manager.save(2, {"u": lazy() + 2})
    assert manager.all_steps() == [1, 2]


def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    unknown = lazy()[lazy()[:, 0] > 100]
    per_rank = {"seed": PerRank(lazy())}
    with CheckpointManager(tmp_path) as manager:
        for state, kind, message in (
            ({"u": unknown}, ValueError, r"'u': dask does not know the shape.*compute_chunk_sizes"),
            (per_rank, TypeError, "'seed' is a PerRank with a Block, a dask array"),
            ({"u": lazy().astype(object)}, TypeError, "'u' is an array of Python objects"),
        ):
            with pytest.raises(kind, match=message):
                manager.save(1, state)
        assert not names(tmp_path)
        manager.save(1, {"u": unknown.compute_chunk_sizes()})
    errors = on_ranks(2, lambda comm: CheckpointManager(tmp_path / "two", comm).save(1, {"u": lazy()}))
    assert [type(error) for error in errors] == [ValueError] * 2
    assert "'u' is a dask array, which one process saves, with its workers; there are 2" in str(errors[0])
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (lambda block: block[:1], "a block of 'u' has shape"),
        (lambda block: block / 3, "a block of 'u' is of float64, and dask said int32"),
        (lambda block: np.ma.masked_equal(block, 3), "masked"),
    ],
    ids=["shape", "dtype", "masked"],
)
def test_blocks_that_are_not_what_dask_said(block: Any, message: str, tmp_path: Path) -> None:
    wrong = lazy((10, 10)).map_blocks(block, dtype="i4", chunks=(10, 10), meta=np.empty((0, 0), "i4"))
    with CheckpointManager(tmp_path) as manager, pytest.raises((ValueError, TypeError), match=message):
        manager.save(1, {"u": wrong})
    assert names(tmp_path) == ["zarr.json"]


def test_the_run_of_a_task_that_is_not_waited_for_reaches_nothing(tmp_path: Path) -> None:
    """dask has run a task twice, with other values: the later run ends before or after the commit."""
    late: list[Any] = []

    class Twice(dask_workers._Writer):
        def __call__(self, block: Any, block_id: Any) -> Any:
            late.append(lambda: super(Twice, self).__call__(-block, block_id))
            late[-1]()
            return super().__call__(block, block_id)

    with pytest.MonkeyPatch.context() as patch, CheckpointManager(tmp_path) as manager:
        patch.setattr(dask_workers, "_Writer", Twice)
        manager.save(1, {"u": lazy((10, 20))})
        manager.wait_until_finished()
        assert len(late) == 6
        for run in late:
            with pytest.raises(FileNotFoundError):
                run()
        manager.verify(1, full=True)
        np.testing.assert_array_equal(manager.restore()["u"][:], ITEMS)  # type: ignore[index]
    assert names(tmp_path) == ["00000001", "zarr.json"]


def test_what_is_static_is_not_computed_again(tmp_path: Path) -> None:
    computed: list[Any] = []

    def note(block: Any) -> Any:
        computed.append(1)
        return block

    mask = lazy((10, 40)).map_blocks(note, dtype="i4", meta=np.empty((0, 0), "i4"))
    with CheckpointManager(tmp_path) as manager:
        for step in (1, 2):
            manager.save(step, {"u": lazy() + step}, static={"mask": mask})
        assert len(computed) == 3
        np.testing.assert_array_equal(manager.restore()["mask"][:], ITEMS)  # type: ignore[index]
    (one,), (two,) = (list((tmp_path / f"0000000{step}" / "mask" / "c" / "0").iterdir()) for step in (1, 2))
    assert one.samefile(two)


def test_files_limits_the_shards(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path, files=2) as manager:
        manager.save(1, {"u": lazy((3, 40))})
        checkpoint = manager.restore(verify="full")
    assert checkpoint is not None
    np.testing.assert_array_equal(checkpoint.read("u"), ITEMS)
    assert len(list((tmp_path / "00000001" / "u" / "c").iterdir())) <= 2


KILLED = """
import os, signal, sys, numpy, dask.array as da
from zchunk.checkpoint import CheckpointManager
def kill(block, block_id):
    if block_id[0] == 2: os.kill(os.getpid(), signal.SIGKILL)
    return block
u = da.zeros((40, 10), chunks=(10, 10))
manager = CheckpointManager(sys.argv[1])
manager.save(1, {"u": u})
manager.wait_until_finished()
manager.save(2, {"u": u.map_blocks(kill, dtype="f8", meta=numpy.empty((0, 0)))})
"""


@pytest.mark.slow
def test_a_client_that_is_killed_leaves_no_step(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert names(tmp_path) == [".tmp", "00000001", "zarr.json"]
    with CheckpointManager(tmp_path) as manager:
        manager.save(2, {"u": lazy()})
    assert names(tmp_path) == ["00000001", "00000002", "zarr.json"]


# ---- worker processes


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(host="127.0.0.1", protocol="tcp", processes=True, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as found,
    ):
        yield found


def deadly(mark: str | None) -> Any:
    """A dask array, one of whose blocks kills the worker that computes it; with a mark the first one only."""

    def kill(block: Any, block_id: Any) -> Any:
        if block_id == (2, 1):
            if mark is None:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                os.mkdir(mark)
            except FileExistsError:
                return block
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    return lazy().map_blocks(kill, dtype="i4", meta=np.empty((0, 0), "i4"))


@pytest.mark.slow
def test_workers_of_a_cluster_write(client: Any, tmp_path: Path) -> None:
    def own_pid(block: Any) -> Any:
        return np.full_like(block, os.getpid())

    pids = lazy().map_blocks(own_pid, dtype="i4", meta=np.empty((0, 0), "i4"))
    with client.as_current(), CheckpointManager(tmp_path) as manager:
        for step in (1, 2):
            manager.save(step, {"u": lazy() + step, "pids": pids})
        checkpoint = manager.restore(like={"u": lazy((11, 13))}, verify="full")
        assert checkpoint is not None
        assert checkpoint.state is not None
        np.testing.assert_array_equal(checkpoint.state["u"].compute(), ITEMS + 2)
        assert os.getpid() not in checkpoint.read("pids")
        np.testing.assert_array_equal(zchunk.dask.from_zchunk(checkpoint["u"]).compute(), ITEMS + 2)
    assert names(tmp_path) == ["00000001", "00000002", "zarr.json"]


@pytest.mark.slow
def test_a_worker_that_is_killed(client: Any, tmp_path: Path) -> None:
    import distributed

    folder = tmp_path / "run"
    with client.as_current(), CheckpointManager(folder) as manager:
        manager.save(1, {"u": deadly(str(tmp_path / "killed"))})
        assert (tmp_path / "killed").is_dir()
        with pytest.raises(distributed.KilledWorker):
            manager.save(2, {"u": deadly(None)})
        manager.wait_until_finished()
        assert manager.all_steps() == [1]
        checkpoint = manager.restore(verify="full")
        assert checkpoint is not None
        np.testing.assert_array_equal(checkpoint.read("u"), ITEMS)
        manager.save(2, {"u": lazy()})
    assert {"00000001", "00000002", "zarr.json"} == set(names(folder)) - {".tmp"}


def test_arrays_of_xarray_over_dask_are_not_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(
        lazy(), dims=("y", "x"), coords={"x": np.arange(40.0)}, name="t", attrs={"units": "K"}
    )
    gathered: list[str] = []
    monkeypatch.setattr(xarray.DataArray, "__array__", lambda *args, **kwargs: gathered.append("t"))
    state = {"t": array, "v": array.variable + 1, "x": array["x"].to_numpy()}
    like = {"t": array * 0, "v": array.variable * 0}
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, state)
        checkpoint = manager.restore(like=like)
        path = manager.path(1)
    assert gathered == []
    assert checkpoint is not None
    assert checkpoint.state is not None
    found = checkpoint.state["t"]
    assert (type(found), found.chunks, found.attrs, found.name) == (
        xarray.DataArray, array.chunks, (array * 0).attrs, "t",
    )  # fmt: skip
    assert (type(checkpoint.state["v"]), checkpoint.state["v"].dims) == (xarray.Variable, ("y", "x"))
    monkeypatch.undo()
    np.testing.assert_array_equal(found.to_numpy(), ITEMS)
    np.testing.assert_array_equal(checkpoint.state["v"].to_numpy(), ITEMS + 1)
    assert (checkpoint["t"].shards or checkpoint["t"].chunks) == (7, 9)
    with xarray.open_dataset(path, engine="zchunk") as data:
        assert data["t"].dims == ("y", "x")
        assert data["x"].dims == ("x",)
        np.testing.assert_array_equal(data["t"].sel(x=3.0).to_numpy(), ITEMS[:, 3])
        # Lazy, and not of dask: values that are saved as any others.
        with CheckpointManager(tmp_path / "other") as manager:
            manager.save(1, {"t": data["t"]})
            other = manager.restore()
    assert other is not None
    np.testing.assert_array_equal(other.read("t"), ITEMS)
