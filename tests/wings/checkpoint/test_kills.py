"""A part of the campaign of kills (see `kills`), which `make kills` runs as a whole."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.choice import rounds
from tests.wings.checkpoint.kills import campaign

MEMORY = "/dev/shm"


@pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has threads")
def test_no_kill_costs_a_checkpoint(tmp_path: Path) -> None:
    # By default half of the points, else each four times. What is killed is a process, not the machine:
    # nothing has to reach a disk.
    where = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=where) as root:
        result = campaign(rounds(60), 17, root)
    assert result[1:] == (0, 0, 0, 0)
