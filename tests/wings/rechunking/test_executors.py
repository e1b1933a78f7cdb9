"""What runs the tasks of rechunking: threads, a cluster, the caller's executor."""

from __future__ import annotations

import concurrent.futures
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.wings.rechunking.test_tasks import least, tall
from zchunk.errors import ChunkError
from zchunk.wings.rechunking import target as making
from zchunk.wings.rechunking.tasks import Job


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stages of the tasks that are done, as they are done. Chunks are read once only."""
    done: list[int] = []
    run = Job.run

    def counted(self: Job, stage: int, number: int, memory: Any) -> None:
        run(self, stage, number, memory)
        done.append(stage)

    monkeypatch.setattr(Job, "run", counted)
    monkeypatch.setattr(making, "_READS", 1)
    return done


@pytest.mark.parametrize("executor", ["dask", "threads", concurrent.futures.ThreadPoolExecutor])
def test_executors_with_threads(executor: Any, stages: list[int]) -> None:
    if executor == "dask":
        pytest.importorskip("dask")
    z = tall()
    seen: list[tuple[int, int]] = []
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        given = executor if isinstance(executor, str) else threads
        # A task has as much as one needs, and a little more; there are three, or as many as threads.
        workers = 3 if given is threads else zchunk.get_threads()
        limit = workers * (least(z, (64, 5), executor=given) + 2000)
        found = zchunk.rechunk(
            z, (64, 5), max_memory=limit, executor=given, progress=lambda *now: seen.append(now)
        )
    np.testing.assert_array_equal(found[...], z[...])
    assert set(stages) == {0, 1}
    assert seen[-1] == (2 * z.nbytes, 2 * z.nbytes)


def test_a_cluster_of_processes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    z = tall(tmp_path / "z", zarr_format=3)
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(host="127.0.0.1", **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        limit = least(z, (64, 5), target=tmp_path / "target", executor=client) + 3000
        for executor in (client, "dask"):
            found = zchunk.rechunk(z, (64, 5), tmp_path / "target", limit, executor=executor, overwrite=True)
            np.testing.assert_array_equal(found[...], z[...])
            found[...] = 0
        with pytest.raises(ValueError, match="is of this process"):
            zchunk.rechunk(z, (64, 5), executor=client)


def test_an_error_in_an_executor(tmp_path: Path) -> None:
    z = tall(tmp_path / "z")
    (tmp_path / "z" / "9.0").write_bytes(b"no chunk")
    for workers in (1, 3):
        with concurrent.futures.ThreadPoolExecutor(workers) as executor, pytest.raises(ChunkError):
            zchunk.rechunk(z, (64, 5), executor=executor)


def test_no_executor() -> None:
    for executor in (None, "processes", 3, object()):
        with pytest.raises(ValueError, match="executor is"):
            zchunk.rechunk(tall(), 5, executor=executor)


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ImportError, match=r"pip install .dask"):
        zchunk.rechunk(tall(), 5, executor="dask")
