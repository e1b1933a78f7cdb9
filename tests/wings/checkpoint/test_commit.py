"""The commit: nothing is there before, all of it after."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.ext.io.test_files import is_cached, needs_a_disk
from zchunk.checkpoint import CheckpointManager
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.agreement import Agreement, take_apart
from zchunk.wings.checkpoint.commit import Attempt
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.staging import Buffers, Piece, stage
from zchunk.wings.checkpoint.verification import RECORD, Step

ATTRIBUTES = {"step": 5, RECORD: {"ranks": 1, "state": {"dict": []}}}


def attempt(root: Path, sync: bool = True) -> tuple[Attempt, list[Piece]]:
    state = take_apart({"u": np.arange(12.0).reshape(3, 4), "g": {"v": np.array(2)}}, 0)
    agreement = Agreement(Alone(), None, None)
    plan, _ = agreement.reach([agreement.say(5, True, state)], state)
    pieces = stage(plan, state.leaves, Alone(), Buffers(), copy=False)
    return Attempt(str(root), 5, layout.new_attempt(str(root), 5), plan, [], sync), pieces


@pytest.mark.parametrize("sync", [False, True])
def test_a_step_is_there_after_its_commit(tmp_path: Path, sync: bool) -> None:
    made, pieces = attempt(tmp_path, sync)
    written = made.write(pieces, 0, 1)
    assert written["u"] == (1, os.path.getsize(f"{made.folder}/u/c/0/0"))
    # Nothing opens it: there are no metadata.
    assert not list(Path(made.folder).rglob("zarr.json"))
    made.publish([written], ATTRIBUTES)
    assert layout.steps(str(tmp_path)) == []
    made.commit()
    assert layout.steps(str(tmp_path)) == [5]
    Step(str(tmp_path), 5).check_quickly()
    group = zchunk.open_group(layout.step_path(str(tmp_path), 5), "r")
    assert (group["u"][...] == np.arange(12.0).reshape(3, 4)).all()
    assert group["g/v"][()] == 2
    assert group.attrs["step"] == 5


@pytest.mark.parametrize("sync", [False, True])
def test_what_is_synced_goes_past_the_cache(tmp_path: Path, sync: bool) -> None:
    needs_a_disk(tmp_path)
    manager = CheckpointManager(tmp_path, durability="fsync" if sync else "atomic", async_save=False)
    manager.save(5, {"u": np.ones(800_000)})
    manager.close()
    assert is_cached(tmp_path / "00000005/u/c/0") is not sync
    assert (zchunk.open_array(tmp_path / "00000005/u", mode="r")[...] == 1).all()


def test_what_was_written_must_be_there(tmp_path: Path) -> None:
    made, pieces = attempt(tmp_path)
    written = made.write(pieces, 0, 1)
    os.truncate(f"{made.folder}/u/c/0/0", 7)
    with pytest.raises(CheckpointError, match="array 'u' has 1 files of 7 bytes"):
        made.publish([written], ATTRIBUTES)
    assert not list(Path(made.folder).rglob("zarr.json"))


def test_a_rename_that_was_done_may_be_told_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over NFS the answer can be lost: the rename is asked for again, and finds nothing to rename."""
    real = os.rename

    def twice(old: str, new: str) -> None:
        real(old, new)
        real(old, new)

    monkeypatch.setattr(os, "rename", twice)
    with CheckpointManager(tmp_path, max_to_keep=1, async_save=False) as manager:
        for step in (1, 2):
            manager.save(step, {"u": np.full(3, step)})
        assert manager.all_steps() == [2]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002", "zarr.json"]
        manager.save(3, {})
        manager.delete(3)


def test_a_rename_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(old: str, new: str) -> None:
        raise FileNotFoundError(2, "none", old)

    with CheckpointManager(tmp_path, async_save=False) as manager:
        manager.save(1, {})
        with monkeypatch.context() as patched:
            patched.setattr(os, "rename", fail)
            with pytest.raises(FileNotFoundError):
                manager.save(2, {})
        assert manager.all_steps() == [1]
        manager.save(2, {})


def test_a_file_of_nobody_is_found(tmp_path: Path) -> None:
    made, pieces = attempt(tmp_path)
    written = made.write(pieces, 0, 1)
    Path(made.folder, "u/c/0/1").write_bytes(b"late")
    with pytest.raises(CheckpointError, match="array 'u' has 2 files"):
        made.publish([written], ATTRIBUTES)


def test_a_step_that_is_there_stays(tmp_path: Path) -> None:
    for _ in range(2):
        made, pieces = attempt(tmp_path)
        made.publish([made.write(pieces, 0, 1)], ATTRIBUTES)
        if not layout.steps(str(tmp_path)):
            made.commit()
    with pytest.raises(CheckpointError, match=r"step 5 in .* is there already, and stays"):
        made.commit()
    Step(str(tmp_path), 5).check_fully()


@pytest.mark.parametrize("kind", ["folder", "file", "empty"])
def test_what_is_no_step_but_has_its_name_is_moved_aside(tmp_path: Path, kind: str) -> None:
    """A step that has lost its document, or half a copy of one."""
    place = tmp_path / "00000005"
    if kind == "file":
        place.write_text("x")
    else:
        place.mkdir()
    if kind == "folder":
        (place / "u").write_text("x")
    with CheckpointManager(tmp_path, async_save=False) as manager:
        if kind == "empty":
            manager.save(5, {"n": 1})
        else:
            with pytest.warns(RuntimeWarning, match=r"00000005' is no step, and now .*damaged-00000005-"):
                manager.save(5, {"n": 1})
        assert manager.restore(verify="full")["n"] == 1  # type: ignore[index]
        manager.save(6, {"n": 2})
        kept = [path for path in tmp_path.glob(".tmp/damaged-*") if kind == "file" or (path / "u").exists()]
        assert len(kept) == (kind != "empty")


def test_a_late_writer_writes_into_no_other_attempt(tmp_path: Path) -> None:
    late, pieces = attempt(tmp_path)
    made, others = attempt(tmp_path)
    made.publish([made.write(others, 0, 1)], ATTRIBUTES)
    made.commit()
    pieces = [piece._replace(items=-piece.items) for piece in pieces]
    late.write(pieces, 0, 1)
    step = Step(str(tmp_path), 5)
    step.check_fully()
    assert (step.array("u")[...] == np.arange(12.0).reshape(3, 4)).all()


def test_a_commit_that_is_not_on_the_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, pieces = attempt(tmp_path)
    made.publish([made.write(pieces, 0, 1)], ATTRIBUTES)

    def fail(folder: str) -> None:
        raise OSError(f"cannot sync {folder}")

    monkeypatch.setattr("zchunk.wings.checkpoint.commit.sync_folder", fail)
    with pytest.raises(OSError, match="cannot sync"):
        made.commit()
    assert layout.steps(str(tmp_path)) == []


def test_what_the_system_does_not_tell_is_no_missing_folder(tmp_path: Path) -> None:
    made, _ = attempt(tmp_path)
    Path(made.folder).mkdir(parents=True)
    Path(made.folder, "u").symlink_to("u")
    with pytest.raises(OSError, match="symbolic links"):
        made.publish([{"u": (1, 8)}], ATTRIBUTES)
