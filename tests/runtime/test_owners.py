"""Whether the process lives that has signed something."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.store_conformance import in_child
from zchunk.runtime import owners


def _changed(signature: bytes, number: int | None = None, **fields: int) -> bytes:
    """Return a signature with another number, beginning of its process, or time."""
    parts = signature.split(b" ")
    if number is not None:
        parts[0] = b"%024x" % number
    for at, name in enumerate(["began", "time"], 1):
        if name in fields:
            parts[at] = b"%d" % fields[name]
    return b" ".join(parts)


def test_this_process() -> None:
    first, second = owners.signature(), owners.signature()
    assert first != second
    assert owners.owner(first) == owners.owner(first + b"\ncontent") == "this"


def test_another_process_which_lives_and_then_is_gone() -> None:
    mine = owners.signature()

    seen, signed = in_child(lambda: (owners.owner(mine), owners.signature()))
    assert (seen, owners.owner(signed)) == ("lives", "gone")


def test_a_number_that_was_given_again() -> None:
    mine = owners.signature()
    began = int(mine.split(b" ")[1])
    if not began:
        pytest.skip("the system does not say when processes began")
    assert owners.owner(_changed(mine, began=began - 1)) == "gone"


def test_one_whose_parent_has_not_waited_for_it_yet() -> None:
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.write(tell, owners.signature())
        os._exit(0)
    try:
        signed = os.read(told, 100)
        # Until it has ended, without waiting for it.
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        if not owners._status(child):
            pytest.skip("the system does not say what has ended")
        assert owners.owner(signed) == "gone"
        assert not owners.lives(child)
    finally:
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)


def test_the_system_may_not_say_when_processes_of_others_began(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = owners.signature()
    status = owners._status
    # As where /proc has its option hidepid.
    monkeypatch.setattr(owners, "_status", lambda pid: status(pid) if pid == os.getpid() else [])
    assert in_child(lambda: owners.owner(mine)) == "lives"


def test_another_machine_counts_as_gone_after_a_day() -> None:
    mine = owners.signature()
    other = int(mine[:24], 16) ^ 1 << 60
    for age, wanted in ((0, "unknown"), (23 * 3600, "unknown"), (25 * 3600, "gone")):
        assert owners.owner(_changed(mine, other, time=int(time.time()) - age)) == wanted


def test_where_machines_may_look_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = in_child(owners.signature)
    # As where there is no /proc.
    monkeypatch.setattr(owners, "IDENTITY", (str(tmp_path / "nothing"),))
    assert owners.owner(signed) == "unknown"
    assert owners.owner(_changed(signed, time=int(time.time()) - 3700)) == "gone"


def test_what_is_not_signed() -> None:
    for value in (b"", b"{}", b"0123456789abcdef 1 2"):
        assert owners.owner(value) == owners.owner(value, 3700) == "gone"
        assert owners.owner(value, 10) == "unknown"


def test_there_is_no_process_zero() -> None:
    assert owners.lives(os.getpid())
    assert not owners.lives(0)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert not owners.lives(child)
