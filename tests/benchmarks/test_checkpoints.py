"""The benchmark of checkpoints: its report, and that it runs; never the times themselves."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.checkpoints import __main__ as command_line
from benchmarks.checkpoints.base import System
from benchmarks.checkpoints.measure import Results
from benchmarks.checkpoints.report import HEADING, put, section
from benchmarks.checkpoints.systems import ENVIRONMENTS, SYSTEMS, load
from tests import ROOT

MACHINE = {
    "date": "2026-01-02 03:04:05",
    "commit": "abc",
    "cpus": 2,
    "processor": "P",
    "file system": "ext4",
    "system": "Linux",
}


def save(system: str, seconds: float, returned: float = 1.0, files: int = 3) -> dict:
    return {
        "mib": 1024,
        "ranks": 1,
        "system": system,
        "seconds": [seconds, 2 * seconds, 9 * seconds],
        "returned": [returned],
        "copy": [1.0],
        "met": [1.02],
        "first returned": 5.0,
        "files": files,
    }


def steps(system: str, beside: float) -> dict:
    times = {"alone": 1.0, "beside": beside, "together": beside - 0.01, "lasts": 2.5, "processor": 0.25}
    return {"mib": 1024, "ranks": 1, "system": system, "steps": 9, **times}


def restart(system: str, seconds: float) -> dict:
    return {"mib": 1024, "saved": 1, "ranks": 2, "system": system, "from": "disk", "seconds": seconds}


def results(factor: float, files: int) -> Results:
    return Results(
        MACHINE,
        versions={"numpy": "2.4.6"},
        failures={"dcp": "there is no torch"},
        saves=[
            save("raw-sync", 1.0),
            save("zchunk", factor, files=files),
            save("zchunk-async", factor, factor, files),
        ],
        steps=[steps("zchunk-async", factor), steps("raw-thread", 1.5)],
        restarts=[restart("raw-sync", 1.0), restart("zchunk", factor)],
    )


def test_the_section_has_medians_shortest_runs_and_ratios():
    text = section(results(1.05, 3))
    assert text.startswith(f"{HEADING}\n")
    assert "| **zchunk.checkpoint** | all | yes | 3 | 2.10 (1.05) 1.05 x |" in text
    assert "| 1 GiB | 1 | 1000 | 1020 | 1050, 1.05 x | 5000 | - |" in text
    assert "| 1 GiB | 1 | +4 % (+5 %) for 2.5 | - | +49 % (+50 %) for 2.5 | 0.25 | nan | 0.25 |" in text
    assert "| 1 GiB | 1 to 2 | disk | 1.00 | 1.05 | 1.05 x |" in text
    assert "Not measured: DCP (PyTorch): there is no torch" in text


@pytest.mark.parametrize(("factor", "files", "met"), [(1.05, 3, True), (1.6, 4, False)])
def test_targets_are_met_or_not(factor, files, met):
    _, _, table = section(results(factor, files)).partition("| target | met in |\n|---|---|\n")
    rows = table.split("\n\n")[0].splitlines()
    assert len(rows) == 7
    for row in rows:
        total = 2 if "takes 1.3 x raw write" in row or row.startswith("| files") else 1
        assert row.endswith(f"| {total if met else 0} of {total} cases |"), row


def test_the_section_takes_the_place_of_the_one_before():
    text = section(results(1.05, 3))
    document = f"# Title\n\ntext\n\n{HEADING}\n\nold\n\n## Next\n\nmore\n"
    assert put(document, text) == f"# Title\n\ntext\n\n{text}\n## Next\n\nmore\n"
    assert put(put(document, text), text) == put(document, text)
    assert put("# Title\n", text) == f"# Title\n\n{text}"


def test_every_system_has_a_class_and_an_environment():
    for entry in SYSTEMS.values():
        assert issubclass(load(entry), System)
        assert entry.environment in ENVIRONMENTS


def test_systems_without_an_environment_are_left_out(tmp_path):
    assert command_line.interpreters(tmp_path) == {}
    assert set(command_line.interpreters(None)) == set(SYSTEMS)


@pytest.mark.slow
def test_all_is_measured(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(f"# Page\n\n{HEADING}\n\nold\n")
    command = [sys.executable, "-m", "benchmarks.checkpoints", "--mib", "1", "--ranks", "2", "--repeat", "1"]
    command += ["--systems", "raw", "numpy", "zchunk-array", "zchunk-async", "zchunk-lz4"]
    command += ["--dir", str(tmp_path), "--json", str(tmp_path / "all.json"), "--docs", str(document)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["failures"] == {}
    assert {row["system"]: row["files"] for row in found["saves"]} == {
        "raw-sync": 2,
        "raw": 2,
        "numpy": 2,
        "zchunk-array": 3,
        "zchunk": 4,
        "zchunk-async": 4,
        "zchunk-lz4": 4,
    }
    assert {row["system"] for row in found["steps"]} == {"zchunk-async", "direct-thread", "raw-thread"}
    assert {row["system"] for row in found["restarts"]} == {"raw-sync", "zchunk"}
    assert "1 MiB" in document.read_text()
    assert "old" not in document.read_text()
    # Nothing is left of it.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.json", "page.md"]
