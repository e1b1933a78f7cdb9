"""Power cuts during every operation in stores that sync: what was acknowledged is there, all else old or new.

A recorded run is replayed up to every moment, with what was not synced dropped in part: bytes, sizes and
names, each alone and in combinations (`replay`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

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
from tests.faults.library import Library, in_child
from tests.faults.pictures import check, difference
from tests.faults.places import renew
from tests.faults.replay import Disk, Tree, lines_of, put, states, tree_of

# A database undoes as a whole what was not synced.
_SYNCING = ("sqlite",)


def is_for(case: Case) -> bool:
    """Whether all is old or new after a power cut."""
    return case.place.durability == "fsync" or case.place.name in _SYNCING


def is_safe(case: Case) -> bool:
    """Whether what the operation has done is there after a power cut, once it has returned."""
    return case.place.durability == "fsync"


def run(chosen: list[Case], folder: Path, combinations: int = 16, states_of_each: int = 400) -> Figures:
    """Cut the power in all cases; look at so many states of each."""
    figures, library = Figures("power cuts", "states"), Library()
    chosen = [case for case in chosen if is_for(case)]
    for case in chosen:
        try:
            _run_case(case, library, folder, figures, combinations, states_of_each)
        except Exception as error:
            figures.fail(case, f"{type(error).__name__}: {error}")
    figures.count("operations in stores", len(chosen))
    return figures


def _run_case(
    case: Case, library: Library, folder: Path, figures: Figures, combinations: int, wanted: int
) -> None:
    made, work, log = model(case, folder), folder / "work", folder / "log"
    log.unlink(missing_ok=True)
    renew(made.start, work)
    start = tree_of(work)

    def record() -> None:
        library.record(work, log)
        change(case, work)
        library.record(Path(), Path())
        with log.open("a") as file:
            file.write("ack\t0\n")

    ended = in_child(record)
    assert not ended.error, ended.error
    assert not ended.signal, f"signal {ended.signal}"
    lines = lines_of(log)
    disk = Disk(str(work), start)
    for call, *fields in lines:
        if call != "ack":
            disk.apply(call, *fields)
    assert disk.tree({}) == tree_of(work), "the record is not complete"
    found = states(lines, work, combinations, start)
    figures.count("possible states", len(found))
    for tree, acknowledged in list(found.items())[:: max(len(found) // wanted, 1)]:
        figures.cases += 1
        try:
            _check(case, folder / "state", tree, acknowledged >= 0, made)
        except Exception as error:
            figures.fail(f"{case}, state {figures.cases}", f"{type(error).__name__}: {error}")


def _check(case: Case, folder: Path, tree: Tree, acknowledged: bool, made: Model) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    put(tree, folder)
    assert not remove_new_archive(case, folder, made) or not acknowledged, "the archive has no directory"
    now = look(case, folder)
    if acknowledged and is_safe(case):
        what = difference(now, made.after)
        assert what is None, f"acknowledged, and {what}"
    allowed = case.operation.allowed
    check(now, made.before, made.after, allowed._replace(whole=allowed.whole or "zip" in case.place.name))
    now = do_again(case, folder, made)
    with opened(case, folder) as world:
        report = case.operation.verify_cleared(world)
    kinds = {finding.kind for finding in report.findings}
    assert not kinds or (not now and kinds == {"nothing-there"}), f"done again, verify finds {report}"
