"""Where a restart begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zchunk.checkpoint import CheckpointManager, Series
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.communicators import Alone
from zchunk.wings.checkpoint.restarts import cut_to_nothing, find_whole


def saved(root: Path) -> list[int]:
    with CheckpointManager(root, async_save=False) as manager:
        for step in 1, 2, 3:
            manager.save(step, {"u": np.full(4, step)})
    return [1, 2, 3]


def test_the_last_step_that_is_whole(tmp_path: Path) -> None:
    steps = saved(tmp_path)
    (tmp_path / "00000003/u/c/0").unlink()
    u = np.zeros(4, int)
    found, reasons = find_whole(Alone(), str(tmp_path), steps, "quick", {"u": u})
    assert found is not None
    assert (found.step, u.tolist()) == (2, [2] * 4)
    (reason,) = reasons
    assert "step 3" in reason
    assert find_whole(Alone(), str(tmp_path), [], "quick", None) == (None, [])
    for step in 1, 2:
        (tmp_path / f"{step:08d}/u/c/0").unlink()
    with pytest.raises(CheckpointError, match=r"step 3 .*; step 2 .*; step 1 "):
        find_whole(Alone(), str(tmp_path), steps, "full", None)


def test_series_are_cut_where_there_is_no_step(tmp_path: Path) -> None:
    with Series(tmp_path / "a") as first, Series(tmp_path / "b") as second:
        first.append(1, 1.0, {"x": 1})
        assert cut_to_nothing({"a": first, "b": [second]}) == ["1 steps of 'a' are taken away"]
        assert (len(first), len(second)) == (0, 0)
        first.append(1, 1.0, {"x": 1})
        second.close()
        with pytest.raises(ValueError, match="closed"):
            cut_to_nothing({"a": first, "b": second})
        assert len(first) == 1
    assert cut_to_nothing(None) == []
