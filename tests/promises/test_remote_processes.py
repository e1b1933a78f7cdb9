"""Many threads and processes that use the same objects; forks."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT
from zchunk.storage import ObjectStore

pytest.importorskip("obstore", reason="obstore is not installed")

WRITERS = 3
EACH = 8
KINDS: dict[str, dict[str, Any]] = {
    "v2": {"chunks": WRITERS * EACH, "zarr_format": 2},
    "v3": {"chunks": WRITERS * EACH, "zarr_format": 3},
    "shard": {"chunks": 2, "shards": WRITERS * EACH, "zarr_format": 3},
}


@pytest.fixture(params=["fast_s3_server", "gcs_server", "azure_server"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def new(server: Any) -> Callable[[], ObjectStore]:
    """A function that makes a store in a new bucket."""

    def make() -> ObjectStore:
        place = server.new("x")
        return ObjectStore.from_url(place.url, **place.options, pickle_credentials=True)

    return make


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(WRITERS, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(int, range(WRITERS)))
        yield pool


def set_attributes(store: Any, writer: int) -> None:
    node = zchunk.open(store, mode="r+")
    for i in range(EACH):
        node.attrs[f"{writer}-{i}"] = i


def set_items(store: Any, writer: int) -> None:
    z = zchunk.open_array(store, "r+")
    for i in range(writer, WRITERS * EACH, WRITERS):
        z[i] = i


def all_of_them(pool: Executor, work: Callable[[Any, int], None], store: Any) -> None:
    list(pool.map(work, [store] * WRITERS, range(WRITERS)))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_processes_that_set_attributes(new: Any, processes: Executor, zarr_format: int) -> None:
    root = zchunk.open_group(new(), "w", zarr_format=zarr_format)
    all_of_them(processes, set_attributes, root.store)
    found = zchunk.open_group(root.store, "r").attrs.asdict()
    assert found == {f"{writer}-{i}": i for writer in range(WRITERS) for i in range(EACH)}


@pytest.mark.parametrize("kind", KINDS)
def test_processes_that_write_parts_of_a_chunk(new: Any, processes: Executor, kind: str) -> None:
    z = zchunk.create(WRITERS * EACH, dtype="i4", store=new(), fill_value=-1, **KINDS[kind])
    all_of_them(processes, set_items, z.store)
    found = zchunk.open_array(z.store, "r")
    assert found[:].tolist() == list(range(WRITERS * EACH))
    assert found.nchunks_initialized == found.nchunks


@pytest.mark.parametrize("kind", [{}, {"shards": (4, 20), "zarr_format": 3}], ids=["chunks", "shards"])
def test_threads(new: Any, kind: dict[str, Any]) -> None:
    """Each has its own row; some write, some read what is there."""
    z = zchunk.create((16, 20), chunks=(1, 5), dtype="i4", store=new(), **kind)
    z[8:] = 5

    def use(row: int) -> None:
        if row < 8:
            z[row] = row
            z[row, 3:12] = 100 + row
            assert z[row].tolist() == [row] * 3 + [100 + row] * 9 + [row] * 8
        else:
            assert z[row].tolist() == [5] * 20

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(use, range(16)))
    assert (z[:8, 3:12] == 100 + np.arange(8)[:, None]).all()
    assert (z[:8, 12:] == np.arange(8)[:, None]).all()


FORK = """
import json, multiprocessing, os, sys, warnings
import zchunk
from zchunk.storage import open_store
warnings.simplefilter("ignore")
url, options, first = json.loads(sys.argv[1])
store = open_store(url, storage_options=options)

def use(number=0):
    try:
        z = zchunk.create(8, chunks=2, dtype="i4", store=store, path=f"a{number}", overwrite=True)
        z[:] = 3
        return z[:].tolist()
    except zchunk.errors.StoreError as error:
        return str(error)

if first:
    use()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(json.dumps(pool.map(use, range(1, 3))), flush=True)
pid = os.fork()
if pid == 0:
    print(json.dumps([use(3)]), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(json.dumps([use(4)]))
"""


@pytest.mark.parametrize("first", [False, True], ids=["unused", "used"])
def test_forks(fast_s3_server: Any, first: bool) -> None:
    """Children of a process that has used obstore would hang."""
    place = fast_s3_server.new("x")
    arguments = json.dumps([place.url, place.options, first])
    run = subprocess.run(
        [sys.executable, "-c", FORK, arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert run.returncode == 0, run.stderr
    (one, two), (three,), (four,) = map(json.loads, run.stdout.splitlines())
    if first:
        assert all("forked" in text and "spawn" in text for text in (one, two, three))
    else:
        assert one == two == three == [3] * 8
    # The parent goes on.
    assert four == [3] * 8
