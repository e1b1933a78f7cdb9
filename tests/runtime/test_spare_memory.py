"""How much memory of results is kept: by the program, the environment, limits of containers and workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import zchunk
from zchunk.runtime.spare_memory import cgroup_limits

MIB = 1 << 20
UNLIMITED = 2**63 - 4096


@pytest.fixture(autouse=True)
def default() -> Iterator[None]:
    yield
    zchunk.set_spare_memory(None)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def limits(root: Path, membership: str) -> list[int]:
    write(root / "cgroup", membership)
    return sorted(cgroup_limits(f"{root}/cgroup", f"{root}/fs"))


def test_cgroups_of_version_2(tmp_path: Path) -> None:
    write(tmp_path / "fs/memory.max", "max")
    write(tmp_path / "fs/slurm/memory.max", str(4000 * MIB))
    write(tmp_path / "fs/slurm/job 1/memory.max", "max")
    write(tmp_path / "fs/slurm/job 1/memory.high", str(3000 * MIB))
    write(tmp_path / "fs/slurm/job 2/memory.max", str(7 * MIB))
    assert limits(tmp_path, "0::/slurm/job 1") == [3000 * MIB, 4000 * MIB]
    assert limits(tmp_path, "0::/slurm") == [4000 * MIB]
    assert limits(tmp_path, "0::/") == []


def test_cgroups_of_version_1(tmp_path: Path) -> None:
    write(tmp_path / "fs/memory/memory.limit_in_bytes", str(UNLIMITED))
    write(tmp_path / "fs/memory/job/memory.limit_in_bytes", str(500 * MIB))
    write(tmp_path / "fs/cpuset/job/memory.limit_in_bytes", "1")
    lines = "9:name=systemd:/job\n4:memory:/job\n3:cpuset:/job\n0::/"
    assert limits(tmp_path, lines) == [500 * MIB, UNLIMITED]
    assert limits(tmp_path, "4:cpu,memory:/job/step") == [500 * MIB, UNLIMITED]


def test_a_container_sees_its_own_root_and_the_path_of_the_host(tmp_path: Path) -> None:
    write(tmp_path / "fs/memory/memory.limit_in_bytes", str(500 * MIB))
    write(tmp_path / "fs/memory.max", str(400 * MIB))
    assert limits(tmp_path, "4:memory:/docker/0123\n0::/docker/0123") == [400 * MIB, 500 * MIB]


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "fs/unified/job/memory.max", str(300 * MIB))
    assert limits(tmp_path, "1:cpu:/\n0::/job") == [300 * MIB]


def test_no_cgroups(tmp_path: Path) -> None:
    assert list(cgroup_limits(f"{tmp_path}/none", f"{tmp_path}/fs")) == []
    assert limits(tmp_path, "nothing of the kind\n\n4:memory:/x\n0::/x") == []


def spare(text: str) -> str:
    code = "import zchunk; print(zchunk.get_spare_memory()[0])"
    environment = os.environ | {"ZCHUNK_SPARE_MEMORY": text}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_environment() -> None:
    assert spare("0") == "0"
    assert spare("100000000") == "100000000"
    assert spare(str(2**80)) == str(2**64 - 1)
    assert spare("") == spare(str(zchunk.get_spare_memory()[0]))
    for wrong in ("-1", "1e9", "512MiB", "\u0662"):
        assert spare(wrong) == f"ValueError: ZCHUNK_SPARE_MEMORY is {wrong!r}, not a number of bytes"


def test_what_the_environment_says_wrong_is_told_by_every_large_read(monkeypatch: pytest.MonkeyPatch) -> None:
    z = zchunk.ones(MIB, dtype="f8", chunks=MIB)
    assert z[...].all()
    monkeypatch.setenv("ZCHUNK_SPARE_MEMORY", "much")
    with pytest.raises(ValueError, match="ZCHUNK_SPARE_MEMORY is 'much'"):
        zchunk.set_spare_memory(None)
    monkeypatch.setenv("ZCHUNK_SPARE_MEMORY", str(5 * MIB))
    zchunk.set_spare_memory(None)
    assert zchunk.get_spare_memory()[0] == 5 * MIB
    zchunk.set_spare_memory(6 * MIB)
    assert zchunk.get_spare_memory()[0] == 6 * MIB


def test_workers_of_dask_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = zchunk.get_spare_memory()[0]
    workers = [SimpleNamespace(memory_manager=SimpleNamespace(memory_limit=None))]
    module = SimpleNamespace(Worker=SimpleNamespace(_instances=workers))
    monkeypatch.setitem(sys.modules, "distributed.worker", module)  # type: ignore[arg-type]
    assert zchunk.get_spare_memory()[0] == before
    workers.append(SimpleNamespace(memory_manager=SimpleNamespace(memory_limit=80 * MIB)))
    assert zchunk.get_spare_memory()[0] == 10 * MIB


def read_much(path: str) -> int:
    z = zchunk.open_array(path, mode="r")
    return int(z[...].nbytes)


def spare_of_worker() -> int:
    return zchunk.get_spare_memory()[0]


@pytest.mark.slow
def test_a_worker_with_little_memory_goes_on(tmp_path: Path) -> None:
    """dask pauses a worker at 80% of its limit, until it has less: it must not be what was read before."""
    pytest.importorskip("distributed")
    import dask.config
    from distributed import Client, LocalCluster

    path = str(tmp_path / "data")
    z = zchunk.open_array(path, mode="w", shape=(11, 32 * MIB), chunks=(1, MIB), dtype="u1")
    for i in range(11):
        z[i] = np.full(32 * MIB, i, "u1")
    quiet = {
        # The worker alone is what is looked at, also on a machine that is slow.
        "distributed.worker.memory.terminate": False,
        "distributed.scheduler.worker-ttl": None,
    }
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=True,
            memory_limit="500MiB",
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):
        for _ in range(3):
            # Asked as a new task every time: paused workers do nothing.
            assert client.submit(read_much, path, pure=False).result(timeout=60) == 352 * MIB
        assert list(client.run(spare_of_worker).values()) == [500 * MIB // 8]
