"""The benchmark: structure and verification of its results, never the times themselves."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import zchunk
from benchmarks import __main__ as command_line
from benchmarks import actions, environments, files, harness, limits, worker
from benchmarks.actions import Mismatch
from benchmarks.adapters import NAMES, ZARR, base, zarr2_api
from benchmarks.adapters import numpy as numpy_adapter
from benchmarks.adapters import zchunk as zchunk_adapter
from benchmarks.cases import CASES
from benchmarks.datasets import CODECS, SIZES, SOURCES, STORED, Layout
from benchmarks.machine import file_system
from benchmarks.merge import merge
from benchmarks.plot import plot
from benchmarks.report import counted, summarize, table
from benchmarks.selections import Picks, Points, by_shard, points, touched_chunks, touched_count
from benchmarks.shards import reads, shard_files, shard_of
from benchmarks.worker import ACTIONS
from tests import ROOT

ADAPTERS = ROOT / "benchmarks" / "adapters"
HAS_REAL_DATA = bool(importlib.util.find_spec("iris_sample_data") and importlib.util.find_spec("h5py"))


def run_harness(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict]:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--size", "tiny", "--dir", str(tmp_path / "data")]
    command += ["--json", str(file), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return done, json.loads(file.read_text()) if file.exists() else {}


# Every action, codec, container and format
SAMPLE = (
    "write-field-lz4 write-real-zstd-large read-field-raw read-real-zstd-large read-1-thread box plane-0 "
    "read-field-lz4-kept first-read "
)
SAMPLE += "strided point row-large series tiny-read small-point open open-group open-consolidated append "
SAMPLE += "resize memory-store-write memory-store-read zip-write zip-read counts-zstd-chunks touch-10 "
SAMPLE += "rechunk-out-of-core rechunk-raw "
SAMPLE += "xarray-load xarray-point xarray-write xarray-write-dask xarray-region xarray-open-1000 "
SAMPLE += "xarray-open-1000-v3 "
SAMPLE += "many-list many-count many-delete many-copy many-consolidate million-list-memory "
SAMPLE += "million-count-memory million-delete-memory million-copy-memory many-consolidate-memory "
SAMPLE += "peak-field-lz4 peak-write-field-lz4-large import write-field-zstd-v3 read-field-raw-v3 "
SAMPLE += "sharded-raw-write sharded-raw-boxes sharded-lz4-read sharded-zstd-chunks sharded-tiny-read "
SAMPLE += "synced-shards-lz4 crowd-fork-2"

# With all libraries these take minutes.
WAITING = " cold-box-raw cold-shards cold-open-group slow-1ms-read-lz4"
REMOTE = [name for name, case in CASES.items() if case.network]


def test_the_sample_has_everything():
    sample = [CASES[name] for name in SAMPLE.split()]
    assert {case.action for case in sample} == set(ACTIONS)
    assert {case.codec for case in sample} == set(CODECS)
    assert {name for name, case in CASES.items() if STORED[case.stored].container == "objects"} == {*REMOTE}
    assert {STORED[case.stored].container for case in sample} == {"folder", "memory", "zip"}
    formats = {(STORED[case.stored].zarr_format, bool(STORED[case.stored].shards)) for case in sample}
    assert formats == {(2, False), (3, False), (3, True)}


FEW = "write-field-lz4 read-real-zstd-large zip-write sharded-raw-boxes memory-store-read xarray-point import"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sample", "asked"),
    [
        pytest.param(FEW + WAITING, ("zchunk", "numpy"), id="few"),
        pytest.param(SAMPLE, (), id="all", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_case_with_every_installed_peer(tmp_path, sample, asked):
    drawing, markdown = tmp_path / "plot.svg", tmp_path / "table.md"
    chosen = ("--peers", *asked) if asked else ()
    written = ("--plot", str(drawing), "--markdown", str(markdown))
    done, results = run_harness(tmp_path, "--repeat", "2", "--cases", *sample.split(), *chosen, *written)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results["failures"] == {}
    if not asked:
        assert {*results["versions"], *results["absent"]} == {*NAMES, "limit"}
    assert {"zchunk", "numpy", "limit"} <= set(results["versions"])
    assert sorted(results["cases"]) == sorted(sample.split())
    peers = [name for name in results["versions"] if name != "limit"]
    for name, case in results["cases"].items():
        if STORED[CASES[name].stored].source == "real" and not HAS_REAL_DATA:
            assert "iris-sample-data" in case["skipped"]
            continue
        others = {*case["unsupported"]} | {*peers} - {*CASES[name].peers}
        assert [*case["values"]] == [peer for peer in peers if peer not in others], name
        assert "zchunk" in case["values"]
        for peer, values in case["values"].items():
            # Once more, if they are far apart.
            assert len(values) == (4 if case["again"] else 2)
            assert case["best"][peer] == min(values) > 0
            assert case["best"][peer] <= case["median"][peer] <= max(values)
        others = [case["best"][peer] for peer in counted(case)]
        if others:
            assert case["ratio"] == pytest.approx(case["best"]["zchunk"] / min(others))
        assert case["over_limit"] == pytest.approx(case["best"]["zchunk"] / case["limit_sum"])
        assert case["limit_sum"] == sum(case["limit_parts"].values())
    for name in ("write-field-lz4", "zip-write"):
        assert results["cases"][name]["stored"]["zchunk"] > 1000
    first = done.stdout.split("\n\n")[2].splitlines()
    assert len(first) == 2 + len(results["cases"])
    assert len({row.count("|") for row in first}) == 1
    assert markdown.read_text() == done.stdout
    titles = [text.text for text in ET.parse(drawing).iter("{http://www.w3.org/2000/svg}text")]
    assert titles.count("zchunk") == sum("skipped" not in case for case in results["cases"].values())
    assert list((tmp_path / "data").iterdir()) == [], "the harness removes what it wrote"


@pytest.mark.slow
def test_every_remote_case(tmp_path):
    for package in ("obstore", "tensorstore", "hdf5plugin"):
        pytest.importorskip(package)
    pytest.importorskip("zarr", minversion="3")
    peers = ("zchunk", "zarr3", "tensorstore", "h5py")
    # with a case that is not remote, for which there are other workers
    chosen = ("--repeat", "1", "--cases", "remote-*", "open", "--peers", *peers)
    done, results = run_harness(tmp_path, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(results["cases"]) == {*REMOTE, "open"}
    assert set(results["cases"]["open"]["values"]) == set(peers)
    for name in REMOTE:
        case, network = results["cases"][name], CASES[name].network
        unable = {"h5py", "tensorstore"} if name == "remote-open-consolidated" else {"h5py"}
        assert set(case["unsupported"]) == unable, name
        assert set(case["values"]) == set(peers) - unable
        # Nobody is faster than the network, but for the grain of clocks.
        assert min(case["best"].values()) > 0.9 * network.latency
        assert network.title in case["heading"][1]
    assert list((tmp_path / "data").iterdir()) == []


def test_remote_cases_without_what_they_need(tmp_path):
    (tmp_path / "obstore.py").write_text("raise ImportError('no obstore')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    chosen = ("--cases", "remote-read", "--peers", "zchunk", "--python", f"zchunk={python}")
    done, results = run_harness(tmp_path, "--repeat", "1", *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results["cases"]["remote-read"]["values"] == {}
    assert "obstore" in results["cases"]["remote-read"]["unsupported"]["zchunk"]


@pytest.mark.parametrize(
    ("case", "nbytes", "seconds"),
    [
        ("remote-read", 5 * 1000, 0.020),
        ("remote-write", 5 * 1000, 0.020),
        ("remote-read-fast", None, 0.020),
        # Five rows, each with the index of 4 chunks and 1 chunk, whose bytes are not known here
        ("remote-sharded-slices", None, 0.040),
    ],
)
def test_the_limit_of_an_object_store_is_its_network(tmp_path, case, nbytes, seconds):
    make_sources(tmp_path)
    one = worker.Worker(worker.LIMIT, "tiny", tmp_path, 1)
    one.handle({"do": "prepare", "case": case})
    parts = one.handle({"do": "run", "case": case})["parts"]
    assert parts["requests / 64 × latency"] == pytest.approx(seconds)
    if nbytes:
        assert parts["bytes / bandwidth"] == pytest.approx(nbytes / 200e6)
    assert set(parts) == {"requests / 64 × latency", *["bytes / bandwidth"] * (case != "remote-read-fast")}


def test_many_requests_wait_in_turns(tmp_path, monkeypatch):
    make_sources(tmp_path)
    monkeypatch.setattr(limits, "CONCURRENCY", 2)
    one = worker.Worker(worker.LIMIT, "tiny", tmp_path, 1)
    one.handle({"do": "prepare", "case": "remote-read-fast"})
    parts = one.handle({"do": "run", "case": "remote-read-fast"})["parts"]
    assert parts == {"requests / 2 × latency": pytest.approx(5 / 2 * 0.020)}


@pytest.mark.slow
def test_cases_and_peers_can_be_chosen(tmp_path):
    done, results = run_harness(
        tmp_path, "--repeat", "1", "--cases", "point", "*-1-thread", "--peers", "zchunk"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(results["cases"]) == ["write-1-thread", "read-1-thread", "point"]
    assert set(results["versions"]) == {"zchunk", "limit"}
    assert results["cases"]["point"]["ratio"] is None
    assert results["cases"]["point"]["targets"] == [
        {"at_most": 1.0, "over": "best", "ratio": None, "met": None}
    ]


def test_cold_reads(tmp_path):
    done, results = run_harness(
        tmp_path, "--repeat", "1", "--cold", "--cases", "box", "open", "--peers", "zchunk"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert results["environment"]["cache"] == "cold"
    assert len(results["cases"]["box"]["values"]["zchunk"]) == 1


def test_dropping_the_cache_keeps_the_files(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "chunk").write_bytes(b"content")
    files.drop_cache(str(tmp_path))
    assert (tmp_path / "inner" / "chunk").read_bytes() == b"content"
    assert files.stored_bytes(str(tmp_path)) == 7


def test_a_peer_that_cannot_start_is_reported_and_the_rest_is_measured(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    peers = ("--peers", "zchunk", "zarr3", "--python", f"zarr3={broken}")
    done, results = run_harness(tmp_path, "--repeat", "1", "--cases", "open", *peers)
    assert done.returncode == 1
    assert "code 3" in results["failures"]["zarr3"]["start"]
    assert "zarr3, start" in done.stdout
    assert set(results["cases"]["open"]["values"]) == {"zchunk"}


def test_what_takes_long_runs_less_often(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(harness, "SPREAD", float("inf"))
    settings = harness.Settings("tiny", ("box",), ("zchunk",), repeat=4, folder=tmp_path)
    case = harness.run(settings)["cases"]["box"]
    assert len(case["values"]["zchunk"]) == len(case["limit"]) == harness.FEWEST_RUNS


def test_a_case_with_a_wide_spread_is_run_again_and_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "SPREAD", -1.0)
    settings = harness.Settings("tiny", ("box",), ("zchunk",), repeat=2, folder=tmp_path)
    results = harness.run(settings)
    case = results["cases"]["box"]
    assert len(case["values"]["zchunk"]) == len(case["limit"]) == 4
    assert case["again"]
    assert case["spread"] >= 0
    assert f"{summarize(results)['cases']['box']['best']['zchunk'] * 1000:.3g}" in table(summarize(results))
    assert " ~ |" in table(summarize(results))


def test_a_cold_case_is_cold(tmp_path, monkeypatch):
    make_sources(tmp_path)
    one = worker.Worker("zchunk", "tiny", tmp_path, 1)
    if file_system(one.folder) == "tmpfs":
        with pytest.raises(base.Unsupported, match="in memory"):
            one.handle({"do": "prepare", "case": "cold-box-raw"})
        return
    one.handle({"do": "prepare", "case": "cold-box-raw"})
    assert one.handle({"do": "run", "case": "cold-box-raw"})["value"] > 0
    assert files.cached_bytes(str(one.folder)) > 0, "a run has read the files"
    monkeypatch.setattr(actions, "drop_cache", lambda path: None)
    with pytest.raises(RuntimeError, match="bytes stay in memory"):
        one.handle({"do": "run", "case": "cold-box-raw"})


def test_what_is_synced_is_written_to_a_disk(tmp_path, monkeypatch):
    make_sources(tmp_path)
    one = worker.Worker("zchunk", "tiny", tmp_path, 1)
    monkeypatch.setattr(actions, "file_system", lambda folder: "tmpfs")
    with pytest.raises(base.Unsupported, match="in memory"):
        one.handle({"do": "prepare", "case": "synced-raw"})
    monkeypatch.setattr(actions, "file_system", lambda folder: "ext4")
    saved = []
    monkeypatch.setattr(one.adapter, "save", lambda *given: saved.append(zchunk.config.get("durability")))
    one.adapter.save_synced("path", None, None)
    assert saved == ["fsync"]
    assert zchunk.config.get("durability") == "atomic"


def test_an_absent_peer_is_a_failure_only_if_asked_for(tmp_path):
    absent = tmp_path / "python"
    # Python without site-packages: NumPy itself is absent, and with it the worker.
    absent.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    absent.chmod(0o755)
    peers = ("--peers", "zchunk", "tensorstore", "--python", f"tensorstore={absent}")
    done, results = run_harness(tmp_path, "--repeat", "1", "--cases", "open", *peers)
    assert done.returncode == 1
    assert set(results["failures"]) == {"tensorstore"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cases", "no-such-case"],
        ["--python", "nobody=/bin/true"],
        ["--python", "zarr3"],
        ["--repeat", "0"],
        ["--threads", "0"],
        ["--envs", "/nowhere"],
    ],
)
def test_wrong_options_end_with_a_message(arguments, capsys):
    options = command_line.parser()
    with pytest.raises(SystemExit):
        command_line.settings_from(options.parse_args(arguments), options)
    assert "error" in capsys.readouterr().err


class Forgetful(base.Adapter):
    """A library that loses the last element."""

    version = "0"
    modules = ("numpy",)

    def create(self, path, layout):
        Path(path).mkdir()
        return Path(path), layout

    def open(self, path, layout):
        return Path(path), layout

    def write(self, handle, data):
        np.save(handle[0] / "data.npy", data)

    def read(self, handle, selection):
        data = np.load(handle[0] / "data.npy")
        data.reshape(-1)[-1] += 1
        return data[selection]

    def append(self, handle, block):
        path, _ = handle
        blocks = np.load(path / "data.npy") if (path / "data.npy").exists() else block[:0]
        np.save(path / "data.npy", np.concatenate([blocks, block]))
        return handle

    def resize(self, handle, shape):
        return handle

    def create_group(self, path, layout, names, consolidated):
        self.names = names[:-1]

    def open_group(self, path, layout, consolidated):
        return dict.fromkeys(self.names, (40, 50))


def make_sources(folder: Path) -> None:
    for name, source in SOURCES.items():
        if name != "real":
            np.save(folder / f"{name}.npy", source.make(source.tiny).astype(source.dtype))


@pytest.mark.parametrize(
    "case",
    [
        "write-field-lz4",
        "read-field-raw",
        "tiny-write",
        "open",
        "open-group",
        "open-consolidated",
        "append",
        "resize",
    ],
)
def test_wrong_values_are_no_result(tmp_path, monkeypatch, case):
    make_sources(tmp_path)
    monkeypatch.setattr(worker, "load_adapter", lambda name, threads: Forgetful(threads))
    one = worker.Worker("forgetful", "tiny", tmp_path, 1)
    with pytest.raises(Mismatch, match=case):
        one.handle({"do": "prepare", "case": case})


def test_what_a_library_cannot_do_is_unsupported(tmp_path, monkeypatch):
    make_sources(tmp_path)
    one = worker.Worker("numpy", "tiny", tmp_path, 1)
    for case in ("append", "resize", "open-group", "zip-read", "memory-store-write"):
        with pytest.raises(base.Unsupported):
            one.handle({"do": "prepare", "case": case})


class Altering:
    """Mixed into an adapter: writes other values of the last variable than it was given."""

    def write_dataset(self, dataset, path, **options):
        name = list(dataset.data_vars)[-1]
        altered = dataset[name].copy(data=dataset[name].data + 1)
        super().write_dataset(dataset.assign({name: altered}), path, **options)


XARRAY_CASES = [name for name, case in CASES.items() if case.action.startswith("xarray-")]


@pytest.mark.parametrize("case", XARRAY_CASES)
def test_wrong_values_through_xarray_are_no_result(tmp_path, monkeypatch, case):
    pytest.importorskip("xarray")
    pytest.importorskip("dask.array")
    stored = STORED[CASES[case].stored]
    shape = SOURCES[stored.source].tiny
    np.save(tmp_path / f"{stored.source}.npy", np.arange(np.prod(shape)).reshape(shape).astype("f4"))
    adapter = type("Altered", (Altering, zchunk_adapter.Adapter), {})
    monkeypatch.setattr(worker, "load_adapter", lambda name, threads: adapter(threads))
    one = worker.Worker("altering", "tiny", tmp_path, 1)
    with pytest.raises(Mismatch, match=case):
        one.handle({"do": "prepare", "case": case})


@pytest.mark.parametrize("absent", ["xarray", "dask.array"])
def test_who_has_no_xarray_does_not_take_part(tmp_path, monkeypatch, absent):
    monkeypatch.setitem(sys.modules, absent, None)
    one = worker.Worker("zchunk", "tiny", tmp_path, 1)
    with pytest.raises(base.Unsupported, match=absent):
        one.handle({"do": "prepare", "case": "xarray-write-dask"})


def test_release_removes_the_files(tmp_path):
    make_sources(tmp_path)
    one = worker.Worker("numpy", "tiny", tmp_path, 1)
    one.handle({"do": "prepare", "case": "read-field-raw"})
    assert list(one.folder.iterdir())
    one.handle({"do": "release"})
    assert list(one.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("read-field-lz4", {"codec", "copy", "files"}),
        ("read-field-raw", {"copy", "files"}),
        ("memory-store-read", {"codec", "copy"}),
        ("touch-10", {"copy", "files"}),
        ("write-field-lz4", {"codec", "files"}),
        ("write-field-raw", {"files"}),
        ("append", {"codec", "files"}),
        ("resize", {"files"}),
        ("read-field-lz4-v3", {"codec", "copy", "files"}),
        ("sharded-zstd-read", {"codec", "copy", "files"}),
        ("sharded-raw-boxes", {"copy", "files"}),
        ("sharded-lz4-write", {"codec", "files"}),
        ("sharded-raw-write", {"files"}),
        ("cold-read-lz4", {"files", "beyond them"}),
        ("cold-shards", {"files", "beyond them"}),
        ("cold-open-group", {"files"}),
        ("synced-raw", {"files"}),
        ("synced-shards-lz4", {"codec or files, whichever takes longer"}),
    ],
)
def test_the_limit_has_the_parts_that_no_library_can_leave_out(tmp_path, case, parts):
    make_sources(tmp_path)
    one = worker.Worker(worker.LIMIT, "tiny", tmp_path, 2)
    one.handle({"do": "prepare", "case": case})
    measured = one.handle({"do": "run", "case": case})["parts"]
    assert set(measured) == parts
    # What takes as long as the files take, or less, is not beyond them.
    assert min(value for part, value in measured.items() if part != "beyond them") > 0
    assert min(measured.values()) >= 0


@pytest.mark.parametrize("case", ["sharded-lz4-write", "sharded-lz4-read", "sharded-lz4-boxes"])
def test_the_limit_has_one_file_per_shard(tmp_path, case):
    make_sources(tmp_path)
    one = worker.Worker(worker.LIMIT, "tiny", tmp_path, 2)
    one.handle({"do": "prepare", "case": case})
    one.handle({"do": "run", "case": case})
    assert len(files.files_below(str(one.folder / case))) == 8


def number_bytes(chunk: tuple[slice, ...]) -> bytes:
    """Return bytes of a chunk whose length and content are one more than its first index."""
    return bytes([chunk[0].start + 1]) * (chunk[0].start + 1)


def test_shards_are_read_where_they_are_touched():
    layout = Layout((12,), (2,), "<i4", zarr_format=3, shards=(8,))
    assert (layout.chunk_count, layout.shard_count) == (6, 2)
    shards = shard_files(layout, number_bytes)
    # Chunks begin at 0, 2, 4, 6 in the first shard and take 1, 3, 5, 7 bytes; the index follows them.
    first, second = shards[(0,)], shards[(1,)]
    assert first.chunks == {(0,): (0, 1), (2,): (1, 4), (4,): (4, 9), (6,): (9, 16)}
    assert first.index == (16, 16 + 4 * 16 + 4)
    assert second.chunks == {(8,): (0, 9), (10,): (9, 20)}
    for shard in (first, second):
        assert len(shard.content) == shard.index[1]
        for (start,), (begin, end) in shard.chunks.items():
            assert shard.content[begin:end] == number_bytes((slice(start, start + 2),))
    everywhere = (slice(0, 12),)
    whole = [((0,), [(0, 84)]), ((1,), [(0, 56)])]
    assert list(reads(layout, shards, [everywhere])) == whole
    scattered = (slice(0, 5, 4),)
    assert list(reads(layout, shards, [scattered, scattered])) == [
        ((0,), [(0, 1), (4, 9), (16, 84)]),
        ((0,), [(0, 1), (4, 9)]),
    ]


STORE = """\
import sys
from benchmarks.adapters import load_adapter
from benchmarks.datasets import SOURCES, STORED
peer, name, path = sys.argv[1:]
try:
    adapter = load_adapter(peer, 1)
except ImportError:
    sys.exit(77)
layout, source = STORED[name].layout("tiny"), SOURCES[STORED[name].source]
adapter.save(path, layout, source.make(source.tiny).astype(source.dtype))
"""
LITTLE_ENDIAN = {"name": "bytes", "configuration": {"endian": "little"}}
BLOSC_LZ4 = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
COMPRESSORS = {
    "field-lz4-v3": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 4}}],
    "field-zstd-v3": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "cname": "zstd", "typesize": 4}}],
    "field-raw-v3": [],
    "sharded-raw": [],
    "sharded-lz4": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 2}}],
    "sharded-zstd": [{"name": "zstd", "configuration": {"level": 0, "checksum": False}}],
    "sharded-tiny": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 4}}],
    "waiting-sharded": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 4}}],
    "synced-shards-lz4": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 4}}],
    "synced-shards-raw": [],
    "variables-v3": [{"name": "blosc", "configuration": {**BLOSC_LZ4, "typesize": 8}}],
}


def test_every_array_in_format_3_has_its_codecs_compared():
    assert set(COMPRESSORS) == {
        name for name, stored in STORED.items() if stored.zarr_format == 3 and stored.container == "folder"
    }


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("peer", [name for name in ZARR if name != "zarr2"])
@pytest.mark.each_value
def test_zarr_libraries_store_the_same_in_format_3(tmp_path, peer, name):
    path, layout = tmp_path / "array", STORED[name].layout("tiny")
    command = [sys.executable, "-c", STORE, peer, name, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"{peer} is not installed")
    assert done.returncode == 0, done.stderr
    metadata = json.loads((path / "zarr.json").read_text())
    assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [*(layout.shards or layout.chunks)]
    codecs = [LITTLE_ENDIAN, *COMPRESSORS[name]]
    if layout.shards:
        (sharding,) = metadata["codecs"]
        assert sharding["name"] == "sharding_indexed"
        inside = {"index_location": "end", **sharding["configuration"]}
        assert inside["chunk_shape"] == [*layout.chunks]
        assert inside["codecs"] == codecs
        assert inside["index_codecs"] == [LITTLE_ENDIAN, {"name": "crc32c"}]
        assert inside["index_location"] == "end"
    else:
        assert metadata["codecs"] == codecs
    shards = [Path(file) for file in files.files_below(str(path / "c"))]
    assert len(shards) == layout.shard_count
    assert len(files.files_below(str(path))) == layout.shard_count + 1


class Old(zarr2_api.Adapter):
    """A library that knows format 2 only."""

    version = "2"
    modules = ()
    library = zchunk


@pytest.mark.parametrize(
    ("adapter", "name"), [(Old, "field-raw-v3"), (Old, "sharded-lz4"), (numpy_adapter.Adapter, "sharded-raw")]
)
def test_who_has_no_format_3_or_no_shards_does_not_take_part(tmp_path, adapter, name):
    layout = STORED[name].layout("tiny")
    with pytest.raises(base.Unsupported):
        adapter(1).save(str(tmp_path / "array"), layout, np.zeros(layout.shape, layout.dtype))
    assert files.files_below(str(tmp_path)) == []


@pytest.mark.parametrize("size", SIZES)
def test_shards_hold_whole_chunks_and_arrays_whole_shards(size):
    sharded = [stored.layout(size) for stored in STORED.values() if stored.shards]
    assert len(sharded) == 8
    for layout in sharded:
        for n, shard, chunk in zip(layout.shape, layout.shards, layout.chunks, strict=True):
            assert n % shard == shard % chunk == 0


@pytest.mark.each_value
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_selections_lie_inside_the_array(size, case):
    layout = STORED[case.stored].layout(size)
    selections = case.select(layout)
    assert selections
    for selection in selections:
        if isinstance(selection, Points | Picks):
            assert all((p >= 0).all() and (p < n).all() for p, n in zip(selection, layout.shape, strict=True))
            continue
        view = np.broadcast_to(np.int8(0), layout.shape)[selection]
        assert view.ndim == sum(isinstance(entry, slice) for entry in selection)
        for entry, n in zip(selection, layout.shape, strict=True):
            assert 0 <= (entry.start if isinstance(entry, slice) else entry) < n
            assert not isinstance(entry, slice) or entry.stop <= n


@pytest.mark.parametrize("size", SIZES)
def test_the_box_is_unaligned(size):
    layout = STORED["field-lz4"].layout(size)
    (box,) = CASES["box"].select(layout)
    for entry, chunk in zip(box, layout.chunks, strict=True):
        assert entry.start % chunk
        assert entry.stop % chunk


@pytest.mark.parametrize("size", SIZES)
def test_resizing_cuts_between_chunks(size):
    layout = STORED[CASES["resize"].stored].layout(size)
    assert layout.shape[0] // 2 % layout.chunks[0] == 0


def test_the_full_size_is_what_was_promised():
    layouts = {name: stored.layout("full") for name, stored in STORED.items()}
    assert layouts["field-lz4"].chunk_nbytes == 1 << 20
    assert layouts["field-lz4-large"].chunk_nbytes == 32 << 20
    assert layouts["field-lz4"].nbytes == 256 << 20
    assert layouts["tiny"].nbytes == 10_000 * layouts["tiny"].chunk_nbytes == 10_000 * 400
    assert layouts["series"].shape == (200, 200, 200)
    assert layouts["counts-raw"].shape == (512, 512, 512)
    assert layouts["counts-raw"].chunks == (256, 256, 256)
    for name in ("sharded-raw", "sharded-lz4", "sharded-zstd"):
        assert layouts[name].shape == (512, 512, 512)
        assert (layouts[name].shard_count, layouts[name].chunk_count) == (8, 512)
        boxes = CASES[f"{name}-boxes"].select(layouts[name])
        assert len(boxes) == 20
        assert {entry.stop - entry.start for box in boxes for entry in box} == {100}
        assert len(CASES[f"{name}-chunks"].select(layouts[name])) == 512
    for name in ("waiting-lz4", "waiting-raw", "waiting-slices-lz4", "waiting-slices-raw", "waiting-sharded"):
        assert layouts[name].nbytes == 512 << 20
        assert layouts[name].chunk_nbytes == 1 << 20
    assert layouts["waiting-sharded"].shard_count == 8
    assert (layouts["sharded-tiny"].shard_count, layouts["sharded-tiny"].chunk_count) == (1, 10_000)
    assert layouts["sharded-tiny"].chunk_nbytes == 400
    assert (layouts["objects-raw"].chunk_count, layouts["objects-raw"].chunk_nbytes) == (1000, 100_000)


def test_no_chunk_is_read_twice_by_points():
    layout = STORED["field-lz4"].layout("full")
    chunks = [tuple(i // c for i, c in zip(point, layout.chunks, strict=True)) for point in points(layout)]
    assert len(set(chunks)) == len(chunks) == 64


@pytest.mark.parametrize("size", SIZES)
def test_every_row_is_in_one_chunk_of_another_shard(size):
    layout = STORED["objects-sharded"].layout(size)
    rows = by_shard(layout)
    assert len(rows) == layout.shard_count
    touched = [touched_chunks(layout, row) for row in rows]
    assert all(len(chunks) == 1 for chunks in touched)
    assert len({shard_of(chunk, layout) for (chunk,) in touched}) == layout.shard_count


def test_touched_chunks_are_counted_without_a_list_of_them():
    layout = STORED["field-lz4"].layout("quick")
    (selection,) = CASES["box"].select(layout)
    assert touched_count(layout, selection) == len(touched_chunks(layout, selection)) > 1


def test_touched_chunks_cover_the_selection_and_no_more():
    layout = Layout((10, 7), (4, 3), "<i4")
    count = np.zeros((12, 9), int)
    ranges = touched_chunks(layout, (slice(3, 5), 6))
    for chunk in ranges:
        count[chunk] += 1
    assert len(ranges) == 2
    assert (count[3:5, 6] == 1).all()
    assert count.sum() == 2 * 12
    assert len(touched_chunks(layout, (slice(0, 10, 9), slice(0, 7)))) == 2 * 3


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "real" or HAS_REAL_DATA])
def test_sources_are_the_same_every_time(name):
    source = SOURCES[name]
    values = source.make(source.tiny)
    assert values.shape == source.tiny
    assert values.dtype.str == source.dtype or values.dtype == np.dtype(source.dtype)
    assert values.tobytes() == source.make(source.tiny).tobytes()
    assert len(np.unique(values)) > 100 or name == "nothing"


def test_every_peer_has_an_adapter_an_environment_and_every_action_a_class():
    modules = {file.stem for file in ADAPTERS.glob("*.py")} - {"__init__", "base", "zarr2_api"}
    assert modules == set(NAMES)
    installed = [peer for environment in environments.ENVIRONMENTS.values() for peer in environment.peers]
    assert sorted(installed) == sorted(NAMES)
    assert {case.action for case in CASES.values()} == set(ACTIONS)
    assert {stored.codec for stored in STORED.values()} == set(CODECS)
    overs = {target.over for case in CASES.values() for target in case.targets}
    assert overs <= {"best", "zarr", "limit", *NAMES, *CASES}
    assert not set(CASES) & {"best", "zarr", "limit", *NAMES}
    assert set(ZARR) < set(NAMES)


def test_environments_are_found(tmp_path):
    assert environments.pythons(tmp_path) == {}
    python = environments.python_of(tmp_path, "zarr2")
    python.parent.mkdir(parents=True)
    python.touch()
    assert environments.pythons(tmp_path) == {"zarr2": str(python)}


def test_what_builds_left_is_no_source():
    # C files come from the Cython and the NumPy of one environment, and do not compile with those of another.
    names = ["engine.pyx", "engine.c", "engine.so", "planes.h", "build", ".venv", "setup.py"]
    assert environments.NOT_SOURCE("_ext", names) == {"engine.c", "engine.so", "build", ".venv"}


def make_python(path: Path, code: int) -> Path:
    """Return an interpreter that does nothing but end with a code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_a_newer_python_is_one_that_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/bin")
    monkeypatch.setattr(environments, "NEWER_PYTHONS", ("python0.13", "python0.12"))
    assert environments.find_newer_python() == sys.executable
    make_python(tmp_path / "shims" / "python0.13", 127)
    older = make_python(tmp_path / "shims" / "python0.12", 0)
    assert environments.find_newer_python() == str(older)
    newer = make_python(tmp_path / "pyenv" / "versions" / "0.13.0" / "bin" / "python0.13", 0)
    assert environments.find_newer_python() == str(newer)


def test_a_wheel_serves_until_a_source_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    for name in ("setup.py", "pyproject.toml", "_zchunk_zarr.py", "_ext/a.pyx", "zchunk/b/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    tag = "cp{}{}".format(*sys.version_info)
    wheel = tmp_path / "dist" / f"zchunk-0.1.0-{tag}-{tag}-linux_x86_64.whl"
    wheel.parent.mkdir()
    (wheel.parent / "zchunk-0.1.0-cp30-cp30-linux_x86_64.whl").touch()
    assert environments.fresh_wheel(Path(sys.executable)) is None
    wheel.touch()
    assert environments.fresh_wheel(Path(sys.executable)) == wheel
    os.utime(wheel, (2000, 2000))
    # A compiled module is no source.
    (tmp_path / "zchunk" / "b" / "c.so").touch()
    assert environments.fresh_wheel(Path(sys.executable)) == wheel
    os.utime(tmp_path / "zchunk" / "b" / "c.py", (3000, 3000))
    assert environments.fresh_wheel(Path(sys.executable)) is None


def known_results() -> dict:
    facts = ("repeat", "fewest", "threads", "processor", "file system", "cache", "size")
    return {
        "environment": dict.fromkeys(facts, 1),
        "versions": {"zchunk": "1", "zarr3": "2", "h5py": "3", "numpy": "4", "limit": "5"},
        "pythons": dict.fromkeys(("zchunk", "zarr3", "h5py", "numpy", "limit"), "3"),
        "absent": {"blosc2": "No module named 'blosc2'"},
        "failures": {"zarr2": {"read": "it broke"}},
        "cases": {
            "read": {
                "run": {"date": "today", "commit": "abc"},
                "heading": ["read <all>", "of it"],
                "codec": "lz4",
                "unit": "seconds",
                "targets": [
                    {"at_most": 0.4, "over": "best"},
                    {"at_most": 0.3, "over": "zarr"},
                    {"at_most": 1.3, "over": "limit"},
                    {"at_most": 1.0, "over": "blosc2"},
                ],
                # in the random order of the runs
                "values": {
                    "numpy": [0.001],
                    "zarr3": [0.008, 0.01],
                    "zchunk": [0.003, 0.002, 0.009],
                    "h5py": [0.005, 0.004],
                },
                "unsupported": {},
                "stored": {"zchunk": 1 << 20},
                "limit": [{"codec": 0.004, "copy": 0.001}, {"codec": 0.0015, "copy": 0.002}],
            }
        },
    }


def test_a_target_may_compare_with_another_case():
    results = known_results()
    results["cases"]["touch-1000"] = {**results["cases"]["read"], "values": {"zchunk": [0.001]}}
    overs = ("touch-1000", "touch-10")
    results["cases"]["read"]["targets"] = [{"at_most": 1.5, "over": over} for over in overs]
    targets = summarize(results)["cases"]["read"]["targets"]
    assert [target["ratio"] for target in targets] == [2.0, None]


def test_summary_of_known_times():
    summary = summarize(known_results())
    case = summary["cases"]["read"]
    assert case["best"] == {"zchunk": 0.002, "zarr3": 0.008, "h5py": 0.004, "numpy": 0.001}
    assert list(case["best"]) == ["zchunk", "zarr3", "h5py", "numpy"]
    assert case["median"]["zchunk"] == 0.003
    assert case["ratio"] == 0.5, "numpy stores no compressed bytes"
    assert case["limit_parts"] == {"codec": 0.0015, "copy": 0.001}
    assert case["limit_sum"] == 0.0025
    assert case["over_limit"] == 0.8
    assert [target["ratio"] for target in case["targets"]] == [0.5, 0.25, 0.8, None]
    assert [target["met"] for target in case["targets"]] == [False, True, True, None]


def test_scaling_of_known_times():
    results = known_results()
    known = results["cases"].pop("read")
    assert "over one" not in table(summarize({**results, "cases": {"read-1-thread": known}}))
    results["environment"]["threads"] = 2
    results["cases"] = {
        "read-1-thread": known,
        "read-field-lz4": {
            **known,
            "values": {"zchunk": [0.001]},
            "limit": [{"codec": 0.001, "copy": 0.0008}],
        },
    }
    line = "Speed with 2 threads over one: read 2.00× (the limit's codec 1.50×, copy 1.25×)."
    assert line in table(summarize(results)).splitlines()


def later_results() -> dict:
    later = known_results()
    later["failures"] = {"h5py": {"write": "no space"}}
    run = {"date": "tomorrow", "commit": "def"}
    later["cases"]["read"] = {**later["cases"]["read"], "run": run, "values": {"zchunk": [0.001]}}
    del later["versions"]["h5py"]
    return later


def test_a_later_run_replaces_the_cases_that_it_has():
    first = known_results()
    first["cases"]["write"] = {**first["cases"]["read"], "heading": ["write", ""]}
    first["cases"]["open"] = {**first["cases"]["read"], "heading": ["open", ""]}
    later = later_results()
    merged = merge([first, later])
    assert merged["versions"] == first["versions"]
    assert merged["cases"] == {**first["cases"], "read": later["cases"]["read"]}
    assert merged["failures"] == {"h5py": {"write": "no space"}}, "reading was tried again"
    lines = table(summarize(merged)).splitlines()
    assert "Measured today at commit abc." in lines
    assert "Measured tomorrow at commit def: read <all>, of it." in lines


def test_cases_of_different_runs_are_not_compared():
    results = known_results()
    known = {**results["cases"]["read"], "targets": [{"at_most": 1.5, "over": "touch-1000"}]}
    results["cases"] = {"touch-1000": known, "read-1-thread": known, "touch-100000": known}
    other = {**known, "run": {"date": "tomorrow", "commit": "def"}}
    for run, ratio in ((known, 1.0), (other, None)):
        results["cases"].update({"touch-100000": run, "read-field-lz4": run})
        summary = summarize(results)
        assert summary["cases"]["touch-100000"]["targets"][0]["ratio"] == ratio
        assert ("over one" in table(summary)) == (ratio is not None)


@pytest.mark.parametrize(("kind", "key"), [("environment", "size"), ("versions", "zarr3")])
def test_runs_that_differ_are_not_merged(kind, key):
    later = later_results()
    later[kind][key] = "other"
    with pytest.raises(ValueError, match=f"differ in {key}"):
        merge([known_results(), later])


def test_numpy_is_a_peer_where_nobody_compresses():
    results = known_results()
    results["cases"]["read"]["codec"] = "raw"
    assert summarize(results)["cases"]["read"]["ratio"] == 2.0


def test_table_of_known_times():
    lines = table(summarize(known_results())).splitlines()
    targets = "≤ 0.40: **not met**; 0.25 ≤ 0.30 × best Zarr library: met; ≤ 1.30 × limit: met; "
    targets += "- ≤ 1.00 × blosc2"
    limit = "2.5 | codec 1.5 + copy 1 | 0.80"
    assert f"| read <all>, of it | 2 | 8 | 4 | (1) | 0.50 | {targets} | {limit} |" in lines
    assert "| read <all>, of it | 3 | 9 | 4.5 | (1) |" in lines
    assert "| read <all>, of it | 1 | - | - | - |" in lines
    assert "Targets met: 2 of 3." in lines
    assert "zarr2, read: it broke" in lines
    assert "blosc2, not installed: No module named 'blosc2'" in lines


def test_plot_of_known_times():
    root = ET.fromstring(plot(summarize(known_results())))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert "read <all>" in texts
    assert [name for name in texts if name in NAMES] == ["zchunk", "zarr3", "h5py", "numpy"]
    assert {"zchunk 1", "h5py 3", "limit that the machine sets"} < set(texts)
    bars = [element for element in root.iter(f"{space}rect") if element.get("class") == "bar"]
    widths = [float(bar.get("width")) for bar in bars]
    # Log scale: 4 times as long takes twice as much as 2 times; and 2 times faster as much as 2 times slower.
    assert widths[1] == pytest.approx(2 * widths[2], abs=0.2)
    assert widths[3] == pytest.approx(widths[2], abs=0.2)
    assert float(bars[3].get("x")) < float(bars[2].get("x"))
