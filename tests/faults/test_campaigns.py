"""A part of the campaigns that `make faults` runs as a whole: each operation in one store, at some calls."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests import ROOT
from tests.faults.library import reason_not_to
from tests.sanitizers import not_sanitized

GROUPS = 16

pytestmark = [
    pytest.mark.skipif(reason_not_to() is not None, reason=str(reason_not_to())),
    not_sanitized("a library is loaded before its own"),
]


in_groups = pytest.mark.parametrize("group", range(GROUPS))


@pytest.mark.one_in(GROUPS)
@in_groups
def test_kills(group: int) -> None:
    run("kills", group, 20)


@pytest.mark.one_in(GROUPS)
@in_groups
def test_full_disks(group: int) -> None:
    run("full", group, 70)


@pytest.mark.one_in(GROUPS)
@in_groups
def test_errors(group: int) -> None:
    run("errors", group, 80)


@pytest.mark.one_in(GROUPS)
@in_groups
def test_interrupts(group: int) -> None:
    run("interrupts", group, 80)


@pytest.mark.one_in(GROUPS)
@in_groups
def test_power_cuts(group: int) -> None:
    run("power", group, 100)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("group", range(6))
def test_machine(group: int) -> None:
    said = said_by("machine", "--group", str(group), "6", "--every", "70")
    assert re.search(r"[\d,]+ steps, .*: 0 failures", said), said


@pytest.mark.parametrize(
    ("workers", "groups"), [("threads", 4), ("fork", 3), pytest.param("spawn", 9, marks=pytest.mark.slow)]
)
def test_races(workers: str, groups: int) -> None:
    said = said_by("races", "--only", f"{workers} in", "--group", "0", str(groups), "--every", "13")
    assert re.search(r"[\d,]+ workers, \d+ races.*: 0 failures", said), said


@pytest.mark.slow
def test_exits() -> None:
    assert re.search(r" 8 programs: 0 failures", said_by("exits", "--every", "4"))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("group", range(3))
def test_endurance(group: int) -> None:
    said = said_by("endurance", "--group", str(group), "3", "--every", "100")
    assert re.search(r"[\d,]+ operations, 8 kinds of stores: 0 failures", said), said


def said_by(campaign: str, *options: str) -> str:
    """Run a part of a campaign; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", campaign, *options],
        cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": "ignore"}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def run(campaign: str, group: int, every: int) -> None:
    """Run a campaign with one store for each operation of a group, at one of so many calls."""
    said = said_by(campaign, "--part", "0.02", "--group", str(group), str(GROUPS), "--every", str(every))
    figures = re.search(r"([\d,]+) (kills|failed calls|signals|states|tries).*: 0 failures", said)
    assert figures is not None, said
    if campaign != "full" or os.geteuid() == 0:
        operations = re.search(r"(\d+) operations in stores", said)
        assert operations is not None, said
        # Of some groups no store is synced, or on a disk that can be full.
        assert (int(figures[1].replace(",", "")) > 0) == (operations[1] != "0")
        assert campaign != "kills" or operations[1] != "0"
