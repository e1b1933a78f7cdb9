"""Errors of the system at every call of every operation: raised, not swallowed, and nothing is lost or left.

The k-th call fails with ENOSPC, EDQUOT, EIO, EMFILE, EINTR or EACCES, for once, or all from the k-th on as on
a disk that is full; or it reads or writes less than it was asked for. Then the operation either ends as it
does without a fault, or raises an OSError and leaves everything old or new; no descriptor stays open, no
temporary file, no lock; and doing it again in the same process works.
"""

from __future__ import annotations

import errno
import gc
import warnings
from pathlib import Path
from typing import NamedTuple

from tests.faults.campaign import Case, Figures, Model, change, do_again, look, model, open_files, opened
from tests.faults.library import Calls, How, Library, Strike, in_child
from tests.faults.pictures import check, difference
from tests.faults.places import files, renew
from zchunk.spec.keys import UNFINISHED_KEY

_FOREVER = 1 << 40
_ANY = (
    Calls.MAKE | Calls.NAME | Calls.WRITE | Calls.SYNC | Calls.SIZE | Calls.OPEN | Calls.READ | Calls.STAT
    | Calls.CLOSE | Calls.LIST
)  # fmt: skip

# Calls that look at files and folders.
_LOOKS = ("lstat", "stat", "opendir", "scandir", "readdir", "fstatat")


class Fault(NamedTuple):
    """What befalls calls of some kinds: one, or all from there on."""

    kinds: Calls
    error: int = 0
    how: How = How.FAIL
    forever: bool = False

    def at(self, number: int) -> Strike:
        """Return it for a call."""
        return Strike(number, self.how, self.kinds, self.error, _FOREVER if self.forever else number)

    @property
    def is_harmless(self) -> bool:
        """Whether a program goes on as if nothing were."""
        return self.how is How.SHORT or self.error == errno.EINTR

    @property
    def is_full(self) -> bool:
        """Whether there is no room."""
        return self.error in (errno.ENOSPC, errno.EDQUOT)


_TAKES_SPACE = Calls.MAKE | Calls.WRITE | Calls.SIZE | Calls.SYNC
FAULTS = {
    "ENOSPC": Fault(_TAKES_SPACE, errno.ENOSPC),
    "ENOSPC from then on": Fault(_TAKES_SPACE, errno.ENOSPC, forever=True),
    "EDQUOT": Fault(_TAKES_SPACE | Calls.CLOSE, errno.EDQUOT),
    "EIO": Fault(_ANY, errno.EIO),
    "EMFILE": Fault(Calls.MAKE | Calls.OPEN | Calls.LIST, errno.EMFILE),
    "EACCES": Fault(Calls.MAKE | Calls.OPEN | Calls.LIST | Calls.NAME | Calls.STAT, errno.EACCES),
    "EINTR": Fault(Calls.MAKE | Calls.OPEN | Calls.READ | Calls.WRITE | Calls.SYNC | Calls.SIZE, errno.EINTR),
    "short": Fault(Calls.READ | Calls.WRITE, how=How.SHORT),
}


def run(chosen: list[Case], folder: Path, every: int = 1) -> Figures:
    """Have all cases fail at all calls, or at one of so many, in every way."""
    figures, library = Figures("errors", "failed calls"), Library()
    for number, case in enumerate(chosen):
        if case.place.durability == "none":
            continue
        try:
            made = model(case, folder)
            for name, fault in FAULTS.items():
                if fault.is_harmless and not case.place.is_folder and "zip" not in case.place.name:
                    # SQLite and LMDB do not go on.
                    continue
                _run_fault(case, name, fault, library, folder, made, figures, every, number)
        except Exception as error:
            figures.fail(case, f"{type(error).__name__}: {error}")
    figures.count("operations in stores", len(chosen))
    return figures


def _run_fault(
    case: Case, name: str, fault: Fault, library: Library, folder: Path, made: Model, figures: Figures,
    every: int, number: int,
) -> None:  # fmt: skip
    at = 1 + number % every
    while True:
        renew(made.start, folder / "work")
        ended = in_child(lambda: _attempt(case, fault, library, folder / "work", made, at))  # noqa: B023
        if ended.value == "was not struck":
            return
        figures.cases += 1
        if ended.value == "raised":
            figures.count("raised")
        elif ended.value != "done":
            what = ended.value or ended.error or f"signal {ended.signal}"
            figures.fail(f"{case}, {name} at call {at}", what)
            if ended.signal or "hangs" in ended.error:
                return
        at += every


def _attempt(case: Case, fault: Fault, library: Library, folder: Path, made: Model, at: int) -> str:
    """Do an operation once with a fault and once without; return how it ended, or what is wrong."""
    before, listed, raised = open_files(folder), folder.parent / "calls", None
    listed.unlink(missing_ok=True)
    library.watch(folder, fault.kinds)
    library.list_to(listed)
    library.strike(fault.at(at))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            change(case, folder)
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
            is_right = isinstance(error, OSError)
    if library.end() < at:
        assert raised is None, raised
        return "was not struck"
    calls = listed.read_text().splitlines()
    struck = calls[at - 1]
    gc.collect()
    where = f"{struck.replace(str(folder), '')}: {raised}"
    now = look(case, folder)
    if raised is None:
        if case.place.erases_only and struck.startswith(_LOOKS):
            # fsspec leaves out of a folder what it cannot look at: it stays.
            check(now, made.before, made.after, case.operation.allowed)
        else:
            what = difference(now, made.after)
            assert what is None, f"{where} was swallowed: {what}"
        # SQLite does not care for folders.
        is_sync = "sqlite" not in case.place.name and struck.startswith(("fsync", "fdatasync"))
        # On a full disk what is replaced goes without a mark, to make room.
        is_mark = fault.is_full and any(UNFINISHED_KEY in call for call in calls[max(at - 2, 0) : at])
        # An archive is whole without the smaller copy that takes its place.
        is_compaction = "/store.zip." in struck
        # The step of a checkpoint is there, whatever comes of the old ones.
        is_told = struck.endswith("/run") and any("old steps cannot be" in str(one.message) for one in told)
        is_fine = is_mark or is_compaction or is_told or fault.is_harmless
        assert is_fine or not is_sync, f"{where} was swallowed"
    else:
        assert is_right, f"{where} is no OSError"
        assert not fault.is_harmless, f"{where} is a failure"
        check(now, made.before, made.after, case.operation.allowed)
    left = open_files(folder) - before
    # Databases are open for the whole process, as they document.
    assert not left or not case.place.is_folder, f"{where} leaves {left} open"
    _check_left(case, folder, struck, where)
    _again(case, folder, made, where)
    return "done" if raised is None else "raised"


def _check_left(case: Case, folder: Path, struck: str, where: str) -> None:
    """Check that no temporary file is left, unless it is the removal that failed."""
    removal = struck.startswith(("unlink", "rmdir", "rename"))
    left = {name for name in files(folder) if ".partial" in name}
    if any(trace in name for name in left for trace in ("erasing.", "erased.")):
        # What has been begun is finished by the next call.
        return
    assert not left or removal, f"{where} leaves {left}"


def _again(case: Case, folder: Path, made: Model, where: str) -> None:
    """Do the operation once more in the same process: then all is as if nothing had failed."""
    operation = case.operation
    try:
        now = do_again(case, folder, made)
    except AssertionError as error:
        raise AssertionError(f"{where}, {error}") from None
    with opened(case, folder) as world:
        report = operation.verify_cleared(world)
    kinds = {finding.kind for finding in report.findings}
    # Temporary files that could not be removed are those of a process that lives.
    wrong = kinds - {"in-progress"} and not (not now and kinds == {"nothing-there"})
    assert not wrong, f"{where}, done again: {report}"
