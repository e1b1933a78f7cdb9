"""Rechunking: what arrives, from and to any store, in how much memory, and after a kill."""

from __future__ import annotations

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zchunk
from tests.choice import rounds
from zchunk.errors import ChunkError, ContainsArrayError, ContainsGroupError, CopyError, StoreError
from zchunk.runtime import threads as pool
from zchunk.wings.rechunking import target as making
from zchunk.wings.rechunking.memory import parse_bytes
from zchunk.wings.rechunking.tasks import Job


def items_of(shape: tuple[int, ...], dtype: Any = "i4") -> np.ndarray[Any, Any]:
    return (np.arange(int(np.prod(shape))) % 251 + 1).astype(dtype).reshape(shape)


def tall(store: Any = None, shape: tuple[int, int] = (64, 48), **kwargs: Any) -> zchunk.Array:
    """An array whose rows are chunks; to columns it passes an intermediate copy if little memory is given."""
    z = zchunk.create(shape, chunks=(1, shape[1]), dtype="i4", store=store, **kwargs)
    z[...] = items_of(shape)
    return z


def least(z: Any, chunks: Any, **kwargs: Any) -> int:
    """The least max_memory that will do."""
    with pytest.raises(ValueError, match="max_memory") as caught:
        zchunk.rechunk(z, chunks, max_memory=1, **kwargs)
    return int(re.search(r"takes (\d+) bytes", str(caught.value))[1])  # type: ignore[index]


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


# ---- what arrives


@st.composite
def rechunkings(draw: st.DrawFn) -> Any:
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=0, max_size=3)))
    chunks = st.tuples(*(st.integers(1, 10) for _ in shape))
    return shape, draw(chunks), draw(chunks)


@settings(max_examples=rounds(100))
@given(
    rechunkings(),
    st.integers(0, 500),
    st.tuples(*[st.sampled_from([2, 3])] * 2),
    st.tuples(*[st.sampled_from("CF")] * 2),
    st.sampled_from([zchunk.Blosc(), None]),
    st.sampled_from(["<i4", ">f8", "M8[s]", "S3"]),
    st.integers(0, 9),
)
def test_items_are_the_same(
    case: Any, more: int, formats: Any, orders: Any, compressor: Any, dtype: str, stored: int
) -> None:
    shape, chunks, wanted = case
    z = zchunk.create(
        shape, chunks, dtype, compressor, order=orders[0], zarr_format=formats[0], write_empty_chunks=False
    )
    # Some chunks are not stored.
    selection = (slice(stored), ...) if shape else ()
    z[selection] = items_of(shape, dtype)[selection]
    expected = z[...]
    kwargs = {"zarr_format": formats[1], "order": orders[1]}
    found = zchunk.rechunk(z, wanted, max_memory=least(z, wanted, **kwargs) + more, **kwargs)
    assert (found.shape, found.chunks, found.zarr_format) == (shape, wanted, formats[1])
    assert found.dtype.newbyteorder("=") == z.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found[...], expected)


@settings(max_examples=rounds(60))
@given(
    rechunkings(), st.integers(0, 500), st.booleans(), st.integers(0, 9), st.floats(1, 4), st.integers(1, 40)
)
def test_items_of_files_are_the_same(
    case: Any, more: int, raw: bool, stored: int, reads: float, run: int
) -> None:
    shape, chunks, wanted = case
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(making, "_READS", reads)
        patch.setattr(making, "_RUN", run)
        kwargs = {"compressor": None} if raw else {}
        z = zchunk.create(shape, chunks, "i4", fill_value=3, store=f"{folder}/z", **kwargs)
        selection = (slice(stored), ...) if shape else ()
        z[selection] = items_of(shape)[selection]
        limit = least(z, wanted, target=f"{folder}/target") + more
        found = zchunk.rechunk(z, wanted, f"{folder}/target", limit)
        np.testing.assert_array_equal(found[...], z[...])
        assert sorted(os.listdir(folder)) == ["target", "z"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_all_but_the_chunks_is_as_in_the_source(zarr_format: int, tmp_path: Path) -> None:
    z = tall(tmp_path / "z", zarr_format=zarr_format, order="F", fill_value=7, compressor=zchunk.Zstd(3))
    z.attrs["units"] = "m"
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target")
    assert isinstance(found, zchunk.Array)
    assert found.zarr_format == zarr_format
    assert (found.order, found.fill_value, found.compressor) == ("F", 7, zchunk.Zstd(3))
    assert (dict(found.attrs), found.dtype, found.chunks) == ({"units": "m"}, z.dtype, (64, 5))
    np.testing.assert_array_equal(found[...], z[...])


def test_what_is_said_otherwise() -> None:
    z = tall()
    kwargs = {"dtype": "f8", "compressor": None, "order": "F", "fill_value": 1, "attributes": {"a": 1}}
    found = zchunk.rechunk(z, (64, 5), **kwargs)
    assert (found.dtype, found.compressor, found.order, found.fill_value) == (np.float64, None, "F", 1)
    assert dict(found.attrs) == {"a": 1}
    np.testing.assert_array_equal(found[...], z[...])


def test_names_of_axes(tmp_path: Path) -> None:
    z = tall(zarr_format=3, dimension_names=("t", "x"))
    found = zchunk.rechunk(z, {"t": -1, "x": 5}, tmp_path, zarr_format=2)
    assert found.chunks == (64, 5)
    assert found.attrs["_ARRAY_DIMENSIONS"] == ["t", "x"]
    again = zchunk.rechunk(found, {"x": 6}, zarr_format=3)
    assert (again.chunks, again.dimension_names) == ((64, 6), ("t", "x"))
    with pytest.raises(ValueError, match="no axis is called"):
        zchunk.rechunk(z, {"y": 1})


def test_shards(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    kwargs = {"zarr_format": 3, "shards": (64, 8)}
    limit = least(z, (8, 4), target=tmp_path / "target", **kwargs)
    found = zchunk.rechunk(z, (8, 4), tmp_path / "target", limit, **kwargs)
    assert (found.shards, found.chunks) == ((64, 8), (8, 4))
    assert set(stages) == {0, 1}
    np.testing.assert_array_equal(found[...], z[...])
    # From shards; they are kept, as whole chunks.
    again = zchunk.rechunk(found, (16, 5), tmp_path / "again")
    assert (again.shards, again.chunks) == ((64, 10), (16, 5))
    np.testing.assert_array_equal(again[...], z[...])


def test_each_chunk_is_written_once(stages: list[int]) -> None:
    class Store(zchunk.MemoryStore):
        def __setitem__(self, key: str, value: Any) -> None:
            written.append(key)
            super().__setitem__(key, value)

        def __getitem__(self, key: str) -> bytes:
            read.append(key)
            return super().__getitem__(key)

    written: list[str] = []
    read: list[str] = []
    source, target, temp = Store(), Store(), Store()
    z = tall(source)
    limit = least(z, (64, 5))
    written.clear()
    read.clear()
    zchunk.rechunk(z, (64, 5), target, limit, temp)
    assert set(stages) == {0, 1}
    chunks = [key for key in written if re.fullmatch(r"\d+\.\d+", key)]
    assert sorted(chunks) == sorted(f"0.{x}" for x in range(10))
    chunks = [key for key in read if re.fullmatch(r"\d+\.\d+", key)]
    assert sorted(chunks) == sorted(f"{y}.0" for y in range(64))
    assert list(temp) == []


def test_chunks_that_are_missing_stay_missing(stages: list[int]) -> None:
    z = zchunk.create((40, 40), chunks=(1, 40), dtype="i4", fill_value=9)
    z[3] = 1
    z[12] = 9
    limit = least(z, (5, 4))
    found = zchunk.rechunk(z, (5, 4), max_memory=limit)
    assert 0 in stages
    rows = {key.split(".")[0] for key in found.store if key[0].isdigit()}
    # Stored chunks that are empty are written, unless the caller excludes them.
    assert rows == {"0", "2"}
    np.testing.assert_array_equal(found[...], z[...])
    found = zchunk.rechunk(z, (5, 4), max_memory=limit, write_empty_chunks=False)
    assert {key.split(".")[0] for key in found.store if key[0].isdigit()} == {"0"}
    # Of another fill value they would be other items.
    found = zchunk.rechunk(z, (5, 4), max_memory=limit, fill_value=0)
    assert found.nchunks_initialized == found.nchunks
    np.testing.assert_array_equal(found[...], z[...])


def test_objects() -> None:
    g = zchunk.group()
    z = g.create("z", shape=(20, 3), chunks=(4, 3), dtype=str)
    z[...] = [[f"{i}{j}" for j in range(3)] for i in range(20)]
    found = zchunk.rechunk(z, (20, 1))
    assert found.chunks == (20, 1)
    np.testing.assert_array_equal(found[...], z[...])


def test_a_rectilinear_grid() -> None:
    store: dict[str, bytes] = {}
    z = zchunk.create((6, 4), chunks=(3, 4), dtype="i4", zarr_format=3, store=store, compressors=None)
    z[...] = items_of((6, 4))
    grid = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[3, 3], [4]]}}
    text = store["zarr.json"].decode()
    old = re.search(r'"chunk_grid": \{.*?\{.*?\}\s*\}', text, re.DOTALL)
    assert old is not None
    store["zarr.json"] = text.replace(old[0], f'"chunk_grid": {str(grid).replace(chr(39), chr(34))}').encode()
    z = zchunk.open(store, "r")
    assert z.metadata.edges is not None
    found = zchunk.rechunk(z, (6, 1))
    assert found.chunks == (6, 1)
    np.testing.assert_array_equal(found[...], items_of((6, 4)))


# ---- groups


def hierarchy(store: Any, **kwargs: Any) -> zchunk.Group:
    g = zchunk.open_group(store, "w", attributes={"title": "x"}, **kwargs)
    g.create_group("empty").attrs["n"] = 1
    for path, shape in {"a": (30, 20), "sub/b": (10, 20), "t": (30,)}.items():
        z = g.create(path, shape=shape, chunks=(1,) + shape[1:], dtype="i4")
        z[...] = items_of(shape)
        z.attrs["_ARRAY_DIMENSIONS"] = ["t", "x"][: len(shape)]
    return g


def check_hierarchy(found: Any, chunks: dict[str, tuple[int, ...]]) -> None:
    assert isinstance(found, zchunk.Group)
    assert (dict(found.attrs), dict(found["empty"].attrs)) == ({"title": "x"}, {"n": 1})
    for path, wanted in chunks.items():
        assert found[path].chunks == wanted
        np.testing.assert_array_equal(found[path][...], items_of(found[path].shape))


def test_a_group(tmp_path: Path) -> None:
    g = hierarchy(tmp_path / "g")
    # By the names of axes, everywhere.
    found = zchunk.rechunk(g, {"t": 10, "x": 7}, tmp_path / "1")
    check_hierarchy(found, {"a": (10, 7), "sub/b": (10, 7), "t": (10,)})
    # By path, from a path to a path in a store, in the other format.
    chunks = {"a": (-1, 5), "sub/b": {"x": 4}}
    found = zchunk.rechunk(tmp_path / "g", chunks, tmp_path / "1", path="more/g", zarr_format=2)
    check_hierarchy(found, {"a": (30, 5), "sub/b": (1, 4), "t": (1,)})
    found = zchunk.rechunk(found, (5,), zarr_format=3)
    check_hierarchy(found, {"a": (5, 20), "sub/b": (5, 20), "t": (5,)})
    assert found["a"].dimension_names == ("t", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "g"]
    with pytest.raises(ValueError, match="no array in the group"):
        zchunk.rechunk(g, {"c": (1,)})


# ---- stores


def test_to_and_from_a_zip_file(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z.zip")
    limit = least(z, (64, 5))
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target.zip", limit)
    assert set(stages) == {0, 1}
    found.store.close()
    with zchunk.ZipStore(tmp_path / "target.zip", mode="r") as store:
        np.testing.assert_array_equal(zchunk.open(store, "r")[...], z[...])
    assert len(list(tmp_path.iterdir())) == 2


def test_temp_is_given(tmp_path: Path, stages: list[int]) -> None:
    z = tall()
    temp: dict[str, bytes] = {"mine": b""}
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target", least(z, (64, 5)), temp)
    assert set(stages) == {0, 1}
    np.testing.assert_array_equal(found[...], z[...])
    assert temp == {"mine": b""}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_in_the_way(tmp_path: Path) -> None:
    z = tall(tmp_path / "z")
    zchunk.ones(5, store=tmp_path / "target")
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(z, 5, tmp_path / "target")
    assert zchunk.open(tmp_path / "target").shape == (5,)
    found = zchunk.rechunk(z, 5, tmp_path / "target", overwrite=True)
    np.testing.assert_array_equal(found[...], z[...])
    with pytest.raises(ContainsGroupError):
        zchunk.rechunk(z, 5, zchunk.group(tmp_path / "group").store)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path / "z", overwrite=True)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path, path="z/in", overwrite=True)
    with pytest.raises(CopyError):
        zchunk.rechunk(z, 5, tmp_path, overwrite=True)
    np.testing.assert_array_equal(z[...], items_of((64, 48)))


# ---- memory

MEASURE = """
import ctypes, os, sys
import numpy as np, zchunk

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

folder, limit, kwargs = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
zchunk.set_threads(2)
shape = (200, 512, 512)
z = zchunk.create(shape, chunks=(4, 512, 512), dtype="f4", store=folder + "/z")
slab = np.random.default_rng(0).integers(0, 1000, (4, 512, 512)).astype("f4")
for i in range(0, 200, 4):
    z[i : i + 4] = slab + i
# What every process has once, modules and threads, is no matter of the array's.
zchunk.rechunk(zchunk.ones((9, 9), chunks=(1, 9)), (9, 1), folder + "/small")
ctypes.CDLL(None).malloc_trim(0)
before = status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
found = zchunk.rechunk(z, (200, 16, 16), folder + "/target", limit, **kwargs)
print(status("VmHWM") - before)
for i in range(0, 200, 50):
    assert (found[i] == slab[i % 4] + i // 4 * 4).all()
"""


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"dtype": "f8"}, {"zarr_format": 3, "shards": (200, 32, 32)}],
    ids=["plain", "f8", "shards"],
)
def test_memory_has_the_bound(kwargs: dict[str, Any], tmp_path: Path) -> None:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("measures by /proc/self/clear_refs, which is of Linux")
    limit = 40_000_000
    args = [sys.executable, "-c", MEASURE, str(tmp_path), str(limit), repr(kwargs)]
    peak = int(subprocess.run(args, capture_output=True, text=True, check=True, timeout=60).stdout)
    # Less than a fifth of the array; and it is made use of.
    assert limit / 4 < peak <= limit


def test_too_little_memory() -> None:
    with pytest.raises(ValueError, match="max_memory is 1000 bytes"):
        zchunk.rechunk(tall(), 5, max_memory=1000)


def test_sizes() -> None:
    sizes = {5: 5, "5": 5, "512MB": 512_000_000, "2 GiB": 2**31, "1.5k": 1500, "1Tib": 2**40, "7B": 7}
    assert {size: parse_bytes(size) for size in sizes} == sizes
    for wrong in (0, -1, True, None, "", "MB", "1 XB", "0MB", "1iB", 1.5):
        with pytest.raises(ValueError, match="max_memory"):
            parse_bytes(wrong)


# ---- going on after a kill

# Arguments: folder, which call of which method is the last. Memory is for some tasks in two stages.
KILLED = """
import os, signal, sys
import zchunk
from zchunk.wings.rechunking import journal, tasks
from zchunk.wings.rechunking import target as making

making._READS = 1
folder, name, calls, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cls = tasks.Job if hasattr(tasks.Job, name) else journal.Journal
method = getattr(cls, name)

def last(*args):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return method(*args)

setattr(cls, name, last)
zchunk.set_threads(2)
zchunk.rechunk(folder + "/z", (64, 5), folder + "/target", limit)
"""


def kill(folder: Path, limit: int, name: str, calls: int) -> None:
    args = [sys.executable, "-c", KILLED, str(folder), name, str(calls), str(limit)]
    assert subprocess.run(args, timeout=60, check=False).returncode == -signal.SIGKILL
    assert (folder / "target.rechunk").exists()


@pytest.mark.parametrize(
    ("name", "calls"),
    [("add_made", 1), ("_cut", 5), ("add", 3), ("_put", 9), ("_write", 3), ("add", 7), ("erase", 2)],
)
def test_a_call_goes_on_where_one_was_killed(
    name: str, calls: int, tmp_path: Path, stages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    z = tall(tmp_path / "z", write_empty_chunks=False)
    monkeypatch.setattr(pool, "_threads", 2)
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    zchunk.rechunk(z, (64, 5), tmp_path / "whole", limit)
    tasks = len(stages)
    assert (stages[0], stages[-1]) == (0, 1)
    stages.clear()
    kill(tmp_path, limit, name, calls)
    done = len(list((tmp_path / "target.rechunk").rglob("done/[01]/*")))
    seen: list[tuple[int, int]] = []
    found = zchunk.rechunk(
        tmp_path / "z", (64, 5), tmp_path / "target", limit, progress=lambda *now: seen.append(now)
    )
    np.testing.assert_array_equal(found[...], z[...])
    assert seen[-1] == (2 * z.nbytes, 2 * z.nbytes)
    # Nothing was done again but what was under way.
    assert len(stages) == tasks - done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target", "whole", "z"]


@pytest.mark.parametrize("kind", ["dict", "zip", "fsspec"])
def test_an_error_and_the_call_again(
    kind: str, tmp_path: Path, stages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "fsspec":
        pytest.importorskip("fsspec")
    place: Any = {"dict": {}, "zip": tmp_path / "z.zip", "fsspec": f"memory://{tmp_path}/z"}[kind]
    z = tall(place)
    z.store.close()
    temp: dict[str, bytes] = {}
    target = {} if kind == "dict" else tmp_path / "target"
    limit = least(place, (64, 5), target=target)
    cut = Job._cut

    def failing(self: Job, read: int, *args: Any) -> None:
        if read == 1:
            raise OSError("no space left")
        cut(self, read, *args)

    monkeypatch.setattr(Job, "_cut", failing)
    with pytest.raises(OSError, match="no space"):
        zchunk.rechunk(place, (64, 5), target, limit, temp)
    assert 0 in stages
    done = len(stages)
    monkeypatch.setattr(Job, "_cut", cut)
    with pytest.raises(StoreError, match="other parameters"):
        zchunk.rechunk(place, (64, 4), target, limit, temp)
    found = zchunk.rechunk(place, (64, 5), target, limit, temp)
    np.testing.assert_array_equal(found[...], items_of((64, 48)))
    assert temp == {}
    assert done > 0


def test_a_call_with_other_parameters_begins_anew_or_not_at_all(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    kill(tmp_path, limit, "_put", 9)
    for chunks, kwargs in (((64, 4), {}), ((64, 5), {"compressor": None}), ((64, 5), {"fill_value": 1})):
        with pytest.raises(StoreError, match="other parameters"):
            zchunk.rechunk(z, chunks, tmp_path / "target", limit, **kwargs)
    # Another source of the same name and kind is not found out; one at another place is.
    with pytest.raises(StoreError, match="other parameters"):
        zchunk.rechunk(tall(tmp_path / "other"), (64, 5), tmp_path / "target", limit)
    found = zchunk.rechunk(z, (64, 4), tmp_path / "target", limit, overwrite=True)
    assert found.chunks == (64, 4)
    np.testing.assert_array_equal(found[...], z[...])
    assert not (tmp_path / "target.rechunk").exists()


def test_a_target_that_was_replaced_meanwhile(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    kill(tmp_path, limit, "_put", 9)
    zchunk.ones(5, store=tmp_path / "target", overwrite=True)
    with pytest.raises(ContainsArrayError):
        zchunk.rechunk(z, (64, 5), tmp_path / "target", limit)
    assert zchunk.open(tmp_path / "target").shape == (5,)
    found = zchunk.rechunk(z, (64, 5), tmp_path / "target", limit, overwrite=True)
    np.testing.assert_array_equal(found[...], z[...])


def test_a_part_of_the_intermediate_copy_that_is_lost(tmp_path: Path, stages: list[int]) -> None:
    z = tall(tmp_path / "z")
    limit = least(z, (64, 5), target=tmp_path / "target") + 3000
    for damage in (Path.unlink, lambda path: path.write_bytes(b"short")):
        kill(tmp_path, limit, "_put", 1)
        for piece in (tmp_path / "target.rechunk").rglob("pieces/*/*"):
            damage(piece)
        with pytest.raises(StoreError, match=r"is not in|has 5 bytes"):
            zchunk.rechunk(z, (64, 5), tmp_path / "target", limit)
        zchunk.rechunk(z, (64, 4), tmp_path / "target", overwrite=True)
        (tmp_path / "target").rename(tmp_path / str(len(list(tmp_path.iterdir()))))


# ---- executors


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
    with pytest.raises(ImportError, match=r"zchunk\[dask\]"):
        zchunk.rechunk(tall(), 5, executor="dask")
