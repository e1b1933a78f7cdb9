"""Where things are in a checkpoint folder, and what processes that are gone have left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zchunk._ext.io.files import temp_number
from zchunk.wings.checkpoint import layout


def make(root: Path, name: str, group: bool = True) -> None:
    (root / name).mkdir(parents=True)
    if group:
        (root / name / "zarr.json").write_text("{}")


def number_of_a_process_that_is_gone() -> int:
    code = "from zchunk._ext.io.files import temp_number; print(temp_number())"
    return int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    )


def test_steps_are_folders_with_a_document(tmp_path: Path) -> None:
    assert layout.steps(str(tmp_path / "nothing")) == []
    for name in ("00000020", "00000003", "123456789"):
        make(tmp_path, name)
    make(tmp_path, "00000004", group=False)
    for name in ("000000021", "step", "21", "00000022.old"):
        make(tmp_path, name)
    (tmp_path / "00000005").write_text("")
    assert layout.steps(str(tmp_path)) == [3, 20, 123456789]
    assert layout.is_there(str(tmp_path), 20)
    assert not layout.is_there(str(tmp_path), 4)


def test_a_step_that_the_system_does_not_show_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "00000003")
    (tmp_path / "00000004").symlink_to("00000004")
    with pytest.raises(OSError, match="symbolic links"):
        layout.steps(str(tmp_path))


def test_an_attempt_has_a_name_of_its_own(tmp_path: Path) -> None:
    one, other = (layout.new_attempt(str(tmp_path), 7) for _ in range(2))
    assert one != other
    assert os.path.dirname(one) == str(tmp_path / ".tmp")


def test_a_discarded_step_is_out_of_sight(tmp_path: Path) -> None:
    make(tmp_path, "00000001")
    trash = layout.discard(str(tmp_path), 1)
    assert trash is not None
    assert Path(trash, "zarr.json").exists()
    assert layout.steps(str(tmp_path)) == []
    assert layout.discard(str(tmp_path), 1) is None


def test_what_is_left_of_processes_that_are_gone_is_deleted(tmp_path: Path) -> None:
    root, gone = str(tmp_path), number_of_a_process_that_is_gone()
    mine = layout.new_attempt(root, 3)
    elsewhere = f".tmp/00000004-{temp_number() ^ 1 << 63:024x}"
    kept = {os.path.relpath(mine, root), elsewhere, ".tmp/notes"}
    for name in kept:
        make(tmp_path, name)
    left = {f".tmp/00000005-{gone:024x}", f".tmp/trash-00000006-{temp_number():024x}"}
    for name in left:
        make(tmp_path, f"{name}/u/c")
    assert {os.path.relpath(path, root) for path in layout.clean(root, sync=False)} == left
    assert {f".tmp/{path.name}" for path in (tmp_path / ".tmp").iterdir()} == kept


def test_an_attempt_on_another_machine_is_left_over_after_a_day(tmp_path: Path) -> None:
    name = f".tmp/00000004-{temp_number() ^ 1 << 63:024x}"
    make(tmp_path, name)
    os.utime(tmp_path / name, (1, 1))
    assert layout.clean(str(tmp_path), sync=False) == [str(tmp_path / name)]
    # Nothing is left that other libraries could warn of.
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_deleted_is_left(tmp_path: Path) -> None:
    # A file, where a folder is expected.
    (tmp_path / ".tmp").mkdir()
    names = [f"trash-0000000{number}-{temp_number():024x}" for number in range(3)]
    (tmp_path / ".tmp" / names[1]).write_text("")
    for name in names[::2]:
        make(tmp_path / ".tmp", name)
    assert len(layout.clean(str(tmp_path), sync=False)) == 2
    assert [path.name for path in (tmp_path / ".tmp").iterdir()] == [names[1]]


def test_what_a_process_has_left_that_was_killed_when_it_made_the_root(tmp_path: Path) -> None:
    make(tmp_path, "00000001")
    left, own = number_of_a_process_that_is_gone(), temp_number()
    for name in (f"zarr.json.{left:024x}.partial", f"zarr.json.{own:024x}.partial", "notes.txt"):
        (tmp_path / name).touch()
    layout.clean(str(tmp_path), sync=False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["00000001", "notes.txt", f"zarr.json.{own:024x}.partial"]
