"""Going back to an earlier step."""

from __future__ import annotations

from pathlib import Path

import pytest

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.rewind import Rewind


@pytest.fixture
def root(tmp_path: Path) -> str:
    for step in (10, 20, 30):
        folder = tmp_path / layout.step_name(step)
        folder.mkdir()
        (folder / "zarr.json").write_text("{}")
    return str(tmp_path)


@pytest.mark.parametrize(("step", "text"), [(30, "is there already"), (5, "before the last one, 30")])
def test_a_new_step_is_after_all_others(root: str, step: int, text: str) -> None:
    with pytest.raises(CheckpointError, match=text):
        Rewind(root, refuse=False).check_new(step, [])
    Rewind(root, refuse=False).check_new(31, [])


def test_steps_in_the_background_count(root: str) -> None:
    with pytest.raises(CheckpointError, match="is there already"):
        Rewind(root, refuse=False).check_new(40, [40])
    with pytest.raises(CheckpointError, match="before the last one, 50"):
        Rewind(root, refuse=False).check_new(40, [50])


def test_after_going_back_later_steps_do_not_count_and_go(root: str) -> None:
    rewind = Rewind(root, refuse=False)
    rewind.restored(10, [10, 20, 30], chosen=True)
    rewind.check_new(20, [])
    with pytest.raises(CheckpointError, match="is there already"):
        rewind.check_new(10, [])
    assert len(rewind.discard(sync=True)) == 2
    assert layout.steps(root) == [10]
    rewind.committed()
    assert rewind.discard(sync=True) == []


def test_restoring_the_last_step_is_no_going_back(root: str) -> None:
    rewind = Rewind(root, refuse=True)
    rewind.restored(30, [10, 20, 30], chosen=True)
    rewind.check_new(40, [])
    assert rewind.discard(sync=True) == []


def test_going_back_may_be_refused(root: str) -> None:
    rewind = Rewind(root, refuse=True)
    rewind.restored(10, [10, 20, 30], chosen=True)
    with pytest.raises(CheckpointError, match=r"steps \[20, 30\] of .* are after it"):
        rewind.check_new(20, [])


def test_steps_that_were_passed_over_are_kept_out_of_sight(root: str) -> None:
    rewind = Rewind(root, refuse=False)
    rewind.restored(10, [10, 20, 30], chosen=False)
    rewind.check_new(20, [])
    assert rewind.discard(sync=True) == []
    layout.clean(root, sync=False)
    assert layout.steps(root) == [10]
    kept = sorted(path.name.rpartition("-")[0] for path in Path(root, ".tmp").iterdir())
    assert kept == ["damaged-00000020", "damaged-00000030"]


def test_a_step_that_came_later_is_not_of_the_past(root: str) -> None:
    rewind = Rewind(root, refuse=False)
    rewind.restored(10, [10, 20], chosen=True)
    with pytest.raises(CheckpointError, match="before the last one, 30"):
        rewind.check_new(20, [])
    assert len(rewind.discard(sync=True)) == 1
    assert layout.steps(root) == [10, 30]


def test_later_steps_may_go_before_the_next_one_is_there(root: str) -> None:
    rewind = Rewind(root, refuse=False)
    rewind.restored(10, [10, 20, 30], chosen=True)
    # Not for a checkpoint of an earlier restore.
    assert rewind.leave(20, sync=True) == []
    assert layout.steps(root) == [10, 20, 30]
    assert len(rewind.leave(10, sync=True)) == 2
    assert layout.steps(root) == [10]
    rewind.check_new(20, [])


def test_later_steps_that_are_refused_do_not_go(root: str) -> None:
    rewind = Rewind(root, refuse=True)
    rewind.restored(10, [10, 20, 30], chosen=True)
    with pytest.raises(CheckpointError, match=r"steps \[20, 30\] of .* are after it"):
        rewind.leave(10, sync=True)
    assert layout.steps(root) == [10, 20, 30]
