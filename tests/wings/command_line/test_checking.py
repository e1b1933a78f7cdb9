from __future__ import annotations

import re
from pathlib import Path

import pytest

import zchunk
from tests.wings.command_line.conftest import Run


@pytest.fixture
def damaged(here: Path) -> Path:
    zchunk.array([1, 2, 3, 4], chunks=2, store="bad.zarr", checksum=True)
    chunk = here / "bad.zarr" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"!")
    return here


def test_verify(damaged: Path, run: Run) -> None:
    good = run("verify", "run.zarr", "--jobs", 1)
    assert good.code == 0
    assert "nothing found" in good.out
    bad = run("verify", "bad.zarr", "--json")
    assert bad.code == 1
    assert [finding["kind"] for finding in bad.json["findings"]] == ["chunk-checksum"]
    assert run("verify", "bad.zarr", "--no-deep").code == 0
    head, _, row = run("verify", "bad.zarr").out.splitlines()
    assert head.endswith("1 array, 0 groups, 3 keys, 2 chunks: 1 error")
    # What a cell has no room for is of the codec, not of the reason.
    assert re.search("chunk-checksum +0 +its checksum is", row)
    assert row.endswith("zchunk repair bad.zarr --bad-chunks quarantine sets it aside")


def test_a_note_is_something_found(here: Path, run: Run) -> None:
    (here / "run.zarr" / "notes.txt").write_text("of the user")
    found = run("verify", "run.zarr")
    assert (found.code, "1 note\n" in found.out) == (1, True)


def test_manifest(damaged: Path, run: Run) -> None:
    assert run("manifest", "run.zarr", "run.json").code == 0
    assert run("manifest", "run.zarr", "--compare", "run.json").code == 0
    zchunk.open("run.zarr/u")[0] = 7
    changed = run("manifest", "run.zarr", "--compare", "run.json")
    assert changed.code == 1
    assert "changed  u/0.0.0\n" in changed.out
    assert run("verify", "run.zarr", "--manifest", "run.json").code == 1
    assert "zchunk_manifest" in run("manifest", "run.zarr", "--algorithm", "crc32c").json


def test_repair(damaged: Path, run: Run) -> None:
    would = run("repair", "bad.zarr", "--bad-chunks", "quarantine")
    assert (would.code, (damaged / "bad.zarr" / "0").exists()) == (1, True)
    assert "--apply" in would.out
    assert "1 repair would be done, of 1 finding\n" in would.out
    done = run("repair", "bad.zarr", "--bad-chunks", "quarantine", "--apply", "--json")
    assert (done.code, done.json["actions"][0]["done"]) == (0, True)
    assert (damaged / "bad.zarr" / ".quarantine" / "0").exists()
    assert run("verify", "bad.zarr").code == 0


def test_clean(damaged: Path, run: Run) -> None:
    # What a process leaves that is killed while it writes; no process has this number.
    finding = zchunk.verify("run.zarr")
    assert finding
    assert run("clean", "run.zarr").out == "0 left over deleted\n"
    assert run("clean", "run.zarr", "--json").json["actions"] == []
