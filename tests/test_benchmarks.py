"""The benchmark harness: structure and verification of its results, never the times themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import worker
from benchmarks.adapters import NAMES, base
from benchmarks.cases import CASES, DATASETS, SIZES, Layout
from benchmarks.limits import touched_chunks
from benchmarks.report import summarize, table

ROOT = Path(__file__).resolve().parent.parent


def run_harness(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict]:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--size", "tiny", "--dir", str(tmp_path / "data")]
    command += ["--json", str(file), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return done, json.loads(file.read_text()) if file.exists() else {}


def test_every_case_of_every_peer(tmp_path):
    pytest.importorskip("zarr", minversion="3")
    pytest.importorskip("tensorstore")
    done, results = run_harness(tmp_path, "--repeat", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results["failures"] == {}
    assert set(results["versions"]) == {*NAMES, "limit"}
    assert list(results["cases"]) == list(CASES)
    for name, case in results["cases"].items():
        assert set(case["seconds"]) == set(NAMES), name
        for peer in NAMES:
            times = case["seconds"][peer]
            assert len(times) == 2
            assert case["best"][peer] == min(times) > 0
            assert case["best"][peer] <= case["median"][peer] <= max(times)
        others = min(case["best"][peer] for peer in NAMES if peer != "zchunk")
        assert case["ratio"] == pytest.approx(case["best"]["zchunk"] / others)
        assert case["over_limit"] == pytest.approx(case["best"]["zchunk"] / case["limit_best"])
        assert case["limit_best"] == max(case["limit_parts"].values())
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(CASES)
    assert len({row.count("|") for row in rows}) == 1
    assert list((tmp_path / "data").iterdir()) == [], "the harness removes what it wrote"


def test_cases_and_peers_can_be_chosen(tmp_path):
    done, results = run_harness(tmp_path, "--repeat", "1", "--cases", "point", "box", "--peers", "zchunk")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(results["cases"]) == ["point", "box"]
    assert set(results["versions"]) == {"zchunk", "limit"}
    assert "ratio" not in results["cases"]["point"]


def test_a_peer_that_cannot_start_is_reported_and_the_rest_is_measured(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    arguments = (
        "--repeat",
        "1",
        "--cases",
        "open",
        "--peers",
        "zchunk",
        "zarr3",
        "--python",
        f"zarr3={broken}",
    )
    done, results = run_harness(tmp_path, *arguments)
    assert done.returncode == 1
    assert "code 3" in results["failures"]["zarr3"]["start"]
    assert "zarr3, start" in done.stdout
    assert set(results["cases"]["open"]["seconds"]) == {"zchunk"}


class Forgetful(base.Adapter):
    """A library that loses the last element."""

    version = "0"

    def create(self, path, layout):
        Path(path).mkdir()
        return path

    def open(self, path):
        return path

    def write(self, handle, data):
        np.save(Path(handle) / "data.npy", data)

    def read(self, handle, selection):
        data = np.load(Path(handle) / "data.npy")
        data.reshape(-1)[-1] += 1
        return data[selection]


@pytest.mark.parametrize("case", ["write", "read", "tiny-write"])
def test_wrong_values_are_no_result(tmp_path, monkeypatch, case):
    for dataset, make in DATASETS.items():
        np.save(tmp_path / f"{dataset}.npy", make(SIZES["tiny"].layout(dataset)))
    monkeypatch.setattr(worker, "load_adapter", lambda name, threads: Forgetful(threads))
    one = worker.Worker("forgetful", "tiny", tmp_path, 1)
    with pytest.raises(worker.Mismatch, match=case):
        one.handle({"do": "prepare", "case": case})


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_selections_lie_inside_the_array(size, case):
    layout = SIZES[size].layout(case.dataset)
    view = np.broadcast_to(np.int8(0), layout.shape)[case.select(layout)]
    assert view.ndim == sum(isinstance(entry, slice) for entry in case.select(layout))
    for entry, n in zip(case.select(layout), layout.shape, strict=True):
        assert 0 <= (entry.start if isinstance(entry, slice) else entry) < n
        assert not isinstance(entry, slice) or entry.stop <= n


def test_the_box_is_unaligned():
    for size in SIZES.values():
        for entry, chunk in zip(CASES["box"].select(size.field), size.field.chunks, strict=True):
            assert entry.start % chunk
            assert entry.stop % chunk


def test_touched_chunks_cover_the_selection_and_no_more():
    layout = Layout((10, 7), (4, 3), "<i4")
    count = np.zeros((12, 9), int)
    ranges = touched_chunks(layout, (slice(3, 5), 6))
    for chunk in ranges:
        count[chunk] += 1
    assert len(ranges) == 2
    assert (count[3:5, 6] == 1).all()
    assert count.sum() == 2 * 12


def test_summary_of_known_times():
    results = {
        "environment": dict.fromkeys(
            ("repeat", "threads", "processor", "file system", "python", "numpy", "size", "date"), 1
        ),
        "versions": {"zchunk": "1", "other": "2", "limit": "3"},
        "failures": {},
        "cases": {
            "read": {
                "title": "read",
                "seconds": {"zchunk": [0.003, 0.002, 0.009], "other": [0.008, 0.004, 0.005]},
                "limit": [{"copy": 0.001, "codec": 0.004}, {"copy": 0.002, "codec": 0.0005}],
            }
        },
    }
    summary = summarize(results)
    case = summary["cases"]["read"]
    assert case["best"] == {"zchunk": 0.002, "other": 0.004}
    assert case["median"] == {"zchunk": 0.003, "other": 0.005}
    assert case["ratio"] == 0.5
    assert case["limit_parts"] == {"copy": 0.001, "codec": 0.0005}
    assert case["over_limit"] == 2.0
    assert "| read | 2 | 4 | 0.50 | 1 | copy | 2.00 |" in table(summary).splitlines()
