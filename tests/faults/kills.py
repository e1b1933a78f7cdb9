"""SIGKILL at every call that changes files, of every operation that changes a store.

A kill between two such calls leaves the same files as one before the second, so these are all that matter; of
writes a kill in the middle, too. After each, all is old or new or what docs/stores.md says, `verify` finds no
error and every file that is left over, other libraries read the same, doing it again works, and then nothing
is left over.
"""

from __future__ import annotations

import signal
from pathlib import Path

from tests.faults import peers
from tests.faults.campaign import (
    Case,
    Figures,
    Model,
    change,
    do_again,
    look,
    model,
    opened,
    remove_new_archive,
)
from tests.faults.library import Calls, How, Library, Strike, in_child
from tests.faults.operations import World
from tests.faults.pictures import check
from tests.faults.places import files, renew
from zchunk.spec.keys import METADATA_KEYS
from zchunk.wings.verification.report import Report

# Of this many kills one has its files read by other libraries, too.
_PEERS = 7
# What `verify` may call an error, by what is allowed.
_CUT = ("chunk-size", "chunk-checksum", "chunk-undecodable", "metadata-invalid", "attributes-invalid")
_STALE = {"consolidated-stale", "consolidated-invalid"}


def run(chosen: list[Case], folder: Path, every: int = 1) -> Figures:
    """Kill all cases at all calls, or at one of so many."""
    figures, library = Figures("kills", "kills"), Library()
    for number, case in enumerate(chosen):
        try:
            _run_case(case, library, folder, figures, every, number)
        except Exception as error:
            figures.fail(case, f"{type(error).__name__}: {error}")
    figures.count("operations in stores", len(chosen))
    return figures


def _run_case(case: Case, library: Library, folder: Path, figures: Figures, every: int, number: int) -> None:
    made = model(case, folder)
    calls = _calls(case, library, folder, made)
    at = 1 + number % every if every > 1 else 1
    while True:
        # The calls of two runs may differ, if only a little: the end is where nothing was killed.
        hows = [How.KILL, How.TEAR] if at <= len(calls) and "write" in calls[at - 1] else [How.KILL]
        for how in hows:
            renew(made.start, folder / "work")
            if not _killed(case, library, folder / "work", Strike(at, how)):
                return
            figures.cases += 1
            try:
                _check_killed(case, folder / "work", made, figures)
            except Exception as error:
                what = calls[at - 1] if at <= len(calls) else "?"
                figures.fail(f"{case}, killed at call {at} ({how.name} {what})", error)
        at += every


def _calls(case: Case, library: Library, folder: Path, made: Model) -> list[str]:
    """Return the calls of a case, in order."""
    listed = folder / "calls"
    listed.unlink(missing_ok=True)
    renew(made.start, folder / "work")

    def work() -> None:
        library.watch(folder / "work")
        library.list_to(listed)
        change(case, folder / "work")
        library.end()

    ended = in_child(work)
    assert not ended.error, ended.error
    return listed.read_text().replace(f"{folder}/work/", "").splitlines() if listed.exists() else []


def _killed(case: Case, library: Library, folder: Path, strike: Strike) -> bool:
    """Do a case in a child that is killed at a call; return whether it was."""

    def work() -> None:
        library.watch(folder, Calls.CHANGES)
        library.strike(strike)
        change(case, folder)
        library.end()

    ended = in_child(work)
    assert not ended.error, ended.error
    assert ended.signal in (0, signal.SIGKILL), ended.signal
    return bool(ended.signal)


def _check_killed(case: Case, folder: Path, made: Model, figures: Figures) -> None:
    """Check what a kill has left, and do the operation again."""
    allowed = case.operation.allowed._replace(whole=case.operation.allowed.whole or "zip" in case.place.name)
    if remove_new_archive(case, folder, made):
        figures.count("archives without a directory")
    with opened(case, folder) as world:
        report = case.operation.verify(world)
        cut = _take_away(world, report) if case.place.durability == "none" else None
    if cut is not None:
        figures.count("values cut")
        node = cut.rpartition("/")[0]
        gone = (*allowed.absent, node) if cut.rpartition("/")[2] in METADATA_KEYS else allowed.absent
        allowed = allowed._replace(torn=True, absent=gone)
    now = look(case, folder)
    check(now, made.before, made.after, allowed)
    errors = {finding.kind for finding in report.findings if finding.severity == "error"}
    expected = _STALE if allowed.stale else set()
    if not made.before or not made.after:
        expected = expected | {"nothing-there"}
    assert cut is not None or errors <= expected, report
    if case.place.is_folder and case.place.name != "n5":
        _check_found(folder, made, report)
    if figures.cases % _PEERS == 0:
        figures.count("comparisons with other libraries", peers.compare(case, folder, now))
    _again(case, folder, made, cut is not None)


def _take_away(world: World, report: Report) -> str | None:
    """Delete the value that was being written in place, and return its key; there is one at most."""
    cut = [finding.key for finding in report.findings if finding.kind in _CUT]
    assert len(cut) <= 1, report
    if cut:
        del world.store[cut[0]]
    return cut[0] if cut else None


def _check_found(folder: Path, made: Model, report: Report) -> None:
    """Check that `verify` names every file that is neither an old nor a new one."""
    left = files(folder / "store") if (folder / "store").exists() else set()
    known = {name.removeprefix("store/") for name in made.old_files | made.new_files}
    where = [finding.key.removeprefix(f"{folder}/store/") for finding in report.findings]
    for name in left - known:
        # A folder that was moved aside is one finding.
        found = any(name == key or name.startswith(f"{key}/") for key in where)
        assert found, f"verify does not find {name}: {report}"


def _again(case: Case, folder: Path, made: Model, is_cut: bool) -> None:
    """Do the operation again: then all is as if it had never been killed."""
    operation = case.operation
    now = do_again(case, folder, made, is_cut)
    with opened(case, folder) as world:
        report = operation.verify_cleared(world)
    assert report or (not now and {f.kind for f in report.findings} == {"nothing-there"}), (
        f"done again, verify finds {report}"
    )
    if case.place.is_folder and operation.again is None and operation.clear is None and not is_cut:
        left = files(folder) ^ made.new_files
        assert not left, f"done again, files differ: {sorted(left)}"
