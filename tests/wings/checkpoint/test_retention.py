"""Which steps are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.wings.checkpoint import layout, retention


@given(
    st.sets(st.integers(0, 60)),
    st.one_of(st.none(), st.integers(1, 5)),
    st.one_of(st.none(), st.integers(1, 20)),
)
def test_the_last_ones_and_multiples_stay(steps: set[int], most: int | None, every: int | None) -> None:
    out = retention.superfluous(steps, most, every)
    kept = steps - set(out)
    if most is None:
        assert kept == steps
        return
    assert all(step in kept for step in steps if every and step % every == 0)
    others = [step for step in kept if not (every and step % every == 0)]
    assert len(others) <= most
    # Those that go are older than those that stay, and none goes without need.
    assert not out or (len(others) == most and max(out) < min(others))


def test_discarded_steps_are_deleted_later(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        folder = Path(layout.step_path(str(tmp_path), step))
        (folder / "u").mkdir(parents=True)
        (folder / "zarr.json").write_text("{}")
    trash = retention.discard(str(tmp_path), [1, 3, 4], sync=True)
    assert layout.steps(str(tmp_path)) == [2]
    assert len(trash) == 2
    assert all(Path(folder, "u").exists() for folder in trash)
    retention.delete(str(tmp_path), trash, sync=True)
    assert [path.name for path in tmp_path.iterdir()] == ["00000002"]


def test_files_of_steps_that_a_crash_would_bring_back_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(layout.step_path(str(tmp_path), 1))
    (folder / "u").mkdir(parents=True)
    (folder / "zarr.json").write_text("{}")

    def fail(folder: str) -> None:
        raise OSError(5, f"cannot sync {folder}")

    with monkeypatch.context() as patch:
        patch.setattr(retention, "sync_folder", fail)
        patch.setattr(layout, "sync_folder", fail)
        with pytest.raises(OSError, match="cannot sync"):
            retention.discard(str(tmp_path), [1], sync=True)
        with pytest.raises(OSError, match="cannot sync"):
            retention.delete(str(tmp_path), [], sync=True)
    (trash,) = (tmp_path / layout.TMP).iterdir()
    assert sorted(os.listdir(trash)) == ["u", "zarr.json"]
    retention.delete(str(tmp_path), [], sync=True)
    assert list(tmp_path.iterdir()) == []
