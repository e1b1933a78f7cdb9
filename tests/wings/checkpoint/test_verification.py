"""Whether a step is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.checkpoint import CheckpointManager
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import verification
from zchunk.wings.checkpoint.verification import Files, Step


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with CheckpointManager(tmp_path / "run", async_save=False) as manager:
        # Two chunks in a shard, and one that is a file of its own.
        manager.save(1, {"u": np.arange(2.0**18), "a": {"n": np.arange(9)}, "dt": 0.25})
    return tmp_path / "run"


def shard(root: Path) -> Path:
    return root / "00000001/u/c/0"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_files_of_an_array() -> None:
    one = Files.of([("c/0", 5), ("c/1", 6)])
    assert one[:2] == (2, 11)
    assert Files.of([("c/1", 6), ("c/0", 5)]) == one
    assert Files.of([("c/0", 6), ("c/1", 5)]) != one
    assert Files.of([]) == (0, 0, 0)


def test_a_whole_step(root: Path) -> None:
    step = Step(str(root), 1)
    assert step.names == ["a/n", "u"]
    step.check_quickly()
    step.check_fully()
    assert step.array("a/n")[:].tolist() == list(range(9))
    assert step.record["arrays"]["a/n"][:2] == [1, 76]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: os.truncate(path, path.stat().st_size - 1),
        lambda path: path.with_name("1").write_bytes(b""),
        lambda path: path.rename(path.with_name("1")),
    ],
    ids=["missing", "short", "too many", "other name"],
)
def test_the_quick_check_finds_what_is_wrong_with_files(root: Path, harm: Callable[[Path], object]) -> None:
    harm(shard(root))
    with pytest.raises(CheckpointError, match=r"step 1 in .* is not whole: array 'u' has"):
        Step(str(root), 1).check_quickly()


def test_files_of_the_system_are_not_those_of_an_array(tmp_path: Path) -> None:
    """What NFS, macOS and others put beside files is no reason to go back a step."""
    with CheckpointManager(tmp_path) as manager:
        manager.save(1, {"u": np.arange(3)})
        manager.wait_until_finished()
        for name in (".nfs0000000000a1", "u/.DS_Store", "u/c/._0"):
            (tmp_path / "00000001" / name).touch()
        (tmp_path / "00000001/u/.snapshot").mkdir()
        (tmp_path / "00000001/u/.snapshot/0").touch()
        checkpoint = manager.restore()
        assert checkpoint is not None
        assert checkpoint.read("u").tolist() == [0, 1, 2]
        # Nor are they part of what is linked.
        manager.save(2, {}, static={"u": np.arange(3)})
    assert [path.name for path in (tmp_path / "00000002/u/c").iterdir()] == ["0"]


def test_a_folder_that_is_gone(root: Path) -> None:
    shard(root).unlink()
    shard(root).parent.rmdir()
    with pytest.raises(CheckpointError, match="array 'u' has 0 files"):
        Step(str(root), 1).check_quickly()


@pytest.mark.parametrize("at", [0, 2**20 + 100, -1])
def test_the_full_check_finds_a_flipped_bit(root: Path, at: int) -> None:
    flip(shard(root), at)
    step = Step(str(root), 1)
    step.check_quickly()
    with pytest.raises(CheckpointError, match="is not whole: array 'u'"):
        step.check_fully()


@pytest.mark.parametrize("name", ["a/n/c/0", "u/c/0"])
def test_each_process_reads_its_share(root: Path, name: str) -> None:
    flip(root / "00000001" / name, 0)
    step, finds = Step(str(root), 1), []
    for rank in range(2):
        try:
            step.check_fully(rank, 2)
        except CheckpointError:
            finds.append(rank)
    assert finds == [["a/n/c/0", "u/c/0"].index(name)]


def test_a_shard_is_not_read_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be as large as the memory of a process."""
    monkeypatch.setattr(verification, "_AT_A_TIME", 2**20)
    with CheckpointManager(root, async_save=False) as manager:
        manager.save(2, {"u": np.arange(2.0**20).reshape(4, 4, -1), "none": np.zeros((0, 3)), "one": 2.5})
    read: list[int] = []
    take = zchunk.Array.__getitem__

    def noted(array: zchunk.Array, selection: Any) -> Any:
        found = take(array, selection)
        read.append(found.nbytes)
        return found

    monkeypatch.setattr(zchunk.Array, "__getitem__", noted)
    Step(str(root), 2).check_fully()
    assert max(read) <= 2**20
    assert sum(read) == 2**23


def test_a_document_that_was_changed(root: Path) -> None:
    path = root / "00000001/zarr.json"
    document = json.loads(path.read_text())
    text = json.dumps(document)
    # Only that it is written otherwise is no change.
    path.write_text(text)
    Step(str(root), 1)
    path.write_text(text.replace("0.25", "0.35"))
    with pytest.raises(CheckpointError, match=r"zarr\.json is not what was written"):
        Step(str(root), 1)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"attributes": {}}', "\0"])
def test_a_document_of_something_else(root: Path, text: str) -> None:
    (root / "00000001/zarr.json").write_text(text)
    with pytest.raises(CheckpointError, match="has no document of a checkpoint"):
        Step(str(root), 1)


def test_a_version_to_come(root: Path) -> None:
    path = root / "00000001/zarr.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(CheckpointError, match="is of version 2; this zchunk reads 1"):
        Step(str(root), 1)


def test_a_step_that_was_copied_is_the_same_and_a_file_of_the_same_times_is_not(root: Path) -> None:
    """A step is known by what is in it; only of a file that is not new are its numbers enough."""
    path = root / "00000001" / "zarr.json"
    raw = path.read_bytes()
    step = Step(str(root), 1)
    step.check_there()
    path.unlink()
    path.write_bytes(raw)
    step.check_there()
    # Of the same size, at the same moment.
    path.write_bytes(raw.replace(b"0.25", b"0.35"))
    with pytest.raises(CheckpointError, match=r"was replaced by another step"):
        step.check_there()
    path.write_bytes(raw)
    step._metadata._digest, known = b"", step._metadata._digest
    with pytest.raises(CheckpointError, match=r"was replaced by another step"):
        step.check_there()
    step._metadata._digest = known
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_MOMENT", -1)
        step.check_there()
    # Not read again.
    step._metadata._digest = b""
    step.check_there()
    os.utime(path, (1, 1))
    with pytest.raises(CheckpointError, match=r"was replaced by another step"):
        step.check_there()


def test_what_was_read_of_two_steps_is_an_error(root: Path) -> None:
    """The number of a step may be given to another one while it is read: then values are of both."""
    step = Step(str(root), 1)
    array, reading = step.array("u"), step.reading()
    assert array[1] == 1
    reading.__enter__()
    (root / "00000001").rename(root / "elsewhere")
    with CheckpointManager(root, async_save=False) as manager:
        manager.save(1, {"u": np.zeros(2**18)})
    assert array[1] == 0
    with pytest.raises(CheckpointError, match="was replaced by another step"):
        reading.__exit__(None, None, None)


def test_a_step_that_goes_while_it_is_read(root: Path) -> None:
    step = Step(str(root), 1)
    step.check_there()
    (root / "00000001").rename(root / "elsewhere")
    with pytest.raises(CheckpointError, match="was deleted while it was read"):
        step.check_there()
