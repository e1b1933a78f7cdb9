"""What all commands have in common: help, exit codes, and one clear line for whatever the user got wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests import ROOT
from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line.commands import TABLE
from zchunk.wings.command_line.main import explain


def program(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zchunk", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
    )


# Mistakes, and what the line has to name.
MISTAKES: list[tuple[str, str]] = [
    ("", "zchunk --help"),
    ("inf run.zarr", "did you mean 'info'"),
    ("--verison", "no option '--verison'"),
    ("info", "arguments are required: path"),
    ("info elsewhere", "no such file or folder"),
    ("info run.zar", "did you mean 'run.zarr'"),
    ("info run.zarr/uu", "did you mean 'u'"),
    ("info empty", "no Zarr metadata"),
    ("info run.zarr --jsn", "--jsn"),
    ("info run.zarr --stats", "is a group"),
    ("info text.txt", "zchunk import"),
    ("info broken.zip", "broken.zip"),
    ("info foo://bucket/x", "foo"),
    ("info ../../../../nothing/at/all", "nothing/at/all"),
    ("tree run.zarr -L 0", "'0' is no whole number of at least 1"),
    ("tree run.zarr -L two", "'two'"),
    ("head run.zarr", "its arrays are u; its groups are sub"),
    ("head run.zarr/u [a:b]", "'[a:b]' is no selection"),
    ("head run.zarr/u [0,,1]", "'[0,,1]' is no selection"),
    ("head run.zarr/u [::0]", "step of 0"),
    ("head run.zarr/u [9]", "9"),
    ("head run.zarr/u [0,0,0,0]", "4"),
    ("head large.zarr [...]", "1,000,000"),
    ("attrs run.zarr/u unit", "did you mean 'units'"),
    ("attrs run.zarr/u =3", "no key"),
    ("attrs run.zarr/u --delete nothing", "no attribute 'nothing'"),
    ("copy run.zarr", "dest"),
    ("copy nothing.zarr new.zarr", "nothing.zarr"),
    ("copy run.zarr copy.zarr", "--overwrite"),
    ("copy run.zarr run.zarr --overwrite", "the destination is the source"),
    ("copy run.zarr new.zarr --format 4", "invalid choice"),
    ("copy run.zarr new.zarr --compressor zst", "zst"),
    ("copy run.zarr new.zarr --chunks 2,3", "--chunks"),
    ("copy run.zarr new.zarr --format 2 --shards auto", "no shards"),
    ("copy run.zarr/u new.zarr --compressor zstd:high", "zstd:9"),
    ("copy run.zarr new.zarr --jobs 0", "at least 1"),
    ("rechunk run.zarr new.zarr", "--chunks"),
    ("rechunk run.zarr/u new.zarr --chunks 2,x", "'2,x'"),
    ("rechunk run.zarr/u new.zarr --chunks depth=2", "depth"),
    ("rechunk run.zarr/u new.zarr --chunks 1,1,1,1", "chunks"),
    ("rechunk run.zarr/u new.zarr --chunks 1,1,1 --max-memory lots", "lots"),
    ("consolidate run.zarr/u", "is an array"),
    ("import nothing.h5 new.zarr", "nothing.h5"),
    ("import text.txt new.zarr", "no file of HDF5"),
    ("import classic.nc new.zarr", "nccopy"),
    ("import run.zarr new.zarr", "zchunk copy"),
    ("import u.npy copy.zarr", "--overwrite"),
    ("export run.zarr/u u.tiff", ".npy"),
    ("export run.zarr all.npy", "is a group"),
    ("export run.zarr/u u.csv", "3 axes"),
    ("export run.zarr/u u.npy", "--overwrite"),
    ("export run.zarr/u nowhere/new.npy", "there is no folder 'nowhere'"),
    ("copy run.zarr/u new.zarr --shards auto", "add --format 3"),
    ("diff run.zarr", "arguments are required: b"),
    ("diff run.zarr nothing.zarr", "nothing.zarr"),
    ("verify nothing.zarr", "nothing.zarr"),
    ("verify run.zarr --manifest nothing.json", "nothing.json"),
    ("verify run.zarr --manifest text.txt", "text.txt"),
    ("repair run.zarr --orphans delete", "invalid choice"),
    ("manifest run.zarr new.json --compare old.json", "--compare"),
    ("manifest nothing.zarr", "nothing.zarr"),
    ("clean nothing.zarr", "nothing.zarr"),
    ("checkpoints nothing.ckpt", "nothing.ckpt"),
    ("bench nowhere", "nowhere"),
    ("completion fish", "invalid choice"),
    ("info run.zarr -o anon", "KEY=VALUE"),
]


@pytest.fixture
def mistaken(here: Path) -> Path:
    (here / "empty").mkdir()
    (here / "text.txt").write_text("some text")
    (here / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    (here / "classic.nc").write_bytes(b"CDF\x01" + bytes(28))
    np.save("u.npy", np.arange(3))
    zchunk.copy_all("run.zarr", "copy.zarr")
    zchunk.zeros((2000, 2000), dtype="u1", store="large.zarr")
    return here


@pytest.mark.parametrize(("line", "named"), MISTAKES, ids=[line or "nothing" for line, _ in MISTAKES])
def test_a_mistake_gives_one_clear_line(mistaken: Path, run: Run, line: str, named: str) -> None:
    before = sorted(str(path) for path in mistaken.rglob("*"))
    done = run(*line.split())
    assert done.code == 2
    assert done.out == ""
    (only,) = done.err.splitlines()
    assert only.startswith("zchunk")
    assert named in only
    assert "Error" not in only
    # Nothing was touched.
    assert sorted(str(path) for path in mistaken.rglob("*")) == before


def test_there_are_at_least_40() -> None:
    assert len(MISTAKES) >= 40


def test_help_lists_all_commands(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in TABLE)
    assert run("help", "info").out == run("info", "--help").out


@pytest.mark.parametrize("name", TABLE)
def test_help_of_every_command_has_examples(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.code == 0
    assert f"usage: zchunk {name}" in done.out
    assert "examples:\n" in done.out
    assert done.err == ""


def test_version(run: Run) -> None:
    assert run("--version").out == f"zchunk {zchunk.__version__}\n"


def test_a_reader_that_has_seen_enough_ends_it_silently(here: Path) -> None:
    group = zchunk.open_group("many.zarr")
    group.attrs.update({f"key{i}": "x" * 200 for i in range(2000)})
    writer = subprocess.Popen(
        [sys.executable, "-m", "zchunk", "attrs", "many.zarr"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    assert writer.stdout.readline()
    writer.stdout.close()
    assert writer.stderr.read() == b""
    assert writer.wait(60) == 128 + signal.SIGPIPE
    writer.stderr.close()


def test_a_traceback_is_to_be_had(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHUNK_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        run("import", "nothing.h5", "new.zarr")


def test_errors_that_nobody_expected_are_one_line_too() -> None:
    assert explain(ZeroDivisionError("division\nby zero")) == "ZeroDivisionError: division by zero"
    assert explain(MemoryError()) == "there is not enough memory"
    assert explain(ValueError()) == "ValueError"


def test_warnings_are_one_line(run: Run, here: Path) -> None:
    zchunk.zeros(4, store="odd.zarr", zarr_format=3, compressors=["zstd", "crc32c"])
    done = run("copy", "odd.zarr", "even.zarr", "--format", 2)
    assert done.code == 0
    assert all(line.startswith("zchunk copy: warning: ") for line in done.err.splitlines())


def test_info_imports_little_more_than_opening(here: Path) -> None:
    code = (
        "import sys, zchunk; repr(zchunk.open('run.zarr/u', mode='r').info); before = set(sys.modules)\n"
        "from zchunk.wings.command_line import main; main(['info', 'run.zarr/u'])\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    more = set(done.stderr.split())
    assert "zchunk.wings.command_line.looking" in more
    own = {name for name in more if name.startswith("zchunk.") and ".command_line" not in name}
    assert own <= {"zchunk.wings", "zchunk.codecs.texts", "zchunk.runtime.near_names"}
    assert not more & {"difflib", "tqdm", "h5py", "csv", "numcodecs", "zipfile", "tempfile"}
