"""A part of the campaign of kills (see `kills`), which `make kills` runs as a whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.choice import rounds
from tests.wings.checkpoint.kills import campaign

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has threads")


def test_no_kill_costs_a_checkpoint(tmp_path: Path) -> None:
    result = campaign(rounds(160), 17, str(tmp_path))
    assert result[1:] == (0, 0, 0, 0)
